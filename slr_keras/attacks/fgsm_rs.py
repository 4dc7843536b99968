"""FGSM with a random start: Wong et al. 2020 (arXiv 2001.03994), algorithm 3."""

from __future__ import annotations

import dataclasses
from typing import Any

from slr_keras import backend
from slr_keras.attacks._objective import Objective
from slr_keras.attacks.fgsm import FGSM
from slr_keras.settings.schema import setting

Tensor = Any


@dataclasses.dataclass(frozen=True)
class FGSMRS(FGSM):
    """One long step from a uniform point of the ball, projected: training five times cheaper.

    ``x' = clip_[0,1](x + P_eps(u + length eps s(grad f(x + u))))``, u uniform in the ball.

    Training with a single step can overfit catastrophically: within an epoch robust accuracy under
    PGD falls to 0 while that under the training attack rises. Evaluate with PGD.

    Example:
        >>> FGSMRS(eps=8/255).length
        1.25
    """

    name = "fgsm_rs"
    ascends = False  # one step from a random point need not reach the optimum

    length: float = setting(1.25, help="length of the step, in radii", above=0)

    def step(self, objective: Objective, x: Tensor, candidate: Tensor) -> Tensor:
        """One step from ``candidate``, kept inside the ball around ``x``."""
        gradient = backend.input_gradient(objective, candidate)
        return self.inside(x, candidate + self.length * self.eps * self.ball.steepest(gradient))

    def start(self, x: Tensor, seed: Any) -> Tensor:
        """A uniform point of the ball."""
        return self.random_start(x, seed)
