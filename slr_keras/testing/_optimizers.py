"""What the settings of every optimiser keep to."""

from __future__ import annotations

from typing import Any

import numpy as np

from slr_keras.backend import keras
from slr_keras.testing._base import array, need, one, tensor

STEPS = 20


def _path(part: Any) -> np.ndarray:
    """What 20 steps on ``|w|^2 / 2`` make of w, a row each."""
    settings = one(part)
    optimizer = settings.build(1e-2)
    kind = keras.optimizers.Optimizer
    need(isinstance(optimizer, kind), f"build() gave no Keras optimiser, but {optimizer!r}")
    weight = keras.Variable(np.array([1.0, -2.0, 3.0], "float32"))
    optimizer.build([weight])
    rows = []
    for _ in range(STEPS):
        optimizer.apply([tensor(array(weight))], [weight])
        rows.append(array(weight).copy())
    return np.array(rows)


def goes_downhill(part: Any) -> None:
    """Steps on a bowl bring every weight nearer to its bottom, and none is NaN."""
    rows = _path(part)
    need(np.isfinite(rows).all(), "a weight became NaN or infinite")
    need((abs(rows[-1]) < [1, 2, 3]).all(), f"after {STEPS} steps on a bowl w is {rows[-1]}")


def is_written_and_read(part: Any) -> None:
    """Keras' configuration of it, written and read back, is the same: models are saved with it."""
    optimizer = one(part).build(1e-2)
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(optimizer))
    need(again.get_config() == optimizer.get_config(), "its configuration does not come back")


CHECKS = (goes_downhill, is_written_and_read)


def fingerprint(part: Any) -> np.ndarray:
    """The path downhill."""
    return _path(part)
