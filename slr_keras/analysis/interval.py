"""How sure an accuracy is that was measured on few images."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

Z95 = 1.959963984540054


def wilson(share: ArrayLike, samples: int, z: float = Z95) -> tuple[np.ndarray, np.ndarray]:
    """The Wilson score interval of a share among ``samples`` independent trials.

    With ``p`` the share, ``n`` the samples and ``z`` the normal quantile (95 % by default)::

        (p + z^2 / 2n  -+  z sqrt(p (1 - p) / n + z^2 / 4n^2)) / (1 + z^2 / n)

    It stays inside [0, 1] and keeps its width at 0 and 1, where the textbook interval collapses.

    Args:
        share: shares in [0, 1]; NaN stays NaN.
        samples: how many images each share was measured on, at least 1.
        z: how many standard deviations to either side.

    Returns:
        Lower and upper bounds, shaped like ``share``.

    Example:
        >>> [round(float(bound), 4) for bound in wilson(0.5, 100)]
        [0.4038, 0.5962]
    """
    p = np.asarray(share, float)
    n = float(max(1, samples))
    centre = p + z * z / (2 * n)
    spread = z * np.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    scale = 1 + z * z / n
    return np.clip((centre - spread) / scale, 0, 1), np.clip((centre + spread) / scale, 0, 1)


def noise(share: ArrayLike, samples: int) -> np.ndarray:
    """One standard deviation of sampling noise: half the 95 % interval over its quantile."""
    low, high = wilson(share, samples)
    return (high - low) / (2 * Z95)
