"""Cosine annealing: Loshchilov & Hutter 2017 (arXiv 1608.03983), equation 5."""

from __future__ import annotations

import dataclasses
from typing import Any

from slr_keras.backend import keras
from slr_keras.schedules._base import Schedule
from slr_keras.settings.schema import setting


@dataclasses.dataclass(frozen=True)
class Cosine(Schedule):
    """``lr * (f + (1 - f) (1 + cos(pi t / T)) / 2)`` over all steps, after a linear warm-up."""

    name = "cosine"

    final: float = setting(
        0.0,
        label="Share left at the end",
        help="f: share of the rate left at the end",
        at_least=0,
        at_most=1,
    )
    warmup: int = setting(
        0, label="Warm-up", help="epochs of linear warm-up from 0", unit="epochs", at_least=0
    )

    def build(self, learning_rate: float, epochs: int, steps_per_epoch: int) -> Any:
        """Keras' ``CosineDecay`` over the steps of the run."""
        warm = self.warmup * steps_per_epoch
        start = {} if not warm else {"warmup_target": learning_rate, "warmup_steps": warm}
        return keras.optimizers.schedules.CosineDecay(
            0.0 if warm else learning_rate,
            decay_steps=max(1, epochs * steps_per_epoch - warm),
            alpha=self.final,
            **start,
        )
