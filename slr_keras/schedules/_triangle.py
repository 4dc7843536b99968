"""The Keras schedule behind ``cyclic``."""

from __future__ import annotations

from typing import Any

from slr_keras.backend import keras, ops


@keras.saving.register_keras_serializable("slr_keras")
class Triangle(keras.optimizers.schedules.LearningRateSchedule):
    """``top * min((t + 1) / peak, (total - t) / (total - peak))``, never below 0."""

    def __init__(self, top: float, peak: float, total: float):
        self.top, self.peak, self.total = top, peak, total

    def __call__(self, step: Any) -> Any:
        """The rate of an optimiser step, counted from 0."""
        t = ops.cast(step, "float32")
        rise, fall = (t + 1) / self.peak, (self.total - t) / (self.total - self.peak)
        return self.top * ops.clip(ops.minimum(rise, fall), 0.0, 1.0)

    def get_config(self) -> dict[str, float]:
        """What rebuilds the schedule."""
        return {"top": self.top, "peak": self.peak, "total": self.total}
