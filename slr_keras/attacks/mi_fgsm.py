"""Momentum iterative FGSM: Dong et al. 2018 (arXiv 1710.06081), algorithm 1."""

from __future__ import annotations

import dataclasses
from typing import Any

from slr_keras import backend
from slr_keras.attacks._base import Attack
from slr_keras.attacks._objective import Objective
from slr_keras.backend import ops
from slr_keras.settings.schema import setting

Tensor = Any


@dataclasses.dataclass(frozen=True)
class MIFGSM(Attack):
    """FGSM in steps that remember where they went; its images transfer well to other models.

    ``g <- decay g + grad / ||grad||_1`` and ``x' <- P(x' + eps / steps * s(g))`` from the image,
    with ``s = sign`` for L-infinity and ``s(g) = g / ||g||`` for L2.

    Example:
        >>> MIFGSM(eps=8/255).decay
        1.0
    """

    name = "mi_fgsm"
    norms = ("linf", "l2")
    repeats = ("steps",)

    steps: int = setting(10, help="gradient steps, each of length eps / steps", at_least=1)
    decay: float = setting(1.0, help="share of the gathered gradient that a step keeps", at_least=0)

    def perturb(self, objective: Objective, x: Tensor, start: Tensor) -> Tensor:
        """The pure loop from ``start``, all arguments (B, H, W, C)."""
        length = self.eps / ops.cast(self.steps, "float32")

        def step(_: Any, state: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
            candidate, gathered = state
            gradient = backend.input_gradient(objective, candidate)
            gathered = self.decay * gathered + _of_length_one(gradient)
            ahead = candidate + length * self.ball.steepest(gathered)
            return self.inside(x, ahead), gathered

        return backend.loop(0, self.steps, step, (start, ops.zeros_like(start)))[0]

    def run(self, objective: Objective, x: Tensor, seed: Any) -> Tensor:
        """:meth:`perturb` from the image."""
        return self.perturb(objective, x, x)


def _of_length_one(gradient: Tensor) -> Tensor:
    """``g / ||g||_1``, 0 where the gradient vanishes."""
    axes = tuple(range(1, len(gradient.shape)))
    total = ops.sum(ops.abs(gradient), axis=axes, keepdims=True)
    return gradient / ops.where(total > 0, total, 1.0)
