"""Whether the label bank finds the labels that are wrong, and whether the network does without."""

from __future__ import annotations

import dataclasses
from typing import Any

from slr_keras.analyses._base import Analysis, Probe

Array = Any


@dataclasses.dataclass(frozen=True)
class LabelQuality(Analysis):
    """Ranking training samples by how far the bank, or the network, is from the given label.

    The suspicion of a sample is ``1 - T_iy`` by the bank and ``1 - p(y | x_i)`` by the network on
    the clean image, which is cleanlab's default ranking (self-confidence: Northcutt et al. 2021,
    arXiv 1911.00068) from in-sample probabilities. Against the planted noise: the share of wrong
    labels among the k most suspected for k their number (precision@k), and the probability that a
    wrong one is suspected more than a right one (AUROC). Nothing without noise.
    """

    name = "label_quality"
    columns = {
        "precision": "precision@k, label bank",
        "auroc": "AUROC, label bank",
        "network_precision": "precision@k, network",
        "network_auroc": "AUROC, network",
    }

    def measure(self, probe: Probe) -> tuple[dict[str, float | None], dict[str, Array]]:
        """All in [0, 1]; arrays: the suspicions of each sample, and ``wrong``."""
        seen = probe.train
        scalars: dict[str, float | None] = dict.fromkeys(self.columns)
        if not seen.wrong.any() or seen.wrong.all():
            return scalars, {}
        arrays = {"wrong": seen.wrong}
        for before, p in (("", seen.soft), ("network_", seen.p)):
            if p is not None:
                suspicion = arrays[f"{before}suspicion"] = 1 - self_confidence(p, seen.label)
                scalars[f"{before}precision"] = precision_at_k(suspicion, seen.wrong)
                scalars[f"{before}auroc"] = auroc(suspicion, seen.wrong)
        return scalars, arrays


def self_confidence(p: Array, label: Array) -> Array:
    """The probability of the given label in each row of ``p`` (n, K).

    Example:
        >>> self_confidence([[0.75, 0.25], [0.5, 0.5]], [1, 0]).tolist()
        [0.25, 0.5]
    """
    import numpy as np

    return np.asarray(p)[np.arange(len(label)), label]


def precision_at_k(score: Array, positive: Array) -> float:
    """Share of positives among the k of largest score, k how many there are.

    Samples of equal score count by their mean.

    Example:
        >>> precision_at_k([0.9, 0.8, 0.1], [True, False, True])
        0.5
    """
    import numpy as np

    score, positive = np.asarray(score, float), np.asarray(positive, bool)
    k = int(positive.sum())
    least = np.sort(score)[-k]
    above, equal = score > least, score == least
    left = k - int(above.sum())
    return float((positive[above].sum() + left * positive[equal].mean()) / k)


def auroc(score: Array, positive: Array) -> float:
    """``P(s+ > s-) + P(s+ = s-) / 2``, from ranks (Mann and Whitney 1947)."""
    import numpy as np
    from scipy import stats

    positive = np.asarray(positive, bool)
    ranks, many = stats.rankdata(score), int(positive.sum())
    few = len(positive) - many
    return float((ranks[positive].sum() - many * (many + 1) / 2) / (many * few))
