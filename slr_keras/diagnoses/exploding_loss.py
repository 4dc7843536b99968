"""A loss far above that of a network which knows nothing.

``log K`` is the cross-entropy of equal probabilities. No method here lies above a few times that
once it learns (MART's factor and TRADES' beta included); a rate that is too high drives it up by
orders of magnitude, long before it becomes infinite.
"""

from __future__ import annotations

import dataclasses

from slr_keras.diagnoses._base import Diagnosis, Seen

TIMES = 30.0  # log K
STEPS = 20  # of an epoch, whose mean is then no accident


@dataclasses.dataclass(frozen=True)
class ExplodingLoss(Diagnosis):
    """The mean loss of an epoch, so far or at its end, is above ``30 log K``."""

    name = "exploding_loss"
    title = "loss explodes"
    by_epoch = 1

    def look(self, seen: Seen) -> str | None:
        """See the class; it may speak within an epoch, from its 20th step on."""
        running, last, limit = seen.running, seen.last, TIMES * seen.facts.uniform_loss
        if running is not None:
            loss, where = running.loss, f"epoch {running.epoch}, batch {running.batch}"
            if running.batch < STEPS:
                return None
        elif last is not None:
            loss, where = last.loss, f"epoch {last.epoch}"
        else:
            return None
        if loss is None or loss <= limit:
            return None
        cause = (
            seen.high_rate or "try a lower --optimizer.learning_rate, or --optimizer.clip_norm 1"
        )
        return (
            f"the loss is {loss:.3g} in {where}; equal probabilities have "
            f"{seen.facts.uniform_loss:.2f}: {cause}"
        )
