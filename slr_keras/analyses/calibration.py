"""Whether the network is as often right as it says: Guo et al. 2017 (arXiv 1706.04599)."""

from __future__ import annotations

import dataclasses
from typing import Any

from slr_keras.analyses._base import Analysis, Probe

Array = Any


@dataclasses.dataclass(frozen=True)
class Calibration(Analysis):
    """On validation images, clean and attacked: ECE, adaptive ECE, Brier score, NLL.

    ECE over 15 bins of equal width, adaptive ECE over 15 bins of equal number (Nguyen and O'Connor
    2015), Brier ``mean sum_k (p_k - y_k)^2``, NLL in nats. The yardstick is temperature scaling: a
    temperature that minimises the NLL of every second image, the ECE of the others with it.
    """

    name = "calibration"
    columns = {
        "ece": "ECE, clean",
        "ece_attacked": "ECE, attacked",
        "ece_scaled": "ECE after scaling, clean",
        "ece_scaled_attacked": "ECE after scaling, attacked",
        "adaptive_ece": "adaptive ECE, clean",
        "adaptive_ece_attacked": "adaptive ECE, attacked",
        "brier": "Brier, clean",
        "brier_attacked": "Brier, attacked",
        "nll": "NLL, clean",
        "nll_attacked": "NLL, attacked",
    }

    def measure(self, probe: Probe) -> tuple[dict[str, float | None], dict[str, Array]]:
        """All ten; no arrays."""
        seen, scalars = probe.val, dict[str, float | None]()
        for suffix, p in (("", seen.p), ("_attacked", seen.p_attacked)):
            scalars[f"ece_scaled{suffix}"] = ece_after_scaling(p, seen.true)
            scalars[f"ece{suffix}"] = ece(p, seen.true)
            scalars[f"adaptive_ece{suffix}"] = adaptive_ece(p, seen.true)
            scalars[f"brier{suffix}"] = brier(p, seen.true)
            scalars[f"nll{suffix}"] = nll(p, seen.true)
        return {name: scalars[name] for name in self.columns}, {}


def ece(p: Array, y: Array, bins: int = 15) -> float:
    """``sum_m |B_m| / n |acc(B_m) - conf(B_m)|``, see :func:`._reliability.calibrate`."""
    from slr_keras.analyses._reliability import calibrate

    return calibrate(p, y, bins).ece


def ece_after_scaling(p: Array, y: Array) -> float:
    """ECE of every second image after a temperature was fitted to the others."""
    tau = temperature(p[::2], y[::2])
    return ece(scaled(p[1::2], tau), y[1::2])


def temperature(p: Array, y: Array) -> float:
    """The tau in [0.05, 20] whose ``softmax(log p / tau)`` has the least NLL (Guo et al. 2017)."""
    import numpy as np
    from scipy import optimize

    found = optimize.minimize_scalar(
        lambda log_tau: nll(scaled(p, np.exp(log_tau)), y),
        bounds=(np.log(0.05), np.log(20)),
        method="bounded",
    )
    return float(np.exp(found.x))


def scaled(p: Array, tau: float) -> Array:
    """``softmax(log p / tau)``, rows."""
    import numpy as np

    from slr_keras.analyses._base import softmax

    return softmax(np.log(np.maximum(p, np.finfo(float).tiny)) / tau)


def adaptive_ece(p: Array, y: Array, bins: int = 15) -> float:
    """The same over bins that hold as many images each."""
    import numpy as np

    confidence, right = np.max(p, axis=1), np.argmax(p, axis=1) == y
    parts = np.array_split(np.argsort(confidence, kind="stable"), bins)
    return float(sum(abs((right[i] - confidence[i]).sum()) for i in parts) / len(confidence))


def brier(p: Array, y: Array) -> float:
    """``mean sum_k (p_k - y_k)^2``, between 0 and 2."""
    import numpy as np

    return float(((np.asarray(p) - np.eye(np.shape(p)[1])[y]) ** 2).sum(axis=1).mean())


def nll(p: Array, y: Array) -> float:
    """``-mean log p_y`` in nats."""
    import numpy as np

    own = np.asarray(p)[np.arange(len(y)), y]
    return float(-np.log(np.maximum(own, np.finfo(float).tiny)).mean())
