"""One triangular cycle: "Fast is better than free", Wong et al. 2020 (arXiv 2001.03994)."""

from __future__ import annotations

import dataclasses
from typing import Any

from slr_keras.schedules._base import Schedule
from slr_keras.settings.schema import setting


@dataclasses.dataclass(frozen=True)
class Cyclic(Schedule):
    """Linear from 0 to the rate at ``peak`` of the run, then linear back to 0."""

    name = "cyclic"

    peak: float = setting(
        0.4,
        label="Share before the peak",
        help="share of the run at which the rate peaks",
        above=0,
        below=1,
    )

    def build(self, learning_rate: float, epochs: int, steps_per_epoch: int) -> Any:
        """A Keras schedule over the steps of the run."""
        from slr_keras.schedules._triangle import Triangle

        total = epochs * steps_per_epoch
        return Triangle(learning_rate, self.peak * total, float(total))
