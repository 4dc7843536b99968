"""Black rectangles."""

from __future__ import annotations

from typing import Any

import numpy as np

from slr_keras.hashing import bits, share, whole

TRIES = 10
RATIO = (0.3, 3.3)  # height to width, as torchvision's RandomErasing has it


def squares(
    seed: int, epoch: int, index: np.ndarray, size: tuple[int, int], side: int
) -> np.ndarray:
    """Top, left, height and width of a square whose centre is any pixel, int32 (B, 4)."""
    word = bits(seed, "cutout", epoch, index)
    top = whole(word, 0, size[0]) - side // 2
    left = whole(word >> np.uint64(32), 0, size[1]) - side // 2
    sides = np.full(len(word), side)
    return np.stack([top, left, sides, sides], axis=1).astype(np.int32)


def rectangles(
    seed: int,
    epoch: int,
    index: np.ndarray,
    size: tuple[int, int],
    probability: float,
    area: tuple[float, float],
) -> np.ndarray:
    """Top, left, height and width of random erasing (arXiv 1708.04896), int32 (B, 4).

    A share of the image, uniform in ``area``, and a ratio, uniform in its logarithm in
    :data:`RATIO`, are drawn up to ten times until the rectangle is smaller than the image; if none
    is, and for all but ``probability`` of the images, its sides are 0.
    """
    tries = np.arange(TRIES)
    words = [bits(seed, f"erase {k}", epoch, np.asarray(index)[:, None], tries) for k in "arwyx"]
    pixels = size[0] * size[1] * (area[0] + (area[1] - area[0]) * share(words[0]))
    low, high = np.log(RATIO)
    ratio = np.exp(low + (high - low) * share(words[1]))
    height, width = np.rint(np.sqrt(pixels * ratio)), np.rint(np.sqrt(pixels / ratio))
    fits = (height < size[0]) & (width < size[1])
    chosen = (np.arange(len(fits)), fits.argmax(axis=1))  # the first that fits
    wanted = fits.any(axis=1) & (share(words[2])[:, 0] < probability)
    height, width = (np.where(wanted, side[chosen], 0) for side in (height, width))
    top = whole(words[3][chosen], 0, size[0] + 1 - height)
    left = whole(words[4][chosen], 0, size[1] + 1 - width)
    return np.stack([top, left, height, width], axis=1).astype(np.int32)


def beside(*numbers: np.ndarray) -> np.ndarray:
    """Numbers of several parts, in one row for each image."""
    return np.concatenate(numbers, axis=1)


def erased(images: Any, box: Any, xp: Any) -> Any:
    """Images (B, H, W, C), black where the rectangles (B, 4) are."""
    _, height, width, _ = images.shape
    down = xp.arange(height, dtype="int32")[None, :]
    across = xp.arange(width, dtype="int32")[None, :]
    rows = (down >= box[:, 0:1]) & (down < box[:, 0:1] + box[:, 2:3])
    columns = (across >= box[:, 1:2]) & (across < box[:, 1:2] + box[:, 3:4])
    inside = (rows[:, :, None] & columns[:, None, :])[..., None]
    return xp.where(inside, xp.zeros_like(images), images)
