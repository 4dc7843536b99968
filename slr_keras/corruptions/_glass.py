"""Pixels taken from near by, one after the other, for all images at once."""

from __future__ import annotations

import numpy as np


def moving(side: int, reach: int) -> range:
    """The rows or columns that change, in their order."""
    return range(side - reach, reach, -1)


def shuffled(images: np.ndarray, offsets: np.ndarray, reach: int) -> np.ndarray:
    """Images in which pixel after pixel has become the one at its offset.

    A pixel that is read may have changed before. So the pixels point at each other in chains, and
    halving a chain by following two steps at once finds its end in the logarithm of its length.

    Args:
        images: (N, H, W, C).
        offsets: (N, times, rows, columns, 2), column and row offset of the pixels of
            :func:`moving`, in their order.
        reach: the largest offset.
    """
    count, height, width, channels = images.shape
    flat = images.reshape(count, height * width, channels)
    for time in range(offsets.shape[1]):
        source = _sources(offsets[:, time], (height, width), reach)
        flat = np.take_along_axis(flat, source[..., None], axis=1)
    return flat.reshape(images.shape)


def _sources(offsets: np.ndarray, size: tuple[int, int], reach: int) -> np.ndarray:
    """Which pixel of before each one becomes, (N, H * W)."""
    height, width = size
    rows, columns = (np.array(moving(side, reach), int) for side in size)
    moved = (rows[:, None] * width + columns).ravel()
    place = np.broadcast_to(np.arange(height * width), (len(offsets), height * width))
    target = place.copy()
    step = offsets[..., 1] * width + offsets[..., 0]
    target[:, moved] += step.reshape(len(offsets), -1)
    changed = np.isin(place[0], moved)
    onwards = (target > place) & changed[target]  # it has changed before it is read
    link = np.where(onwards, target, place)
    while True:
        further = np.take_along_axis(link, link, axis=1)
        if (further == link).all():
            return np.take_along_axis(target, link, axis=1)
        link = further
