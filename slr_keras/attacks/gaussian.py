"""Gaussian noise in place of an attack: Cohen et al. 2019 (arXiv 1902.02918), section 3.3."""

from __future__ import annotations

import dataclasses
import math
from typing import Any, ClassVar

from slr_keras.attacks._base import Attack
from slr_keras.attacks._objective import Objective
from slr_keras.backend import ops, random
from slr_keras.errors import SettingError
from slr_keras.settings.schema import PIXELS, setting

Tensor = Any


@dataclasses.dataclass(frozen=True)
class Gaussian(Attack):
    """Noise of every pixel, not clipped: what trains a network for randomised smoothing.

    ``x' = x + sigma N(0, I)``, also outside of [0, 1]. With method ``at`` this is the training of
    Cohen et al., with ``trades`` the stability training of Li et al. 2019 (arXiv 1809.03113). The
    noise knows no radius: ``norm`` and ``eps`` are the ball in which PGD attacks such a run while
    it is validated and tested. For training alone; as an evaluation it is refused.

    Example:
        >>> Gaussian(sigma=0.5).replace(eps=0.5).sigma
        0.5
    """

    name = "gaussian"
    ascends = False
    training_only = True
    steps: ClassVar[int] = 0  # gradients that it takes

    norm: str = setting(
        "l2", help="norm of the ball in which the run is evaluated", choices=("linf", "l2", "l1")
    )
    eps: float = setting(
        64 / 255,
        label="Epsilon",
        help="radius of the ball in which the run is evaluated; the noise has none",
        unit=PIXELS,
        at_least=0,
    )
    sigma: float = setting(
        0.25,
        label="Sigma",
        help="standard deviation of the noise; certify with the same",
        unit="pixels in [0, 1]",
        above=0,
    )

    def validate(self) -> None:
        """Noise has no target, and no radius that could grow."""
        super().validate()
        if self.targeted:
            raise SettingError("targeted", "gaussian is noise and has no targets, set false")
        if self.warmup_epochs:
            raise SettingError("warmup_epochs", "gaussian has no radius that grows: leave it out")

    @property
    def reach(self) -> float:
        """Without bound."""
        return math.inf

    def start(self, x: Tensor, seed: Any) -> Tensor:
        """The image with noise."""
        return x + self.sigma * random.normal(ops.shape(x), seed=seed)

    def perturb(self, objective: Objective, x: Tensor, start: Tensor) -> Tensor:
        """Nothing more: the start."""
        return start

    def run(self, objective: Objective, x: Tensor, seed: Any) -> Tensor:
        """The image with noise; the network is not asked."""
        return self.start(x, seed)
