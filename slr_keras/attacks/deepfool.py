"""DeepFool: Moosavi-Dezfooli et al. 2016 (arXiv 1511.04599), algorithm 2."""

from __future__ import annotations

import dataclasses
from typing import Any

from slr_keras import backend, losses
from slr_keras.attacks._loop import Loop, State
from slr_keras.attacks._objective import Objective
from slr_keras.attacks._planes import nearest_plane
from slr_keras.attacks._staged import where
from slr_keras.backend import ops
from slr_keras.errors import SettingError
from slr_keras.settings.schema import setting

Tensor = Any
STABLE = 1e-4  # added to every distance, as in the authors' code


@dataclasses.dataclass(frozen=True)
class DeepFool(Loop):
    """Walks to the nearest boundary of the linearised model until the class changes.

    At ``x_i`` the boundary to class k is the plane ``f_k + <w_k, d> = 0`` with ``f = z_k - z_y``
    and ``w`` its gradient. The shortest ``d`` to the nearest plane is added to what was gathered,
    ``r``, and ``x_{i+1} = clip(x + (1 + overshoot) r)``. An image that fools goes no further.

    The result is that image where it lies within ``eps``, else the image itself.

    Example:
        >>> DeepFool(norm="l2", eps=0.5).steps
        50
    """

    name = "deepfool"
    ascends = False
    own_objective = True
    norms = nearest_in = ("linf", "l2")
    repeats = ("steps",)

    steps: int = setting(50, help="steps at most", at_least=1)
    overshoot: float = setting(0.02, help="how much further than the plane to go", at_least=0)
    candidates: int = setting(10, help="most likely classes whose planes are looked at", at_least=2)

    def validate(self) -> None:
        """The nearest boundary is not that of a class to reach."""
        super().validate()
        if self.targeted:
            raise SettingError("targeted", "deepfool looks for the nearest boundary, set false")

    def first(self, objective: Objective, x: Tensor, start: Tensor) -> State:
        """Nothing is gathered yet."""
        return {
            "start": start,
            "image": start,
            "gathered": ops.zeros_like(start),
            "fooled": objective.fooled(start),
            "rivals": self._rivals(objective, x),
        }

    def then(self, objective: Objective, x: Tensor, i: Any, state: State) -> State:
        """A step, if any image is left that does not fool."""
        left = ops.cast(ops.any(state["fooled"] == 0), "int32")
        return backend.loop(0, left, lambda _, s: self._step(objective, s), state)

    def last(self, x: Tensor, state: State) -> Tensor:
        """Where it fools within the radius, else the image."""
        near = ops.cast(self.ball.size(state["image"] - x) <= self.eps, "float32")
        return where(near * state["fooled"], state["image"], x)

    def _rivals(self, objective: Objective, x: Tensor) -> Tensor:
        """The wrong classes of the largest logits; (B, n)."""
        z = ops.cast(objective.logits(x), "float32")
        z = z - 1e30 * losses.one_hot(objective.labels, z.shape[-1])
        return ops.top_k(z, min(self.candidates, z.shape[-1]) - 1)[1]

    def _step(self, objective: Objective, state: State) -> State:
        here = state["image"]
        w, f = nearest_plane(objective, self.ball, here, state["rivals"])
        far = ops.abs(f) / (1e-12 + self.ball.dual_size(w)) + STABLE
        gathered = state["gathered"] + ops.reshape(far, (-1, 1, 1, 1)) * self.ball.steepest(w)
        moved = ops.clip(state["start"] + (1.0 + self.overshoot) * gathered, 0.0, 1.0)
        moved = where(state["fooled"], here, moved)
        new = {"image": moved, "gathered": gathered, "fooled": objective.fooled(moved)}
        return state | new
