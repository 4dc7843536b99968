"""Momentum iterative FGSM: Dong et al. 2018 (arXiv 1710.06081), algorithm 1."""

from __future__ import annotations

import dataclasses
from typing import Any

from slr_keras import backend
from slr_keras.attacks._loop import Loop, State
from slr_keras.attacks._objective import Objective
from slr_keras.backend import ops
from slr_keras.settings.schema import setting

Tensor = Any


@dataclasses.dataclass(frozen=True)
class MIFGSM(Loop):
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

    def first(self, objective: Objective, x: Tensor, start: Tensor) -> State:
        """Nothing is gathered yet."""
        return {"image": start, "gathered": ops.zeros_like(start)}

    def then(self, objective: Objective, x: Tensor, i: Any, state: State) -> State:
        """A step along what was gathered."""
        gradient = backend.input_gradient(objective, state["image"])
        gathered = self.decay * state["gathered"] + _of_length_one(gradient)
        length = self.eps / ops.cast(self.steps, "float32")
        ahead = state["image"] + length * self.ball.steepest(gathered)
        return {"image": self.inside(x, ahead), "gathered": gathered}


def _of_length_one(gradient: Tensor) -> Tensor:
    """``g / ||g||_1``, 0 where the gradient vanishes."""
    axes = tuple(range(1, len(gradient.shape)))
    total = ops.sum(ops.abs(gradient), axis=axes, keepdims=True)
    return gradient / ops.where(total > 0, total, 1.0)
