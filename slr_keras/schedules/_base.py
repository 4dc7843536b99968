"""The contract of a schedule."""

from __future__ import annotations

import dataclasses
from typing import Any, ClassVar

from slr_keras.settings.schema import Variant


@dataclasses.dataclass(frozen=True)
class Schedule(Variant):
    """Settings from which the learning rate of every step follows."""

    of_kind: ClassVar[str] = "schedules"
    gives: ClassVar[tuple[str, ...]] = ("build",)

    def build(self, learning_rate: float, epochs: int, steps_per_epoch: int) -> Any:
        """A number or a Keras ``LearningRateSchedule`` over optimiser steps (from 0)."""
        raise TypeError(f"{type(self).__name__} gives no build()")

    def drops(self, epochs: int) -> tuple[int, ...]:
        """Epochs at whose start the rate falls at once (marks on a chart)."""
        return ()
