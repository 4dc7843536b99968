"""Whether a finished run shows robust overfitting, from the tests at its end."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from slr_keras.evaluation.intervals import newcombe
from slr_keras.protocol.events import EpochEnded

SEEN, NOT_SEEN, DIVERGED = "seen", "not seen", "diverged"


@dataclasses.dataclass(frozen=True)
class Verdict:
    """``drop`` is robust test accuracy of the best less that of the final epoch.

    Attributes:
        word: ``seen`` (the drop's 95 % interval is above 0), ``diverged`` (so it is, and robust
            accuracy fell on training images as well), ``not seen``.
        training: robust accuracy on training images at the best and at the last evaluation.
    """

    word: str
    drop: float
    interval: tuple[float, float]
    training: tuple[float, float] | None


def judge(
    best: float, final: float, samples: int, best_epoch: int, epochs: Sequence[EpochEnded]
) -> Verdict:
    """Compare the robust accuracies of the best and the final epoch on the same test images."""
    interval = newcombe(best, final, samples)
    training = _training(best_epoch, epochs)
    if interval[0] <= 0:
        return Verdict(NOT_SEEN, best - final, interval, training)
    fell = training is not None and training[1] < training[0]
    return Verdict(DIVERGED if fell else SEEN, best - final, interval, training)


def _training(best_epoch: int, epochs: Sequence[EpochEnded]) -> tuple[float, float] | None:
    known = [(e.epoch, v) for e in epochs if (v := e.train_robust_accuracy) is not None]
    then = [value for epoch, value in known if epoch == best_epoch]
    return (then[-1], known[-1][1]) if then else None
