"""A radius out of the usual range for the norm and the size of the images.

The field's radii (RobustBench, Croce et al. 2021): L-infinity 8/255 on 32x32, 4/255 on 224x224, 0.3
on MNIST; L2 128/255 on 32x32x3, 3 on 224x224x3, 2 on MNIST; L1 12 on 32x32x3. L2 radii go with the
root of the number of values, L1 radii with the number.
"""

from __future__ import annotations

import dataclasses
import math

from slr_keras.config import RunConfig
from slr_keras.diagnoses._base import Diagnosis, Seen

CIFAR = 32 * 32 * 3
USUAL = {"linf": 8 / 255, "l2": 128 / 255, "l1": 12.0}  # on 32x32x3
POWER = {"linf": 0.0, "l2": 0.5, "l1": 1.0}  # of the number of values
HALF_A_LEVEL = 0.5 / 255
LEAST, MOST = 0.45, 12.0  # times the usual radius: MNIST's are nine times theirs
GREY = 0.5  # in L-infinity: the distance of every pixel from grey, at most
WORDS = {"linf": "L-infinity", "l2": "L2", "l1": "L1"}


@dataclasses.dataclass(frozen=True)
class Radius(Diagnosis):
    """``attack.eps`` is below 0.45 or above 12 times what the field uses for such images."""

    name = "radius"
    title = "unusual radius"
    by_epoch = 0

    def look(self, seen: Seen) -> str | None:
        """See the class; it speaks before the first epoch."""
        config, values = seen.config, seen.facts.values
        if not config.method.adversarial:
            return None
        attack, usual = config.attack, usual_radius(config.attack.norm, values)
        if 0 < attack.eps < LEAST * usual and attack.norm != "linf":
            return (
                f"attack.eps {attack.eps:.3g} in {WORDS[attack.norm]} is {usual / attack.eps:.2g} "
                f"times below the radius usual for such images, {usual:.2g}: the model learns to "
                f"resist next to nothing. Try --attack.eps {usual:.2g}, or --attack.norm linf"
            )
        if attack.norm == "linf" and 0 < attack.eps < HALF_A_LEVEL:
            return (
                f"attack.eps {attack.eps:.3g} in L-infinity is less than half a level of an image "
                "of 8 bits: the model learns to resist next to nothing. Try --attack.eps 8/255"
            )
        said = too_large(config, values)
        return f"{said[0].lower()}{said[1:]}" if said else None


def usual_radius(norm: str, values: int) -> float:
    """What the field uses for images of so many values."""
    return float(USUAL[norm] * math.pow(values / CIFAR, POWER[norm]))


def too_large(config: RunConfig, values: int) -> str:
    """A sentence on a radius at which the classes cannot be told apart; empty for others."""
    attack, usual = config.attack, usual_radius(config.attack.norm, values)
    if attack.norm == "linf" and attack.eps >= GREY:
        return (
            f"With attack.eps {attack.eps:.3g} in L-infinity every image can be made the same "
            "grey, so that nothing can be learned. Try --attack.eps 8/255"
        )
    if attack.eps > MOST * usual:
        return (
            f"Attack.eps {attack.eps:.3g} in {WORDS[attack.norm]} is {attack.eps / usual:.2g} "
            f"times the radius usual for such images, {usual:.2g}. Try --attack.eps {usual:.2g}, "
            "or --attack.warmup_epochs 5"
        )
    return ""
