"""An average of the weights that cannot leave its start before the run ends.

After n steps ``d^n`` of the average is still what it began with (with warm-up the product of
``min(d, (1 + t) / (10 + t))``, which is nothing after a few dozen steps).
"""

from __future__ import annotations

import dataclasses
import math

from slr_keras.diagnoses._base import Diagnosis, Seen, percent

LEFT = 0.1  # share of the start that is too much


@dataclasses.dataclass(frozen=True)
class AverageAtStart(Diagnosis):
    """At the end of the run more than a tenth of the average is still its first step."""

    name = "average_at_start"
    title = "average at its start"
    by_epoch = 0

    def look(self, seen: Seen) -> str | None:
        """See the class; it speaks before the first epoch."""
        ema, epochs = seen.config.ema, seen.config.train.epochs
        steps = (epochs - ema.start_epoch + 1) * seen.facts.steps_per_epoch
        if not ema.decay or steps < 1:
            return None
        left = left_of_start(ema.decay, steps, ema.warmup)
        if left <= LEFT:
            return None
        fits = 1 - 3 / steps if steps > 6 else 0.5
        return (
            f"ema.decay {ema.decay:g} over {steps} steps leaves {percent(left)} of the average at "
            f"its first step (epoch {ema.start_epoch}), and the average is what is evaluated and "
            f"saved. Try --ema.warmup, or --ema.decay {fits:.3g}"
        )


def left_of_start(decay: float, steps: int, warmup: bool) -> float:
    """The share of the first step in the average after so many more."""
    if not warmup:
        return float(decay ** (steps - 1))
    logs = (math.log(min(decay, (1 + t) / (10 + t))) for t in range(1, min(steps, 100_000)))
    return math.exp(sum(logs))
