"""Carlini and Wagner 2017 (arXiv 1608.04644), section VI; the loss in an L-infinity ball."""

from __future__ import annotations

import dataclasses
from typing import Any

from slr_keras import backend, losses
from slr_keras.attacks._base import Attack
from slr_keras.attacks._objective import Objective
from slr_keras.attacks._staged import where
from slr_keras.backend import ops
from slr_keras.settings.schema import PIXELS, setting

Tensor = Any
State = dict[str, Tensor]
FAR = 1e10
NEARLY_ONE = 0.999999  # keeps the inverse of tanh finite
DECAY = (0.9, 0.999)  # of Adam's moments
TINY = 1e-8


@dataclasses.dataclass(frozen=True)
class CW(Attack):
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

    def perturb(self, objective: Objective, x: Tensor, start: Tensor) -> Tensor:
        """The pure loop from ``start``."""
        aim = dataclasses.replace(objective, loss=losses.margin, rival=None)
        return self._in_ball(aim, x, start) if self.norm == "linf" else self._nearest(aim, x, start)

    def run(self, objective: Objective, x: Tensor, seed: Any) -> Tensor:
        """From a random point of the ball (L-infinity) or the image (L2)."""
        start = self.random_start(x, seed) if self.norm == "linf" else x
        return self.perturb(objective, x, start)

    # -- L-infinity ---------------------------------------------------------------------------

    def _in_ball(self, aim: Objective, x: Tensor, start: Tensor) -> Tensor:
        def margin(v: Tensor) -> tuple[Tensor, Tensor]:
            value, _ = aim.with_logits(v)
            return value, value

        def step(_: Any, candidate: Tensor) -> Tensor:
            gradient, value, _ = backend.input_gradient_and_values(margin, candidate)
            ahead = candidate + self.step_size * self.ball.steepest(gradient)
            done = ops.cast(value > self.confidence, "float32")
            return where(done, candidate, self.inside(x, ahead))

        return backend.loop(0, self.steps, step, start)

    # -- L2 -----------------------------------------------------------------------------------

    def _nearest(self, aim: Objective, x: Tensor, start: Tensor) -> Tensor:
        wrong = aim.fooled(x)
        state = {
            "best": x,
            "distance": ops.where(wrong > 0, 0.0, FAR),
            "weight": ops.zeros_like(wrong) + self.first_weight,
            "low": ops.zeros_like(wrong),
            "high": ops.zeros_like(wrong) + FAR,
        }
        origin = ops.arctanh((2.0 * start - 1.0) * NEARLY_ONE)
        state = backend.loop(0, self.searches, lambda _, s: self._search(aim, x, origin, s), state)
        near = ops.cast(state["distance"] <= self.eps, "float32")
        return where(near, state["best"], x)

    def _search(self, aim: Objective, x: Tensor, origin: Tensor, state: State) -> State:
        """All of Adam's steps with one weight for each image, then the next weight."""
        nothing = ops.zeros_like(origin)
        inner = {
            "v": origin,
            "mean": nothing,
            "square": nothing,
            "found": ops.zeros_like(state["distance"]),
            "best": state["best"],
            "distance": state["distance"],
        }
        inner = backend.loop(
            0, self.steps, lambda i, s: self._adam(aim, x, state["weight"], i, s), inner
        )
        found, weight = inner["found"] > 0, state["weight"]
        high = ops.where(found, weight, state["high"])
        low = ops.where(found, state["low"], weight)
        return {
            "best": inner["best"],
            "distance": inner["distance"],
            "weight": ops.where(high < FAR, (low + high) / 2.0, weight * 10.0),
            "low": low,
            "high": high,
        }

    def _adam(self, aim: Objective, x: Tensor, weight: Tensor, i: Any, state: State) -> State:
        def raised(v: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
            image = (ops.tanh(v) + 1.0) / 2.0
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
