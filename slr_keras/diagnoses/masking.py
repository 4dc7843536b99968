"""Masked gradients: images that resist PGD fall to attacks of another kind.

Athalye et al. 2018 (arXiv 1802.00420): robustness to one gradient attack says little; a targeted
attack on another loss (APGD-T) and one without gradients (Square) find what it misses.
"""

from __future__ import annotations

import dataclasses

from slr_keras.diagnoses._base import Diagnosis, Seen, percent
from slr_keras.evaluation.intervals import wilson

GAP = 0.1


@dataclasses.dataclass(frozen=True)
class Masking(Diagnosis):
    """More than ten points of the images resist PGD alone (95 % interval)."""

    name = "masking"
    title = "masked gradients"
    by_epoch = 10

    def look(self, seen: Seen) -> str | None:
        """See the class; images are looked at every ``eval.masking_every`` epochs."""
        found = seen.resisted
        if found is None or seen.running:
            return None
        fallen = found.pgd - found.others
        if wilson(fallen, found.samples)[0] <= GAP:
            return None
        return (
            f"in epoch {found.epoch} {percent(found.pgd / found.samples)} of {found.samples} "
            f"validation images resist PGD, {percent(found.others / found.samples)} resist "
            f"{found.attacks} too: gradients are masked, and robust accuracy as shown here is not "
            "to be believed. Evaluate with --attacks autoattack; try more --attack.steps, or "
            "--attack.name n_fgsm in place of an attack of one step"
        )
