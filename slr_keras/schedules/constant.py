"""No schedule."""

from __future__ import annotations

import dataclasses

from slr_keras.schedules._base import Schedule


@dataclasses.dataclass(frozen=True)
class Constant(Schedule):
    """The optimiser's learning rate throughout."""

    name = "constant"

    def build(self, learning_rate: float, epochs: int, steps_per_epoch: int) -> float:
        """The rate itself."""
        return learning_rate
