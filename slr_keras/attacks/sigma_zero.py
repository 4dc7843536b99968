"""Sigma-zero: Cina et al. 2024 (arXiv 2402.01879), algorithm 1."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

from slr_keras.attacks._loop import State
from slr_keras.attacks._minimal import Here, Walk, of_each
from slr_keras.attacks._norms import Linf
from slr_keras.backend import ops
from slr_keras.settings.schema import setting

Tensor = Any
DECAY = (0.9, 0.999)  # of Adam's moments
TINY = 1e-8
LAST = 0.1  # of the first step, the length of the last


@dataclasses.dataclass(frozen=True)
class SigmaZero(Walk):
    """The adversarial image that differs in the fewest values, by a smooth count of them.

    ``max(z_y - max_{k != y} z_k, 0) + 1/n sum_i d_i^2 / (d_i^2 + sigma)`` is lowered by Adam with
    the gradient over its largest component; then values with ``|d_i| < tau`` go back to 0. The
    threshold falls by ``threshold_factor`` times the step size where the image does not fool,
    and rises by as much where it does. The step size falls to a tenth along half a cosine. The
    result is the image of the fewest changed values that fools within ``eps`` of them, or the
    image.

    Example:
        >>> SigmaZero(eps=24).norm
        'l0'
    """

    name = "sigma_zero"
    norms = nearest_in = ("l0",)

    norm: str = setting("l0", help="norm that measures the perturbation", choices=("l0",))
    eps: float = setting(
        24.0, label="Epsilon", help="radius of the ball", unit="values that differ", at_least=0
    )
    max_stepsize: float = setting(1.0, help="length of the first step", above=0)
    sigma: float = setting(1e-3, help="the smaller, the sharper is the count", above=0)
    threshold: float = setting(0.3, help="changes below it are taken back, at first", at_least=0)
    threshold_factor: float = setting(
        0.01, help="change of the threshold, in step sizes", at_least=0
    )

    def begin(self, x: Tensor) -> State:
        """Adam's moments and the threshold, (B,)."""
        nothing = ops.zeros_like(x)
        return {
            "mean": nothing,
            "square": nothing,
            "threshold": ops.zeros_like(x[:, 0, 0, 0]) + self.threshold,
        }

    def move(self, here: Here, carried: State, i: Any) -> tuple[Tensor, State]:
        """One step of the algorithm."""
        length = self.annealed(self.max_stepsize, LAST * self.max_stepsize, i)
        descent, moments = self._adam(Linf().normalize(self._gradient(here)), carried, i)
        inside = ops.clip(here.x + here.d - length * descent, 0.0, 1.0) - here.x
        change = self.threshold_factor * length * ops.where(here.hit > 0, 1.0, -1.0)
        threshold = ops.clip(carried["threshold"] + change, 0.0, 1.0)
        kept = ops.where(ops.abs(inside) < of_each(threshold, inside), 0.0, inside)
        return kept, moments | {"threshold": threshold}

    def _gradient(self, here: Here) -> Tensor:
        """Of what is lowered, at ``d``; past the boundary that is the smooth count alone."""
        outside = of_each(ops.cast(here.value <= 0.0, "float32"), here.d)
        squares = ops.square(here.d) + self.sigma
        count = 2.0 * self.sigma * here.d / ops.square(squares)
        return count / math.prod(here.d.shape[1:]) - outside * here.gradient

    def _adam(self, gradient: Tensor, carried: State, i: Any) -> tuple[Tensor, State]:
        mean = DECAY[0] * carried["mean"] + (1.0 - DECAY[0]) * gradient
        square = DECAY[1] * carried["square"] + (1.0 - DECAY[1]) * ops.square(gradient)
        time = ops.cast(i + 1, "float32")
        root = ops.sqrt(square / (1.0 - DECAY[1] ** time)) + TINY
        return mean / (1.0 - DECAY[0] ** time) / root, {"mean": mean, "square": square}
