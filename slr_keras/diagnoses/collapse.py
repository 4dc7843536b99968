"""Collapse to chance: clean accuracy stays no better than guessing one class.

Adversarial training at a radius that hides the classes, or at a rate that throws the weights about,
settles at a constant output (Liu et al. 2020, "On the Loss Landscape of Adversarial Training",
section 5: with large radii the network stays where its gradients vanish).
"""

from __future__ import annotations

import dataclasses

from slr_keras.diagnoses import radius
from slr_keras.diagnoses._base import Diagnosis, Seen, percent

TIMES = 3  # evaluations in a row
STEPS = 30  # before which nobody expects anything


@dataclasses.dataclass(frozen=True)
class Collapse(Diagnosis):
    """Clean accuracy on training and validation images stays at chance (95 % interval).

    It speaks at the third evaluation in a row, or at the end of a shorter run, and after 30 steps.
    """

    name = "collapse"
    title = "nothing learned"
    by_epoch = TIMES

    def look(self, seen: Seen) -> str | None:
        """See the class."""
        recent = seen.evaluated[-TIMES:]
        if seen.running or not recent or not all(map(seen.facts.at_chance, recent)):
            return None
        if len(recent) < TIMES and not seen.over:
            return None
        now = recent[-1]
        if now.epoch * seen.facts.steps_per_epoch < STEPS:
            return None
        what = f"no better than chance, {percent(seen.facts.largest_class)}"
        if now.train_accuracy == now.train_robust_accuracy:
            what += ": the network says the same of every image"
        return (
            f"after epoch {now.epoch} clean accuracy is {percent(now.train_accuracy or 0)}, "
            f"{what}. {_cause(seen)}"
        )


def _cause(seen: Seen) -> str:
    """The likeliest, as the settings show it."""
    config, now = seen.config, seen.epochs[-1]
    chance = seen.facts.largest_class
    if config.ema.decay and (now.accuracy or 0) > 1.5 * chance:
        return (
            f"The weights themselves have learned ({percent(now.accuracy or 0)} in the batches): "
            f"their average, ema.decay {config.ema.decay:g}, has not left its start. Try "
            "--ema.warmup, or a smaller --ema.decay"
        )
    wide = radius.too_large(config, seen.facts.values)
    if config.method.adversarial and wide:
        return wide
    if seen.high_rate:
        return f"{seen.high_rate[0].upper()}{seen.high_rate[1:]}"
    if config.method.adversarial:
        return "Try --attack.warmup_epochs 5, a smaller --attack.eps, or a lower learning rate"
    return "Try another --optimizer.learning_rate"
