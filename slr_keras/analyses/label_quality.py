"""Whether the label bank finds the labels that are wrong."""

from __future__ import annotations

import dataclasses
from typing import Any

from slr_keras.analyses._base import Analysis, Probe

Array = Any


@dataclasses.dataclass(frozen=True)
class LabelQuality(Analysis):
    """Ranking training samples by how far the bank has moved from the given label.

    The suspicion of a sample is ``1 - T_iy``. Against the planted noise: the share of wrong labels
    among the k most suspected for k their number (precision@k), and the probability that a wrong
    one is suspected more than a right one (AUROC). Nothing without a bank or without noise.
    """

    name = "label_quality"
    columns = {"precision": "precision@k", "auroc": "AUROC"}

    def measure(self, probe: Probe) -> tuple[dict[str, float | None], dict[str, Array]]:
        """Both in [0, 1]; arrays: the suspicion of each sample, and ``wrong``."""
        import numpy as np

        seen = probe.train
        if seen.soft is None or not seen.wrong.any() or seen.wrong.all():
            return dict.fromkeys(self.columns), {}
        suspicion = 1 - np.asarray(seen.soft)[np.arange(len(seen.label)), seen.label]
        scalars: dict[str, float | None] = {
            "precision": precision_at_k(suspicion, seen.wrong),
            "auroc": auroc(suspicion, seen.wrong),
        }
        return scalars, {"suspicion": suspicion, "wrong": seen.wrong}


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
