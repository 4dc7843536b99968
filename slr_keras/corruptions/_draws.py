"""Random numbers for each image, the same in whatever batch it comes."""

from __future__ import annotations

import math

import numpy as np
from scipy.special import ndtri

from slr_keras.hashing import bits, share

_HALF_STEP = 2.0**-54  # keeps a share away from 0, whose normal number is infinite


class Draws:
    """Gives independent numbers at each call, those of an image by its number alone.

    Args:
        seed: any whole number.
        purpose: what they are for; another word gives independent numbers.
        numbers: of the images, integer (N,).

    Example:
        >>> Draws(0, "fog 3", np.arange(2)).uniform(4, 4).shape
        (2, 4, 4)
    """

    def __init__(self, seed: int, purpose: str, numbers: np.ndarray):
        self.seed, self.purpose, self.numbers, self.calls = seed, purpose, numbers, 0

    def uniform(self, *shape: int) -> np.ndarray:
        """Numbers in [0, 1), float64 (N, *shape)."""
        self.calls += 1
        place = np.arange(math.prod(shape))
        word = bits(self.seed, f"corruption {self.purpose}", self.calls, self._column(), place)
        return share(word).reshape(-1, *shape)

    def normal(self, *shape: int) -> np.ndarray:
        """Numbers of mean 0 and variance 1, float64 (N, *shape): the inverse of the normal CDF."""
        return np.asarray(ndtri(self.uniform(*shape) + _HALF_STEP))

    def _column(self) -> np.ndarray:
        return self.numbers[:, None]
