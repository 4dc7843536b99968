"""Fast gradient sign method: Goodfellow et al. 2015 (arXiv 1412.6572), section 4."""

from __future__ import annotations

import dataclasses
from typing import Any

from slr_keras import backend
from slr_keras.attacks._base import Attack
from slr_keras.attacks._objective import Objective

Tensor = Any


@dataclasses.dataclass(frozen=True)
class FGSM(Attack):
    """One step of full length from the image: ``x' = clip_[0,1](x + eps * s(grad))``.

    ``s = sign`` for L-infinity, ``s(g) = g / ||g||`` for L2.

    Example:
        >>> FGSM(eps=8/255).norm
        'linf'
    """

    name = "fgsm"

    def perturb(self, objective: Objective, x: Tensor, start: Tensor) -> Tensor:
        """The step from ``start``."""
        return self.step(objective, x, start)

    def step(self, objective: Objective, x: Tensor, candidate: Tensor) -> Tensor:
        """One step of full length from ``candidate``, kept inside the ball around ``x``."""
        gradient = backend.input_gradient(objective, candidate)
        return self.inside(x, candidate + self.eps * self.ball.steepest(gradient))

    def start(self, x: Tensor, seed: Any) -> Tensor:
        """The image itself: FGSM has no random start."""
        return x

    def run(self, objective: Objective, x: Tensor, seed: Any) -> Tensor:
        """:meth:`perturb` from :meth:`start`."""
        return self.perturb(objective, x, self.start(x, seed))
