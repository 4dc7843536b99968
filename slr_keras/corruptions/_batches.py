"""Checks of images, and their way through a corruption in pieces that fit the processor's cache."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from slr_keras.corruptions._draws import Draws
from slr_keras.errors import DataError

AT_ONCE = 2**18  # values of the images of a piece


def changed(corruption: Any, images: Any, numbers: Any, seed: int) -> np.ndarray:
    """See :meth:`slr_keras.corruptions._base.Corruption.apply`."""
    images = levels(images)
    numbers = _numbers(numbers, len(images))
    found = np.empty_like(images)
    purpose = f"{corruption.name} {corruption.severity}"
    for rows in _pieces(images):
        drawn = corruption.draw(Draws(seed, purpose, numbers[rows]), images.shape[1:])
        found[rows] = corruption.change(images[rows], *drawn)
    return found


def levels(images: Any) -> np.ndarray:
    """Images (N, H, W, C) as uint8; floats in [0, 1] are rounded.

    Raises:
        DataError: another shape, type or range.
    """
    images = np.asarray(images)
    if images.ndim != 4 or images.shape[3] not in (1, 3) or 0 in images.shape[1:]:
        raise DataError(
            f"images to corrupt: expected (N, H, W, 1) or (N, H, W, 3), received {images.shape}; "
            "put channels last"
        )
    if images.dtype == np.uint8:
        return images
    if not np.issubdtype(images.dtype, np.floating):
        raise DataError(
            f"images to corrupt: expected uint8 or floats in [0, 1], received {images.dtype}"
        )
    low, high = (images.min(), images.max()) if images.size else (0, 1)
    if not (low >= 0 and high <= 1):
        raise DataError(
            f"images to corrupt: expected floats in [0, 1], received [{low:g}, {high:g}]; scale "
            "them or give uint8"
        )
    return np.rint(images * 255.0).astype(np.uint8)


def _numbers(numbers: Any, count: int) -> np.ndarray:
    numbers = np.asarray(numbers)
    if numbers.shape != (count,) or not (np.issubdtype(numbers.dtype, np.integer) or not count):
        raise DataError(
            f"numbers of the images: expected {count} whole numbers, received "
            f"{numbers.dtype} {numbers.shape}; give their places in the set"
        )
    return numbers


def _pieces(images: np.ndarray) -> Iterator[slice]:
    step = max(1, AT_ONCE // images[0].size) if len(images) else 1
    for start in range(0, len(images), step):
        yield slice(start, start + step)
