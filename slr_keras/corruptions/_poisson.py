"""Poisson numbers by the inverse of their CDF: the means of bytes are 256, so a table does it."""

from __future__ import annotations

import functools

import numpy as np
from scipy.special import pdtr


def counts(images: np.ndarray, shares: np.ndarray, photons: int) -> np.ndarray:
    """The smallest k with ``CDF(k; photons x) >= share``, int64, at most ``photons``.

    Args:
        images: uint8; x is a level over 255.
        shares: float64 in [0, 1), of the same shape.
        photons: mean of white; more are cut off, as white is the most that a pixel shows.
    """
    place = np.searchsorted(_table(photons), (images + shares).ravel())
    return place.reshape(images.shape) - images * np.int64(photons + 1)


@functools.cache
def _table(photons: int) -> np.ndarray:
    """``level + CDF(k)`` of all levels and k up to ``photons``, in rising order."""
    level = np.arange(256)[:, None]
    cdf = pdtr(np.arange(photons + 1)[None], level / 255.0 * photons)
    cdf[:, -1] = 1.0
    return np.asarray((level + cdf).ravel())
