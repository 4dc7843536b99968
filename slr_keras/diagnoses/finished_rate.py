"""A learning rate that is finished long before the last epoch.

Below a thousandth of the first rate the weights of a run hardly move; what follows costs time only.
"""

from __future__ import annotations

import dataclasses

from slr_keras.diagnoses._base import Diagnosis, Seen, percent

FINISHED = 1.01e-3  # of the first rate
LEFT = 0.25  # of the run


@dataclasses.dataclass(frozen=True)
class FinishedRate(Diagnosis):
    """The rate is at most a thousandth of the first while a quarter of the run is to come."""

    name = "finished_rate"
    title = "learning rate finished"
    by_epoch = 1

    def look(self, seen: Seen) -> str | None:
        """See the class."""
        last, epochs = seen.last, seen.config.train.epochs
        if last is None or seen.running:
            return None
        first, left = seen.config.optimizer.learning_rate, 1 - last.epoch / epochs
        if last.learning_rate > FINISHED * first or left < LEFT:
            return None
        return (
            f"in epoch {last.epoch} of {epochs} the learning rate is {last.learning_rate:.2g}, "
            f"{first:g} at the start: the weights hardly move in the {percent(left)} of the run to "
            "come. Try later --schedule.milestones, or fewer --train.epochs"
        )
