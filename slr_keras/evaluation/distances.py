"""How far the nearest adversarial images are: median, optimality, accuracy against the radius."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import numpy as np

from slr_keras.evaluation.judge import within

DIGITS = 6  # significant ones that are kept of a distance


@dataclasses.dataclass(frozen=True)
class Distances:
    """What an attack that looks for the nearest adversarial image says of a model.

    Attributes:
        norm: that the distances are measured in; pixels in [0, 1].
        images: those classified correctly as they are; the others are at distance 0.
        found: those of them for which there is an adversarial image at any distance.
        median: over ``images``; None where it was not found for half of them.
        interval: a 95 % interval of the median, None where it has no end.
        optimality: see :func:`optimality`; None where no other attack looked.
        values: of all images in their order; None where none was found.
    """

    norm: str
    images: int
    found: int
    median: float | None
    interval: tuple[float | None, float | None]
    values: list[float | None]
    optimality: float | None = None


def summary(values: np.ndarray, clean: np.ndarray, norm: str) -> Distances:
    """Of distances (N,), infinite where nothing was found, and which images are right (N,)."""
    among = np.sort(values[clean])
    low, high = median_interval(among)
    middle = rounded(np.median(among)) if len(among) else None
    kept = [rounded(value) for value in values]
    found = int(np.isfinite(among).sum())
    return Distances(norm, len(among), found, middle, (rounded(low), rounded(high)), kept)


def rounded(value: float) -> float | None:
    """With six significant digits; None where it is not finite."""
    return float(f"{value:.{DIGITS}g}") if np.isfinite(value) else None


def median_interval(ascending: np.ndarray) -> tuple[float, float]:
    """A 95 % interval of the median: two order statistics, whatever the distribution.

    The number of values below the median is binomial with n and 1/2, so that the l-th smallest and
    the l-th largest enclose it with a probability of at least 95 %, where l is the largest rank
    with ``P(B < l) <= 2.5 %``. Of fewer than six values there are no such ranks.

    Example:
        >>> [float(bound) for bound in median_interval(np.arange(1.0, 101.0))]
        [40.0, 61.0]
    """
    from scipy.stats import binom

    count = len(ascending)
    rank = int(binom.ppf(0.025, count, 0.5)) if count else 0
    if not rank:
        return (0.0, np.inf)
    return float(ascending[rank - 1]), float(ascending[count - rank])


def accuracy_at(values: np.ndarray, clean: np.ndarray, radius: float) -> np.ndarray:
    """(N,) bool: right, and no adversarial image within the radius."""
    return np.asarray(clean & ~within(values, radius))


def optimality(distances: Mapping[str, np.ndarray]) -> dict[str, float]:
    """How near each attack comes to the best of all, on the same images.

    With ``rho_a(eps)`` the accuracy left by attack a, ``rho*`` that left by the nearest of all
    their images, and ``eps0`` the radius at which the latter is 0:
    ``(rho(0) eps0 - area of rho_a) / (rho(0) eps0 - area of rho*)``, areas up to ``eps0``. An
    attack that is always the nearest has 1, one that finds nothing 0. Where an image resists all,
    ``eps0`` is the largest distance that was found.

    Source: AttackBench, Cinà et al. 2024 (arXiv 2404.19460), section 3.

    Args:
        distances: (N,) of each attack in one norm; 0 where the clean image is wrong.

    Example:
        >>> near, far = np.array([0.0, 1.0, 2.0]), np.array([0.0, 1.5, 3.0])
        >>> optimality({"near": near, "far": far})
        {'near': 1.0, 'far': 0.5}
    """
    best = np.minimum.reduce(list(distances.values()))
    end = best[np.isfinite(best)].max(initial=0.0)
    whole = end * float((best > 0).mean())
    room = whole - _area(best, end)
    if room <= 0:
        return dict.fromkeys(distances, 1.0)
    gained = {name: whole - _area(values, end) for name, values in distances.items()}
    return {name: round(float(gain / room), 4) for name, gain in gained.items()}


def _area(values: np.ndarray, end: float) -> float:
    """Of the accuracy against the radius, from 0 to ``end``: the mean of the clipped distances."""
    return float(np.minimum(values, end).mean())
