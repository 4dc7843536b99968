"""Fast minimum-norm attack: Pintor et al. 2021 (arXiv 2102.12827), algorithm 1."""

from __future__ import annotations

import dataclasses
from typing import Any

from slr_keras.attacks._loop import State
from slr_keras.attacks._minimal import Here, Walk, of_each
from slr_keras.attacks._norms import L2
from slr_keras.attacks._planes import FAR
from slr_keras.backend import ops
from slr_keras.settings.schema import setting

Tensor = Any
REMEMBERED = 0.5  # of a perturbation in L0 that does not fool


@dataclasses.dataclass(frozen=True)
class FMN(Walk):
    """The nearest adversarial image, by steps in a ball whose radius follows the boundary.

    A step goes along the gradient of the margin ``f = max_{k != y} z_k - z_y`` (targeted:
    ``z_t - max_{k != t} z_k``) and back into the ball of radius ``r`` around the image:
    ``d <- clip(P_r(d + a g / ||g||_2))``. Before, the radius becomes

    - ``min(r (1 - gamma), the nearest distance)`` where the image fools,
    - ``r (1 + gamma)`` where it does not but did before,
    - ``||d|| + |f| / ||g||_dual``, the distance to the linearised boundary, until it first does;
      ``r (1 + gamma)`` at least, or the walls of the cube keep it from ever getting there.

    In L0 the radius counts values and changes by one at least. Other than in the paper it doubles
    until the image first fools, where it does not fool half of ``d`` is forgotten before the step
    (else the same values are chosen again and again), and in the end values are taken back while
    the image still fools.

    ``a`` and ``gamma`` fall along half a cosine, as in the authors' program. The result is the
    nearest image that fools within ``eps``, or the image.

    Example:
        >>> FMN(norm="l0", eps=24).steps
        100
    """

    name = "fmn"
    norms = nearest_in = ("linf", "l2", "l1", "l0")

    max_stepsize: float = setting(1.0, help="L2 length of the first step", above=0)
    min_stepsize: float = setting(0.01, help="L2 length of the last step", above=0)
    gamma: float = setting(
        0.05, help="share by which the radius changes in the first step", above=0, below=1
    )
    min_gamma: float = setting(0.001, help="the same in the last step", above=0, below=1)

    def begin(self, x: Tensor) -> State:
        """The radius, (B,)."""
        none = ops.zeros_like(x[:, 0, 0, 0])
        return {"radius": none + (1.0 if self.norm == "l0" else 0.0)}

    def move(self, here: Here, carried: State, i: Any) -> tuple[Tensor, State]:
        """One step of the algorithm."""
        gamma = self.annealed(self.gamma, self.min_gamma, i)
        follow = self._count if self.norm == "l0" else self._radius
        farthest = self.ball.size(ops.maximum(here.x, 1.0 - here.x))
        radius = ops.minimum(follow(here, carried["radius"], gamma), farthest)
        length = self.annealed(self.max_stepsize, self.min_stepsize, i)
        kept = self._remembered(here) if self.norm == "l0" else here.d
        ahead = kept + length * L2().steepest(here.gradient)
        return self.ball.project(ahead, radius), {"radius": radius}

    def _radius(self, here: Here, radius: Tensor, gamma: Tensor) -> Tensor:
        slope = ops.maximum(self.ball.dual_size(here.gradient), 1e-12)
        boundary = self.ball.size(here.d) + ops.abs(here.value) / slope
        farther = radius * (1.0 + gamma)
        outside = ops.where(here.nearest < FAR, farther, ops.maximum(farther, boundary))
        inside = ops.minimum(radius * (1.0 - gamma), here.nearest)
        return ops.where(here.hit > 0, inside, outside)

    def _count(self, here: Here, radius: Tensor, gamma: Tensor) -> Tensor:
        more = ops.maximum(radius + 1.0, ops.floor(radius * (1.0 + gamma)))
        more = ops.where(here.nearest < FAR, more, 2.0 * radius)
        fewer = ops.minimum(radius - 1.0, ops.floor(radius * (1.0 - gamma)))
        fewer = ops.maximum(ops.minimum(fewer, here.nearest), 1.0)
        return ops.where(here.hit > 0, fewer, more)

    def _remembered(self, here: Here) -> Tensor:
        return here.d * of_each(ops.where(here.hit > 0, 1.0, REMEMBERED), here.d)
