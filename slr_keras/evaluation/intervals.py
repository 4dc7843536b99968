"""How sure an accuracy is that was measured on so many images; loads no framework."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import ArrayLike

Z95 = 1.959963984540054


def wilson_bounds(share: ArrayLike, count: int, z: float = Z95) -> tuple[np.ndarray, np.ndarray]:
    """The Wilson score interval of shares, each of ``count`` independent trials (Wilson 1927).

    With ``p`` the share, ``n`` the count and ``z`` the normal quantile (95 % by default)::

        (p + z^2 / 2n  -+  z sqrt(p (1 - p) / n + z^2 / 4n^2)) / (1 + z^2 / n)

    It stays inside [0, 1] and keeps its width at 0 and 1, where the textbook interval collapses.

    Args:
        share: shares in [0, 1]; NaN stays NaN.
        count: how many images each share was measured on, at least 1.
        z: how many standard deviations to either side.

    Returns:
        Lower and upper bounds, shaped like ``share``.
    """
    import numpy as np  # not by those who ask for help alone

    p, weight = np.asarray(share, float), z * z / max(1, count)
    centre = (p + weight / 2) / (1 + weight)
    half = z / (1 + weight) * np.sqrt(p * (1 - p) / max(1, count) + weight / max(1, count) / 4)
    return np.clip(centre - half, 0, 1), np.clip(centre + half, 0, 1)


def wilson(hits: float, count: int, z: float = Z95) -> tuple[float, float]:
    """The interval of one share: :func:`wilson_bounds` of ``hits / count``.

    Example:
        >>> [round(bound, 4) for bound in wilson(50, 100)]
        [0.4038, 0.5962]
    """
    low, high = wilson_bounds(hits / count, count, z)
    return float(low), float(high)


def deviation(share: ArrayLike, count: int) -> np.ndarray:
    """One standard deviation of sampling noise: half the 95 % interval over its quantile."""
    low, high = wilson_bounds(share, count)
    return (high - low) / (2 * Z95)


def newcombe(first: float, second: float, count: int) -> tuple[float, float]:
    """95 % interval of ``first - second``, two shares of ``count`` images each.

    Newcombe 1998 (Statistics in Medicine 17), method 10, from the Wilson intervals
    ``[l1, u1]`` and ``[l2, u2]``: ``d - sqrt((p1 - l1)^2 + (u2 - p2)^2)`` to
    ``d + sqrt((u1 - p1)^2 + (p2 - l2)^2)``. It takes the two as independent; two epochs of one
    run are tested on the same images, for which it is rather too wide than too narrow.

    Example:
        >>> [round(bound, 4) for bound in newcombe(0.7, 0.6, 100)]
        [-0.0317, 0.2273]
    """
    (low1, high1), (low2, high2) = (wilson(p * count, count) for p in (first, second))
    difference = first - second
    return (
        difference - math.hypot(first - low1, high2 - second),
        difference + math.hypot(high1 - first, second - low2),
    )


def percent(share: float) -> str:
    """``0.196`` as ``19.6 %``."""
    return f"{100 * share:.1f} %"
