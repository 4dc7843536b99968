"""N-FGSM, "Make some noise": de Jorge et al. 2022 (arXiv 2202.01181), equation 7."""

from __future__ import annotations

import dataclasses
from typing import Any

from slr_keras import backend
from slr_keras.attacks._objective import Objective
from slr_keras.attacks.fgsm import FGSM
from slr_keras.backend import ops
from slr_keras.errors import SettingError
from slr_keras.settings.schema import setting

Tensor = Any


@dataclasses.dataclass(frozen=True)
class NFGSM(FGSM):
    """One step from an image with strong noise, not projected: for training alone.

    ``x' = clip_[0,1](x + u + eps sign(grad f(x + u)))``, u uniform in [-k eps, k eps]. It leaves
    the ball on purpose, by up to k radii: that keeps training with a single step from overfitting
    catastrophically. L-infinity only; as an evaluation it is refused.

    Example:
        >>> round(255 * NFGSM(eps=8/255).reach)
        24
    """

    name = "n_fgsm"
    ascends = False
    training_only = True

    noise: float = setting(2.0, help="k: noise of the start, in radii", at_least=0)

    def validate(self) -> None:
        """Noise and step are those of L-infinity."""
        if self.norm != "linf":
            raise SettingError("norm", f"n_fgsm is defined for linf, received {self.norm}")
        super().validate()

    @property
    def reach(self) -> float:
        """``(k + 1) eps``."""
        return (self.noise + 1) * self.eps

    def step(self, objective: Objective, x: Tensor, candidate: Tensor) -> Tensor:
        """One step of length eps from ``candidate``, clipped to [0, 1] alone."""
        gradient = backend.input_gradient(objective, candidate)
        return ops.clip(candidate + self.eps * self.ball.steepest(gradient), 0.0, 1.0)

    def start(self, x: Tensor, seed: Any) -> Tensor:
        """The image with noise."""
        return x + self.ball.sample(ops.shape(x), self.noise * self.eps, seed)
