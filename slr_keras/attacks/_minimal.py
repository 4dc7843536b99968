"""Attacks that walk to and fro over the boundary and remember the nearest adversarial image."""

from __future__ import annotations

import dataclasses
import math
from typing import Any, ClassVar

from slr_keras import backend, losses
from slr_keras.attacks._fewer import fewer
from slr_keras.attacks._loop import Loop, State
from slr_keras.attacks._objective import Objective
from slr_keras.attacks._planes import FAR
from slr_keras.attacks._staged import where
from slr_keras.backend import ops
from slr_keras.settings.schema import setting

Tensor = Any
SURE = 1e-4  # lead of the class that wins, in parts of the spread of the image's logits


@dataclasses.dataclass(frozen=True)
class Here:
    """What a step knows of where it is.

    Attributes:
        x: the images (B, H, W, C).
        d: how far ``x + d`` has gone from them.
        gradient, value: of what the attack raises, at ``x + d``; (B, H, W, C) and (B,).
        hit: (B,) 1.0 where ``x + d`` surely fools the model.
        nearest: (B,) the smallest distance of such an image so far, :data:`FAR` where none was.
    """

    x: Tensor
    d: Tensor
    gradient: Tensor
    value: Tensor
    hit: Tensor
    nearest: Tensor


@dataclasses.dataclass(frozen=True)
class Walk(Loop):
    """A walk of ``steps`` steps from the image; the nearest image that fools is kept.

    The result is that image if it lies within ``eps``, else the image itself. In L0 the last step
    ends with :func:`slr_keras.attacks._fewer.fewer`. A subclass gives :meth:`begin` and
    :meth:`move`.
    """

    ascends: ClassVar[bool] = False
    own_objective: ClassVar[bool] = True
    repeats: ClassVar[tuple[str, ...]] = ("steps",)

    steps: int = setting(100, help="gradient steps", at_least=1)

    def aim(self, objective: Objective) -> Objective:
        """What is raised: the margin ``max_{k != y} z_k - z_y``, above 0 where it fools."""
        return objective.raising(losses.margin)

    def begin(self, x: Tensor) -> State:
        """What the walk carries from step to step beside the image: tensors by name."""
        raise NotImplementedError

    def move(self, here: Here, carried: State, i: Any) -> tuple[Tensor, State]:
        """The perturbation after step ``i``, not yet clipped to [0, 1], and what is carried on."""
        raise NotImplementedError

    def first(self, objective: Objective, x: Tensor, start: Tensor) -> State:
        """Nothing is found yet."""
        none = ops.zeros_like(x[:, 0, 0, 0])
        return self.begin(x) | {"image": start, "best": x, "nearest": none + FAR, "spread": none}

    def last(self, x: Tensor, state: State) -> Tensor:
        """The nearest image that fools, if it lies within the radius."""
        return where(ops.cast(state["nearest"] <= self.eps, "float32"), state["best"], x)

    def then(self, objective: Objective, x: Tensor, i: Any, state: State) -> State:
        """A step to or from the boundary."""
        aim, image = self.aim(objective), state["image"]
        gradient, value, z = backend.input_gradient_and_values(aim.with_logits, image)
        spread = ops.where(i > 0, state["spread"], ops.max(z, axis=-1) - ops.min(z, axis=-1))
        d, hit = image - x, _surely(aim, z, spread)
        distance = self.ball.size(d)
        nearer = hit * ops.cast(distance < state["nearest"], "float32")
        nearest = ops.where(nearer > 0, distance, state["nearest"])
        moved, carried = self.move(Here(x, d, gradient, value, hit, nearest), state, i)
        new = {
            "image": ops.clip(x + moved, 0.0, 1.0),
            "best": where(nearer, image, state["best"]),
            "nearest": nearest,
            "spread": spread,
        }
        if self.norm == "l0":
            new |= self._thinned(aim, x, i, new)
        return state | carried | new

    def _thinned(self, aim: Objective, x: Tensor, i: Any, state: State) -> State:
        """After the last step the nearest image without what it does not need."""

        def fools(image: Tensor) -> Tensor:
            return _surely(aim, aim.logits(image), state["spread"])

        times = ops.cast(ops.equal(i + 1, self.steps), "int32")
        best = backend.loop(0, times, lambda _, image: fewer(fools, x, image), state["best"])
        distance = self.ball.size(best - x)
        found = state["nearest"] < FAR
        return {"best": best, "nearest": ops.where(found, distance, state["nearest"])}

    def annealed(self, first: Any, last: Any, i: Any) -> Tensor:
        """From ``first`` to ``last`` along half a cosine: ``last + (first - last) (1 + cos) / 2``
        with the cosine of ``pi i / steps``."""
        share = ops.cast(i, "float32") / ops.cast(self.steps, "float32")
        return last + (first - last) * (1.0 + ops.cos(math.pi * share)) / 2.0


def _surely(aim: Objective, z: Tensor, spread: Tensor) -> Tensor:
    """1.0 where the aim is reached by more than rounding: else the model, which is not the folded
    twin that is attacked, says otherwise of an image that lies on the boundary."""
    lead = losses.margin(z, aim.labels) * (-1.0 if aim.targeted else 1.0)
    return ops.cast(lead > SURE * spread, "float32")


def of_each(values: Tensor, x: Tensor) -> Tensor:
    """Values (B,) in a shape that goes with images."""
    return ops.reshape(values, (-1, *[1] * (len(x.shape) - 1)))
