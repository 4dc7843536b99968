"""Robust overfitting: Rice et al. 2020, "Overfitting in adversarially robust deep learning".

Robust accuracy on validation images falls while on training images it rises, beyond chance, as
:mod:`slr_keras.analysis.onset` judges it.
"""

from __future__ import annotations

import dataclasses

from slr_keras.diagnoses._base import Diagnosis, Seen


@dataclasses.dataclass(frozen=True)
class RobustOverfitting(Diagnosis):
    """Where :func:`slr_keras.analysis.onset.detect` says that it has begun."""

    name = "robust_overfitting"
    title = "robust overfitting"
    by_epoch = 30

    def look(self, seen: Seen) -> str | None:
        """See the module."""
        from slr_keras.analysis import onset  # loads NumPy, and settings are listed without it

        epochs = [e for e in seen.evaluated if e.val_robust_accuracy is not None]
        if seen.running or len(epochs) < onset.FEWEST:
            return None
        found = onset.detect(
            [e.epoch for e in epochs],
            [_number(e.val_robust_accuracy) for e in epochs],
            [_number(e.train_robust_accuracy) for e in epochs],
            seen.facts.val_samples,
        )
        if found.state != onset.SINCE:
            return None
        text = onset.headline(found).rstrip(".")
        helps = "" if seen.config.scheme.refines else "--method.name slr, "
        return f"{text[0].lower()}{text[1:]}. Try {helps}--train.patience, or --weights.awp 0.01"


def _number(share: float | None) -> float:
    return float("nan") if share is None else share
