"""Catastrophic overfitting: robust accuracy falls to nothing while the training attack is resisted.

Wong et al. 2020 (arXiv 2001.03994), section 5.4; Andriushchenko and Flammarion 2020 (arXiv
2007.02617). It comes with attacks of a single step, within an epoch.
"""

from __future__ import annotations

from collections.abc import Sequence

from slr_keras.evaluation.intervals import newcombe, wilson
from slr_keras.protocol.events import CatastrophicOverfitting, EpochEnded

SHARE = 0.2


def detect(
    epochs: Sequence[EpochEnded], samples: int, chance: float = 0.0
) -> CatastrophicOverfitting | None:
    """Judge the last epoch by those before.

    With a the robust accuracy against the attack trained with, of the batches, and r that under
    PGD on training images, r* its best in an earlier epoch: it is told when r < r* / 5 and
    r < a / 5, both no chance by the 95 % interval of the difference. (At a half, a run that only
    wavers would be told: FGSM on Fashion-MNIST went 51, 25, 35, 44, 49 % in successive epochs.)

    Args:
        epochs: in order.
        samples: training images evaluated in each.
        chance: what guessing one class gets: who resisted no more than that had nothing to lose.
    """
    resisting = (e for e in epochs[:-1] if e.train_robust_accuracy is not None)
    before = [e for e in resisting if _above(e.train_robust_accuracy, chance, samples)]
    now = epochs[-1]
    resisted, robust = now.robust_accuracy, now.train_robust_accuracy
    if not before or resisted is None or robust is None:
        return None
    best = max(before, key=lambda e: e.train_robust_accuracy or 0.0)
    was = best.train_robust_accuracy or 0.0
    if not all(robust < SHARE * x and newcombe(x, robust, samples)[0] > 0 for x in (was, resisted)):
        return None
    message = (
        f"catastrophic overfitting in epoch {now.epoch}: {100 * resisted:.1f} % of the training "
        f"images resist the attack trained with, {100 * robust:.1f} % PGD, after {100 * was:.1f} % "
        f"in epoch {best.epoch}. Try attack.name n_fgsm, more steps or a smaller attack.eps"
    )
    return CatastrophicOverfitting(message, now.epoch, resisted, robust, best.epoch, was)


def _above(share: float | None, chance: float, samples: int) -> bool:
    return wilson((share or 0.0) * samples, samples)[0] > chance
