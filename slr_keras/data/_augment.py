"""Pad, crop, flip: the augmentation of nearly every CIFAR result."""

from __future__ import annotations

from typing import Any

import numpy as np

from slr_keras.backend import ops
from slr_keras.data._hashing import bits

PAD = 4
_PADDING = ((0, 0), (PAD, PAD), (PAD, PAD), (0, 0))


def draws(seed: int, epoch: int, index: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Row offset, column offset (both 0..8) and flip of each sample.

    Args:
        seed: the run's.
        epoch: counts from 1.
        index: sample indices, integer (B,).

    Returns:
        int64 (B,), int64 (B,), bool (B,).
    """
    word = bits(seed, "crop-flip", epoch, index)
    sizes = np.uint64(2 * PAD + 1)
    flip = (word & np.uint64(1)).astype(bool)
    rows = (word >> np.uint64(1)) % sizes
    columns = (word >> np.uint64(32)) % sizes
    return rows.astype(np.int64), columns.astype(np.int64), flip


def crop_flip(images: np.ndarray, seed: int, epoch: int, index: np.ndarray) -> np.ndarray:
    """Pads 4 black pixels on every side, crops to the old size, flips left-right half the time.

    What happens to an image depends on the seed, the epoch and its sample index only, not on
    the batch that it comes in.

    Args:
        images: (B, H, W, C) of any dtype and size.
        seed: the run's.
        epoch: counts from 1.
        index: sample indices, integer (B,).

    Returns:
        new images of the same shape and dtype.

    Example:
        >>> crop_flip(np.ones((2, 32, 32, 3), np.uint8), 0, 1, np.array([7, 9])).shape
        (2, 32, 32, 3)
    """
    rows, columns, flip = draws(seed, epoch, index)
    size = images.shape[1:3]
    padded = np.pad(images, _PADDING)
    windows = np.lib.stride_tricks.sliding_window_view(padded, size, axis=(1, 2))
    windows = np.moveaxis(windows, 3, 5)  # (B, 9, 9, H, W, C), a view of padded
    cropped = windows[np.arange(len(images)), rows, columns]
    cropped[flip] = cropped[flip, :, ::-1]
    return cropped


def places(
    size: tuple[int, int], seed: int, epoch: int, index: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Which row and which column of its padded image each pixel of a crop comes from.

    Args:
        size: height H and width W.
        seed, epoch, index: as in :func:`crop_flip`.

    Returns:
        int32 (B, H) and (B, W); a flipped image has its columns in reverse.
    """
    rows, columns, flip = draws(seed, epoch, index)
    across = np.where(flip[:, None], np.arange(size[1])[::-1], np.arange(size[1]))
    down = rows[:, None] + np.arange(size[0])
    return down.astype(np.int32), (columns[:, None] + across).astype(np.int32)


def crop_flip_tensors(images: Any, rows: Any, columns: Any) -> Any:
    """:func:`crop_flip` of tensors (B, H, W, C) on the device, cut at :func:`places`.

    (In NumPy this form takes ten times as long.)
    """
    padded = ops.pad(images, _PADDING)
    high = ops.take_along_axis(padded, rows[:, :, None, None], axis=1)
    return ops.take_along_axis(high, columns[:, None, :, None], axis=2)
