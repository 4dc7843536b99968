"""Whether a model is as often right as it says it is."""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import ArrayLike


@dataclasses.dataclass(frozen=True)
class Bin:
    """The images whose confidence lies in ``(low, high]``; no figures where there are none.

    Attributes:
        confidence: mean probability of the predicted class.
        accuracy: share of them classified correctly.
    """

    low: float
    high: float
    count: int
    confidence: float | None
    accuracy: float | None


@dataclasses.dataclass(frozen=True)
class Calibration:
    """Bins of a reliability diagram and the expected calibration error.

    Attributes:
        confidence: mean over all images; ``accuracy`` likewise.
    """

    bins: tuple[Bin, ...]
    ece: float
    confidence: float
    accuracy: float


def calibrate(probabilities: ArrayLike, labels: ArrayLike, bins: int = 15) -> Calibration:
    """Reliability diagram (Guo et al. 2017, arXiv 1706.04599, sections 2 and 3).

    The confidence of an image is the probability of its predicted class. Bin m of M holds the
    confidences in ``((m - 1) / M, m / M]`` (the first one 0 as well), and
    ``ECE = sum_m |B_m| / n * |acc(B_m) - conf(B_m)|``.

    Args:
        probabilities: (N, K) in [0, 1], rows sum to 1.
        labels: (N,) true classes.
        bins: M.

    Example:
        >>> calibrate([[0.75, 0.25], [0.75, 0.25]], [0, 1], bins=2).ece
        0.25
    """
    p, y = np.asarray(probabilities, float), np.asarray(labels)
    return of_confidence(p.max(axis=1), p.argmax(axis=1) == y, bins)


def of_confidence(confidence: np.ndarray, right: np.ndarray, bins: int = 15) -> Calibration:
    """The same of confidences (N,) and of which of them are right (N,)."""
    place = np.clip(np.ceil(confidence * bins).astype(int) - 1, 0, bins - 1)
    made = tuple(_bin(m, bins, confidence[place == m], right[place == m]) for m in range(bins))
    gaps = [b.count * abs(b.accuracy - b.confidence) for b in made if b.count]  # type: ignore[operator]
    return Calibration(made, sum(gaps) / len(right), float(confidence.mean()), float(right.mean()))


def _bin(m: int, bins: int, confidence: np.ndarray, right: np.ndarray) -> Bin:
    count = len(confidence)
    figures = (float(confidence.mean()), float(right.mean())) if count else (None, None)
    return Bin(m / bins, (m + 1) / bins, count, *figures)
