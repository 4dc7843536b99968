"""What a difference between accuracies is worth: over seeds, and on the same images."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

import numpy as np

from slr_keras.evaluation.intervals import wilson


@dataclasses.dataclass(frozen=True)
class Spread:
    """Of one figure over seeds."""

    values: tuple[float, ...]

    @property
    def mean(self) -> float:
        """Over the seeds."""
        return float(np.mean(self.values))

    @property
    def range(self) -> tuple[float, float]:
        """Smallest and largest."""
        return min(self.values), max(self.values)


@dataclasses.dataclass(frozen=True)
class Difference:
    """Of two accuracies, paired.

    Attributes:
        mean: of ``ours - theirs`` over the pairs.
        interval: its 95 % interval.
        by: what the interval rests on, ``"seeds"`` or ``"images"``.
        p: of McNemar's exact test on the images of all pairs; None without images.
    """

    mean: float
    interval: tuple[float, float]
    by: str
    p: float | None


def paired(ours: Sequence[np.ndarray], theirs: Sequence[np.ndarray]) -> Difference:
    """Compare two arms, seed by seed, on the same images.

    With three pairs or more the interval is Student's over the differences of the pairs, which
    counts what another seed would change. With fewer it is that of paired shares of all images
    together (Newcombe 1998, Statistics in Medicine 17, 2635, method 10), and says nothing of seeds.

    Args:
        ours, theirs: for each seed (N,) bool, which images were classified correctly.
    """
    gaps = [float(a.mean() - b.mean()) for a, b in zip(ours, theirs, strict=True)]
    a, b = np.concatenate(ours), np.concatenate(theirs)
    p = mcnemar(int((a & ~b).sum()), int((~a & b).sum()))
    if len(gaps) >= 3:
        return Difference(float(np.mean(gaps)), student(gaps), "seeds", p)
    return Difference(float(np.mean(gaps)), newcombe_paired(a, b), "images", p)


def student(values: Sequence[float]) -> tuple[float, float]:
    """95 % interval of a mean: ``m -+ t s / sqrt(n)`` with n - 1 degrees of freedom."""
    from scipy import special  # not stats, which takes a second to import

    n, mean = len(values), float(np.mean(values))
    half = float(special.stdtrit(n - 1, 0.975)) * float(np.std(values, ddof=1)) / math.sqrt(n)
    return mean - half, mean + half


def newcombe_paired(a: np.ndarray, b: np.ndarray) -> tuple[float, float]:
    """95 % interval of ``mean(a) - mean(b)`` for paired booleans (N,).

    ``d - sqrt(x1^2 - 2 phi x1 y2 + y2^2)`` to ``d + sqrt(y1^2 - 2 phi y1 x2 + x2^2)`` with the
    distances x, y of the two shares to their Wilson bounds and phi the correlation of the pairs,
    corrected for continuity (Newcombe 1998, method 10).
    """
    n = len(a)
    both, first = int((a & b).sum()), int((a & ~b).sum())
    second, neither = int((~a & b).sum()), int((~a & ~b).sum())
    p1, p2 = (both + first) / n, (both + second) / n
    (l1, u1), (l2, u2) = wilson(both + first, n), wilson(both + second, n)
    cross = float(both * neither - first * second)
    if cross > 0:
        cross = max(cross - n / 2, 0.0)
    margins = (both + first) * (second + neither) * (both + second) * (first + neither)
    phi = cross / math.sqrt(margins) if margins else 0.0
    low = math.sqrt((p1 - l1) ** 2 - 2 * phi * (p1 - l1) * (u2 - p2) + (u2 - p2) ** 2)
    high = math.sqrt((u1 - p1) ** 2 - 2 * phi * (u1 - p1) * (p2 - l2) + (p2 - l2) ** 2)
    return p1 - p2 - low, p1 - p2 + high


def mcnemar(first: int, second: int) -> float:
    """Two-sided exact p of McNemar's test: images that only the one or only the other has right.

    >>> round(mcnemar(8, 2), 6)
    0.109375
    """
    from scipy import special

    fewer, both = min(first, second), first + second
    return min(1.0, 2 * float(special.bdtr(fewer, both, 0.5)))
