"""What every learning-rate schedule keeps to."""

from __future__ import annotations

from typing import Any

import numpy as np

from slr_keras.backend import keras
from slr_keras.testing._base import array, need, one

EPOCHS, STEPS = 12, 5


def _rates(part: Any) -> np.ndarray:
    """The rate of every step of a run."""
    schedule = one(part)
    built = schedule.build(0.1, EPOCHS, STEPS)
    if isinstance(built, (int, float)):
        return np.full(EPOCHS * STEPS, float(built))
    kind = keras.optimizers.schedules.LearningRateSchedule
    need(isinstance(built, kind), f"build() gave neither a number nor a Keras schedule: {built!r}")
    return np.array([float(array(built(step))) for step in range(EPOCHS * STEPS)])


def rates_are_rates(part: Any) -> None:
    """Every step of a run has a finite rate, never below 0, and some are above."""
    rates = _rates(part)
    need(np.isfinite(rates).all() and (rates >= 0).all(), "a rate is NaN, infinite or below 0")
    need(rates.any(), "every rate is 0")


def drops_are_where_it_says(part: Any) -> None:
    """The rate falls at the first step of each epoch of ``drops``."""
    schedule = one(part)
    rates = _rates(part)
    for epoch in schedule.drops(EPOCHS):
        if 1 < epoch <= EPOCHS:
            first = (epoch - 1) * STEPS
            need(rates[first] < rates[first - 1], f"the rate does not drop at epoch {epoch}")


def is_written_and_read(part: Any) -> None:
    """A Keras schedule comes back from its configuration: models are saved with it."""
    built = one(part).build(0.1, EPOCHS, STEPS)
    if isinstance(built, (int, float)):
        return
    again = keras.optimizers.schedules.deserialize(keras.optimizers.schedules.serialize(built))
    need(float(array(again(7))) == float(array(built(7))), "read back it has another rate")


CHECKS = (rates_are_rates, drops_are_where_it_says, is_written_and_read)


def fingerprint(part: Any) -> np.ndarray:
    """The rate of every step."""
    return _rates(part)
