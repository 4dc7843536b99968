"""A cloud by the diamond-square algorithm, for all images at once."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def points(side: int) -> list[int]:
    """Squares a side of each halving, for a cloud of ``side`` pixels or the next power of two."""
    return [2**level for level in range(max(1, (side - 1).bit_length()))]


def cloud(shares: Sequence[np.ndarray], decay: float) -> np.ndarray:
    """Heights from 0 to 1, float64 (N, S, S).

    Args:
        shares: (N, n, n) in [0, 1), three of each n of :func:`points`.
        decay: by which what is added shrinks with each halving.
    """
    count, largest, _ = shares[-1].shape
    side = 2 * largest
    heights = np.zeros((count, side, side))
    step, rough, given = side, 100.0, iter(shares)

    def with_noise(total: np.ndarray) -> np.ndarray:
        return total / 4 + rough * (-rough + 2 * rough * next(given))

    while step >= 2:
        half = step // 2
        corners, middles = heights[:, ::step, ::step], heights[:, half::step, half::step]
        square = corners + np.roll(corners, -1, 1)
        middles[:] = with_noise(square + np.roll(square, -1, 2))
        beside = middles + np.roll(middles, 1, 1), corners + np.roll(corners, -1, 2)
        heights[:, ::step, half::step] = with_noise(beside[0] + beside[1])
        below = middles + np.roll(middles, 1, 2), corners + np.roll(corners, -1, 1)
        heights[:, half::step, ::step] = with_noise(below[0] + below[1])
        step, rough = half, rough / decay
    heights -= heights.min(axis=(1, 2), keepdims=True)
    return heights / heights.max(axis=(1, 2), keepdims=True)
