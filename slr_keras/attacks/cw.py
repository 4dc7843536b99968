"""Carlini and Wagner 2017 (arXiv 1608.04644), section VI; the loss in an L-infinity ball."""

from __future__ import annotations

import dataclasses
from typing import Any

from slr_keras import backend, losses
from slr_keras.attacks._loop import Loop, State
from slr_keras.attacks._objective import Objective
from slr_keras.attacks._staged import where
from slr_keras.backend import ops
from slr_keras.settings.schema import PIXELS, setting

Tensor = Any
FAR = 1e10
NEARLY_ONE = 0.999999  # keeps the inverse of tanh finite
DECAY = (0.9, 0.999)  # of Adam's moments
TINY = 1e-8


@dataclasses.dataclass(frozen=True)
class CW(Loop):
    """The margin loss ``f(x') = max(z_y - max_{i != y} z_i, -confidence)``, lowered.

    L-infinity: PGD on ``f`` from a random point of the ball, as in adversarial training's
    evaluations; an image that fools by the confidence stays.

    L2: the nearest adversarial image. ``||x' - x||^2 + c f(x')`` is lowered over ``v`` with
    ``x' = (tanh v + 1) / 2`` by Adam; ``c`` is searched for each image, times ten until it is large
    enough, then halfway. The result is the nearest image that fools within ``eps``, or the image.

    Example:
        >>> CW(norm="l2", eps=0.5).searches
        9
    """

    name = "cw"
    ascends = False
    own_objective = True
    norms = ("linf", "l2")
    nearest_in = ("l2",)
    repeats = ("steps", "searches")

    steps: int = setting(100, help="steps; in L2 of each of the searches", at_least=1)
    confidence: float = setting(0.0, help="margin by which another class shall win", at_least=0)
    step_size: float = setting(2 / 255, help="L-infinity: length of a step", unit=PIXELS, above=0)
    searches: int = setting(9, help="L2: weights c that are tried", at_least=1)
    learning_rate: float = setting(0.01, help="L2: of Adam", above=0)
    first_weight: float = setting(1e-3, help="L2: the first c", above=0)

    @property
    def length(self) -> Any:
        """Steps of all searches."""
        return self.steps if self.norm == "linf" else self.searches * self.steps

    def origin(self, x: Tensor, seed: Any) -> Tensor:
        """A random point of the ball (L-infinity) or the image (L2)."""
        return self.random_start(x, seed) if self.norm == "linf" else x

    def first(self, objective: Objective, x: Tensor, start: Tensor) -> State:
        """L2: the first weight for each image."""
        if self.norm == "linf":
            return {"image": start}
        wrong = self._aim(objective).fooled(x)
        state = {
            "origin": ops.arctanh((2.0 * start - 1.0) * NEARLY_ONE),
            "best": x,
            "distance": ops.where(wrong > 0, 0.0, FAR),
            "weight": ops.zeros_like(wrong) + self.first_weight,
            "low": ops.zeros_like(wrong),
            "high": ops.zeros_like(wrong) + FAR,
        }
        return state | _anew(state)

    def then(self, objective: Objective, x: Tensor, i: Any, state: State) -> State:
        """L-infinity: a step of PGD. L2: one of Adam's, with the next weights after each search."""
        aim = self._aim(objective)
        if self.norm == "linf":
            return {"image": self._step(aim, x, state["image"])}
        turn = ops.mod(i, self.steps)
        over = ops.cast(ops.logical_and(ops.equal(turn, 0), ops.greater(i, 0)), "int32")
        state = backend.loop(0, over, lambda _, s: _next_search(s), state)
        return state | self._adam(aim, x, state["weight"], turn, state)

    def here(self, state: State) -> Tensor:
        """The image that the loop is at."""
        return state["image"] if self.norm == "linf" else _image(state["v"])

    def last(self, x: Tensor, state: State) -> Tensor:
        """L2: the nearest image that fools, if it lies within the radius."""
        if self.norm == "linf":
            return state["image"]
        near = ops.cast(state["distance"] <= self.eps, "float32")
        return where(near, state["best"], x)

    def _aim(self, objective: Objective) -> Objective:
        return objective.raising(losses.margin)

    def _step(self, aim: Objective, x: Tensor, candidate: Tensor) -> Tensor:
        def margin(v: Tensor) -> tuple[Tensor, Tensor]:
            value, _ = aim.with_logits(v)
            return value, value

        gradient, value, _ = backend.input_gradient_and_values(margin, candidate)
        ahead = candidate + self.step_size * self.ball.steepest(gradient)
        done = ops.cast(value > self.confidence, "float32")
        return where(done, candidate, self.inside(x, ahead))

    def _adam(self, aim: Objective, x: Tensor, weight: Tensor, i: Any, state: State) -> State:
        def raised(v: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
            image = _image(v)
            value, z = aim.with_logits(image)
            lacking = ops.maximum(self.confidence - value, 0.0)
            squares = ops.sum(ops.square(image - x), axis=tuple(range(1, len(x.shape))))
            return -(squares + weight * lacking), (image, value, z)

        gradient, _, (image, value, z) = backend.input_gradient_and_values(raised, state["v"])
        hit = aim.hit(z) * ops.cast(value >= self.confidence, "float32")
        distance = self.ball.size(image - x)
        nearer = hit * ops.cast(distance < state["distance"], "float32")
        mean = DECAY[0] * state["mean"] + (1.0 - DECAY[0]) * gradient
        square = DECAY[1] * state["square"] + (1.0 - DECAY[1]) * ops.square(gradient)
        time = ops.cast(i + 1, "float32")
        step = mean / (1.0 - DECAY[0] ** time)
        step = step / (ops.sqrt(square / (1.0 - DECAY[1] ** time)) + TINY)
        return {
            "v": state["v"] + self.learning_rate * step,
            "mean": mean,
            "square": square,
            "found": ops.maximum(state["found"], hit),
            "best": where(nearer, image, state["best"]),
            "distance": ops.where(nearer > 0, distance, state["distance"]),
        }


def _image(v: Tensor) -> Tensor:
    return (ops.tanh(v) + 1.0) / 2.0


def _anew(state: State) -> State:
    """A search begins: Adam at the image, nothing found."""
    nothing = ops.zeros_like(state["origin"])
    found = ops.zeros_like(state["distance"])
    return {"v": state["origin"], "mean": nothing, "square": nothing, "found": found}


def _next_search(state: State) -> State:
    """The weights after a search: times ten until one is large enough, then halfway."""
    found, weight = state["found"] > 0, state["weight"]
    high = ops.where(found, weight, state["high"])
    low = ops.where(found, state["low"], weight)
    after = ops.where(high < FAR, (low + high) / 2.0, weight * 10.0)
    return state | {"weight": after, "low": low, "high": high} | _anew(state)
