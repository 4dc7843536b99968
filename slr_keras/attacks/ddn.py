"""Decoupled direction and norm: Rony et al. 2019 (arXiv 1811.09600), algorithm 1."""

from __future__ import annotations

import dataclasses
from typing import Any

from slr_keras import losses
from slr_keras.attacks._loop import State
from slr_keras.attacks._minimal import Here, Walk, of_each
from slr_keras.attacks._objective import Objective
from slr_keras.backend import ops
from slr_keras.settings.schema import PIXELS, setting

Tensor = Any
LENGTHS = (1.0, 0.01)  # of the first and of the last step, as in section 3


@dataclasses.dataclass(frozen=True)
class DDN(Walk):
    """The nearest adversarial image in L2: the direction follows the gradient, the length does not.

    A step adds ``a g / ||g||`` with the gradient of the cross-entropy (targeted: of minus that of
    the target), and what comes of it is stretched to length ``r``: ``d <- clip(r d / ||d||)``. The
    radius becomes ``r (1 - gamma)`` where the image fools, else ``r (1 + gamma)``. ``a`` falls from
    1 to 0.01 along half a cosine. The result is the nearest image that fools within ``eps``, or
    the image. (The authors round pixels to 256 levels as an option; here they stay floats.)

    Example:
        >>> DDN(eps=0.5).norm
        'l2'
    """

    name = "ddn"
    norms = nearest_in = ("l2",)

    norm: str = setting("l2", help="norm that measures the perturbation", choices=("l2",))
    eps: float = setting(
        128 / 255, label="Epsilon", help="radius of the ball", unit=PIXELS, at_least=0
    )
    init_epsilon: float = setting(1.0, help="radius at first", unit=PIXELS, above=0)
    gamma: float = setting(
        0.05, help="share by which the radius changes in a step", above=0, below=1
    )

    def aim(self, objective: Objective) -> Objective:
        """The cross-entropy."""
        return objective.raising(losses.cross_entropy)

    def begin(self, x: Tensor) -> State:
        """The radius, (B,)."""
        return {"radius": ops.zeros_like(x[:, 0, 0, 0]) + self.init_epsilon}

    def move(self, here: Here, carried: State, i: Any) -> tuple[Tensor, State]:
        """One step of the algorithm."""
        farthest = self.ball.size(ops.maximum(here.x, 1.0 - here.x))
        share = ops.where(here.hit > 0, 1.0 - self.gamma, 1.0 + self.gamma)
        radius = ops.minimum(share * carried["radius"], farthest)
        ahead = here.d + self.annealed(*LENGTHS, i) * self.ball.steepest(here.gradient)
        return of_each(radius, ahead) * self.ball.steepest(ahead), {"radius": radius}
