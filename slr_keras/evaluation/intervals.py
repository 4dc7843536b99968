"""How sure an accuracy is that was measured on so many images; loads no framework."""

from __future__ import annotations

import math

Z95 = 1.959963984540054


def wilson(hits: float, count: int, z: float = Z95) -> tuple[float, float]:
    """95 % interval of a share (Wilson 1927): holds near 0 and 1, where the normal one fails.

    With ``p = hits / count``:
    ``(p + z^2 / 2n -+ z sqrt(p (1 - p) / n + z^2 / 4n^2)) / (1 + z^2 / n)``.

    Example:
        >>> [round(bound, 4) for bound in wilson(50, 100)]
        [0.4038, 0.5962]
    """
    share, weight = hits / count, z * z / count
    centre = (share + weight / 2) / (1 + weight)
    half = z / (1 + weight) * math.sqrt(share * (1 - share) / count + weight / count / 4)
    return max(0.0, centre - half), min(1.0, centre + half)


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
