"""The middle of an image, enlarged to its size with linear interpolation, as SciPy's zoom does."""

from __future__ import annotations

import functools
import math

import numpy as np

Taps = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]


def to_planes(images: np.ndarray) -> np.ndarray:
    """Images (N, H, W, C) as planes (H, W, N C), whose pixels are long runs of numbers."""
    return np.ascontiguousarray(np.moveaxis(images, 0, 2)).reshape(*images.shape[1:3], -1)


def to_images(planes: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """The inverse of :func:`to_planes`; ``shape`` is (N, H, W, C)."""
    count, height, width, channels = shape
    return np.moveaxis(planes.reshape(height, width, count, channels), 2, 0)


def zoomed(planes: np.ndarray, factor: float) -> np.ndarray:
    """Planes (H, W, P) enlarged; of the same shape and dtype, computed in float64."""
    top, bottom, top_weight, bottom_weight = _taps(planes.shape[0], factor)
    left, right, left_weight, right_weight = _taps(planes.shape[1], factor)
    upper = planes[top] * top_weight[:, None, None]
    lower = planes[bottom] * bottom_weight[:, None, None]
    found = upper[:, left] * left_weight[:, None]
    found += upper[:, right] * right_weight[:, None]
    found += lower[:, left] * left_weight[:, None]
    found += lower[:, right] * right_weight[:, None]
    return found.astype(planes.dtype)


@functools.cache
def _taps(side: int, factor: float) -> Taps:
    """For each row of the result, the two rows that it comes from and their weights."""
    kept = math.ceil(side / factor)
    large = round(kept * factor)
    rows = (large - side) // 2 + np.arange(side)
    place = rows * ((kept - 1) / max(1, large - 1))
    low = np.floor(place).astype(np.int64)
    weight, first = place - low, (side - kept) // 2
    return first + low, first + np.minimum(low + 1, kept - 1), 1 - weight, weight
