"""What an attack on many images came to."""

from __future__ import annotations

import dataclasses

import numpy as np


@dataclasses.dataclass(frozen=True)
class Outcome:
    """The outcome for each image.

    Attributes:
        clean: (N,) bool, classified correctly as it is.
        robust: (N,) bool, classified correctly as it is and under attack.
        adversarial: images (N, H, W, C), float32 in [0, 1].

    Example:
        >>> yes, no = np.array([True, True]), np.array([True, False])
        >>> Outcome(yes, no, np.zeros((2, 8, 8, 1), "float32")).robust_accuracy
        0.5
    """

    clean: np.ndarray
    robust: np.ndarray
    adversarial: np.ndarray

    @property
    def accuracy(self) -> float:
        """Share of clean images classified correctly."""
        return float(self.clean.mean())

    @property
    def robust_accuracy(self) -> float:
        """Share of images classified correctly under attack too."""
        return float(self.robust.mean())
