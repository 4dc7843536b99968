"""Pad, crop, flip in whole numbers."""

from __future__ import annotations

from typing import Any

import numpy as np

from slr_keras.hashing import bits

PAD = 4
_PADDING = ((0, 0), (PAD, PAD), (PAD, PAD), (0, 0))


def draws(seed: int, epoch: int, index: np.ndarray) -> np.ndarray:
    """Row offset, column offset (both 0..8) and flip of each sample, int32 (B, 3)."""
    word = bits(seed, "crop-flip", epoch, index)
    sizes = np.uint64(2 * PAD + 1)
    flip = word & np.uint64(1)
    rows = (word >> np.uint64(1)) % sizes
    columns = (word >> np.uint64(32)) % sizes
    return np.stack([rows, columns, flip], axis=1).astype(np.int32)


def windows(images: np.ndarray, numbers: np.ndarray) -> np.ndarray:
    """New images of the same shape and dtype, cut out of the padded ones."""
    rows, columns, flip = numbers[:, 0], numbers[:, 1], numbers[:, 2].astype(bool)
    size = images.shape[1:3]
    padded = np.pad(images, _PADDING)
    windows = np.lib.stride_tricks.sliding_window_view(padded, size, axis=(1, 2))
    windows = np.moveaxis(windows, 3, 5)  # (B, 9, 9, H, W, C), a view of padded
    cropped = windows[np.arange(len(images)), rows, columns]
    cropped[flip] = cropped[flip, :, ::-1]
    return cropped


def cropped(images: Any, numbers: Any, xp: Any) -> Any:
    """The same, row by row and column by column of each image."""
    _, height, width, _ = images.shape
    across = xp.arange(width, dtype="int32")[None, :]
    across = xp.where(numbers[:, 2:3] > 0, width - 1 - across, across)
    down = xp.arange(height, dtype="int32")[None, :]
    padded = xp.pad(images, _PADDING)
    high = xp.take_along_axis(padded, (numbers[:, 0:1] + down)[:, :, None, None], axis=1)
    return xp.take_along_axis(high, (numbers[:, 1:2] + across)[:, None, :, None], axis=2)


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
    return windows(images, draws(seed, epoch, index))
