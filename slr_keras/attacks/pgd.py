"""Projected gradient descent: Madry et al. 2018 (arXiv 1706.06083), section 2.1."""

from __future__ import annotations

import dataclasses
from typing import Any

from slr_keras import backend
from slr_keras.attacks._base import Attack
from slr_keras.attacks._objective import Objective
from slr_keras.attacks._parts import in_parts
from slr_keras.backend import ops, random
from slr_keras.settings.schema import PIXELS, setting

Tensor = Any
GAUSSIAN = 0.001  # standard deviation of the noise, in pixels


@dataclasses.dataclass(frozen=True)
class PGD(Attack):
    """Steepest ascent on the objective, projected after every step.

    ``x' <- clip_[0,1](x + P_eps(x' + step_size * s(grad) - x))`` with ``s = sign`` for
    L-infinity and ``s(g) = g / ||g||`` for L2; the start is uniform in the ball. The last
    iterate is returned. With restarts, each image keeps an iterate that fools the model if
    one does, and among equals the one of larger loss.

    Example:
        >>> PGD(norm="linf", eps=8/255, step_size=2/255, steps=10).steps
        10
    """

    name = "pgd"

    step_size: float = setting(2 / 255, help="length of one step", unit=PIXELS, above=0)
    steps: int = setting(10, help="gradient steps", at_least=1)
    random: bool = setting(
        True, label="Random start", help="start at a random point of the ball, else at the image"
    )
    gaussian: bool = setting(
        False,
        label="Gaussian start",
        help="random start at x + 0.001 N(0, 1), as TRADES' authors have it",
    )
    restarts: int = setting(1, help="independent random starts; the best result counts", at_least=1)

    def perturb(self, objective: Objective, x: Tensor, start: Tensor) -> Tensor:
        """The pure loop: ``steps`` steps from ``start``, all arguments (B, H, W, C)."""

        def search(objective: Objective, x: Tensor, start: Tensor) -> Tensor:
            return backend.repeat(self.steps, lambda x_adv: self.step(objective, x, x_adv), start)

        return in_parts(search, objective, x, start)

    def step(self, objective: Objective, x: Tensor, candidate: Tensor) -> Tensor:
        """One step from ``candidate``, projected."""
        gradient = backend.input_gradient(objective, candidate)
        return self.inside(x, candidate + self.step_size * self.ball.steepest(gradient))

    def start(self, x: Tensor, seed: Any) -> Tensor:
        """Where the loop begins."""
        if not self.random:
            return x
        if self.gaussian:
            return ops.clip(x + GAUSSIAN * random.normal(ops.shape(x), seed=seed), 0.0, 1.0)
        return self.random_start(x, seed)

    def run(self, objective: Objective, x: Tensor, seed: Any) -> Tensor:
        """Best of ``restarts`` loops; see the class."""
        best = self.perturb(objective, x, self.start(x, seed))
        for _ in range(self.restarts - 1):
            best = self.better(objective, best, self.perturb(objective, x, self.start(x, seed)))
        return best
