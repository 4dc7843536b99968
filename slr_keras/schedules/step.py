"""The paper's schedule: drops at fixed epochs."""

from __future__ import annotations

import dataclasses
from typing import Any

from slr_keras.backend import keras
from slr_keras.schedules._base import Schedule
from slr_keras.settings.schema import setting


@dataclasses.dataclass(frozen=True)
class Step(Schedule):
    """``lr * factor^k`` after k milestones; a drop acts when its epoch begins.

    Milestones of at least 1 are epochs counted from 1 (the paper: 100 and 150 of 200);
    smaller ones are shares of the run (0.5: from the first epoch of the second half on).
    """

    name = "step"

    milestones: tuple[float, ...] = setting(
        (0.5, 0.75),
        label="Epochs at which it drops",
        help="epochs at whose start the rate drops, counted from 1, or shares of the run below 1",
        above=0,
    )
    factor: float = setting(
        0.1, label="Factor of a drop", help="multiplier at each milestone", above=0, at_most=1
    )

    def drops(self, epochs: int) -> tuple[int, ...]:
        """The milestones as epochs, counted from 1."""
        return tuple(sorted(_first_epoch(milestone, epochs) for milestone in self.milestones))

    def build(self, learning_rate: float, epochs: int, steps_per_epoch: int) -> Any:
        """Piecewise constant over optimiser steps."""
        drops = [epoch for epoch in self.drops(epochs) if epoch > 1]
        early = len(self.milestones) - len(drops)
        rates = [learning_rate * self.factor ** (early + k) for k in range(len(drops) + 1)]
        if not drops:
            return rates[0]
        last_steps = [(epoch - 1) * steps_per_epoch - 1 for epoch in drops]
        return keras.optimizers.schedules.PiecewiseConstantDecay(last_steps, rates)


def _first_epoch(milestone: float, epochs: int) -> int:
    """The epoch that a milestone names; 0.29 of 100 is 30, whatever 0.29 * 100 rounds to.

    A share is never the first epoch: a run too short for it would start with the lowered rate.
    """
    if milestone >= 1:
        return round(milestone)
    return max(2, int(round(milestone * epochs, 9)) + 1)
