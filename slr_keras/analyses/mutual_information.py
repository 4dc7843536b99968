"""How much predictions say of labels, in nats."""

from __future__ import annotations

import dataclasses
from typing import Any

from slr_keras.analyses._base import Analysis, Probe

Array = Any


@dataclasses.dataclass(frozen=True)
class MutualInformation(Analysis):
    """Between true and predicted class on validation images, and the entropy of predictions.

    ``I = H(Y) + H(Y') - H(Y, Y')``, plug-in over the classes with Miller and Madow's correction of
    each entropy, ``(m - 1) / 2n`` for m classes seen (1955); and the mean over images of
    ``-sum_k p_k log p_k``.
    """

    name = "mutual_information"
    columns = {
        "information": "I(label; predicted), clean",
        "information_attacked": "I(label; predicted), attacked",
        "entropy": "entropy of predictions, clean",
        "entropy_attacked": "entropy of predictions, attacked",
    }

    def measure(self, probe: Probe) -> tuple[dict[str, float | None], dict[str, Array]]:
        """In nats; arrays: how often each class was called each, clean and attacked."""
        seen = probe.val
        scalars: dict[str, float | None] = {}
        arrays = {}
        for suffix, p in (("", seen.p), ("_attacked", seen.p_attacked)):
            counts = joint(seen.true, p.argmax(axis=1), p.shape[1])
            scalars[f"information{suffix}"] = information(counts)
            scalars[f"entropy{suffix}"] = mean_entropy(p)
            arrays[f"counts{suffix}"] = counts
        return {name: scalars[name] for name in self.columns}, arrays


def joint(true: Array, predicted: Array, classes: int) -> Array:
    """How often class i was called class j, (K, K)."""
    import numpy as np

    return np.bincount(true * classes + predicted, minlength=classes**2).reshape(classes, classes)


def information(counts: Array) -> float:
    """``H(Y) + H(Y') - H(Y, Y')`` in nats from a table of counts, each entropy corrected."""
    import numpy as np

    counts = np.asarray(counts)
    return _entropy(counts.sum(axis=0)) + _entropy(counts.sum(axis=1)) - _entropy(counts)


def _entropy(counts: Array) -> float:
    import numpy as np

    n = counts.sum()
    p = counts[counts > 0] / n
    return float(-(p * np.log(p)).sum() + (len(p) - 1) / (2 * n))


def mean_entropy(p: Array) -> float:
    """``mean -sum_k p_k log p_k`` in nats."""
    import numpy as np

    p = np.asarray(p)
    return float(-(p * np.log(np.where(p > 0, p, 1))).sum(axis=1).mean())
