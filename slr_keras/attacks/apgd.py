"""Auto-PGD: Croce & Hein 2020 (arXiv 2003.01690), algorithm 1; L1: 2021 (arXiv 2103.01208)."""

from __future__ import annotations

import dataclasses
import itertools
import math
from typing import Any

from slr_keras import backend, losses
from slr_keras.attacks._objective import Objective
from slr_keras.attacks._staged import Staged, State, iterate, uniform, where
from slr_keras.backend import ops
from slr_keras.errors import SettingError, UserError
from slr_keras.settings.schema import setting

Tensor = Any
MOMENTUM = 0.75
RHO = 0.75  # share of steps that must raise the objective, or the step is halved
SPARSITY = 0.2  # L1: share of pixels that the first steps change
SHRINKING = 3  # tenths of the steps with three times the radius, and as many with twice
LOSSES = {"ce": losses.cross_entropy, "dlr": losses.dlr, "margin": losses.margin}
TARGETED = {
    "ce": lambda logits, labels, rival: -losses.cross_entropy(logits, rival),
    "dlr": losses.targeted_dlr,
    "margin": losses.target_gap,
}
FEWEST = {
    ("dlr", False): 3,
    ("dlr", True): 4,
}  # classes that a loss needs: untargeted, with targets


@dataclasses.dataclass(frozen=True)
class APGD(Staged):
    """PGD that chooses its own step size.

    Momentum steps ``x <- P(x + 0.75 (P(x + step s(g)) - x) + 0.25 (x - x_before))`` begin at
    ``step = 2 eps``. At the checkpoints ``p_{j+1} = p_j + max(p_j - p_{j-1} - 0.03, 0.06)`` of the
    iterations, from 0 and 0.22, the step is halved and the search goes back to its best point where
    fewer than 75 % of the steps raised the objective, or where neither step nor best objective
    changed since the last checkpoint. In L1 steps are sparse, and how sparse is adapted; with
    ``shrinking`` the ball is at first three times as large, then twice, and each part of the search
    begins at the best point of the one before, projected.

    Example:
        >>> APGD(eps=8/255, steps=100).stops()[:3]
        (22, 41, 57)
    """

    name = "apgd"
    repeats = ("steps", "targets", "restarts")

    steps: int = setting(100, help="gradient steps", at_least=1)
    loss: str = setting("ce", help="objective: cross-entropy, DLR or margin", choices=tuple(LOSSES))

    targets: int = setting(
        0, help="wrong classes attacked in turn, most likely first; 0: untargeted", at_least=0
    )

    eot: int = setting(
        1, help="passes averaged for each gradient, for models that draw numbers", at_least=1
    )

    shrinking: bool = setting(
        False, help="L1: begin with balls of three and two times the radius, as AutoAttack does"
    )

    def validate(self) -> None:
        """The ball shrinks in L1 only."""
        super().validate()
        if self.shrinking and self.norm != "l1":
            raise SettingError("shrinking", f"expected norm l1, received {self.norm!r}")

    def rounds(self) -> tuple[int, ...]:
        """A round for each target and restart."""
        ranks = range(1, self.targets + 1) if self.targets else (0,)
        return tuple(ranks) * self.restarts

    def check_classes(self, classes: int) -> None:
        """DLR needs three classes, with targets four; there are K - 1 wrong classes."""
        least = max(FEWEST.get((self.loss, self.targets > 0), 2), self.targets + 1)
        if classes < least:
            raise UserError(
                f"APGD with the loss {self.loss} and {self.targets} targets needs {least} classes, "
                f"the model has {classes}; use loss ce" + ", fewer targets" * (self.targets > 0)
            )

    def aim(self, logits: Any, labels: Tensor, rival: Tensor | None = None) -> Objective:
        """What a round raises."""
        loss = LOSSES[self.loss] if rival is None else TARGETED[self.loss]
        return Objective(logits, labels, self.targeted, loss, rival)

    def stops(self) -> tuple[int, ...]:
        """The checkpoints; with ``shrinking`` those of each part."""
        first, second = self._turns()
        turns = (first, second) if self.shrinking and second < self.steps else ()
        bounds = [0, *turns, self.steps]
        return tuple(
            first + stop
            for first, last in itertools.pairwise(bounds)
            for stop in self._checkpoints(last - first)
        )

    def _checkpoints(self, steps: int) -> list[int]:
        if self.norm == "l1":
            gap, shrink, least = max(int(0.04 * steps), 1), 0, 1
        else:
            gap, shrink = max(int(0.22 * steps), 1), max(int(0.03 * steps), 1)
            least = max(int(0.06 * steps), 1)
        found = [min(gap, steps)]
        while found[-1] < steps:
            gap = max(gap - shrink, least)
            found.append(min(found[-1] + gap, steps))
        return found

    def _turns(self) -> tuple[Any, Any]:
        """Iterations at which a ball that shrinks does so, if they come before the last."""
        first = (SHRINKING * self.steps + 9) // 10
        return first, 2 * first

    def _radius(self, i: Any) -> Tensor:
        """The radius of the ball at iteration ``i``."""
        radius = ops.convert_to_tensor(self.eps, "float32")
        if not self.shrinking:
            return radius
        first, second = self._turns()
        before = ops.cast(i < first, "float32") + ops.cast(i < second, "float32")
        return radius * (1.0 + before * ops.cast(second < self.steps, "float32"))

    def _counts(self, i: Any) -> Tensor:
        """1.0 where the ball has its final size: what fools in a larger one does not count."""
        return ops.cast(self._radius(i) <= self.eps, "float32")

    # -- begin --------------------------------------------------------------------------------

    def begin(self, objective: Objective, x: Tensor, noise: Tensor) -> State:
        """A random point on the ball's surface, its gradient and objective."""
        start = self._random_point(x, noise)
        state = self.begin_at(objective, x, start)
        return state | self._sparsity(start, x) if self.shrinking else state

    def _random_point(self, x: Tensor, noise: Tensor) -> Tensor:
        if self.norm == "l1":
            return self.ball.inside(x, x + noise, self._radius(0))
        t = uniform(noise) if self.norm == "linf" else noise
        return ops.clip(x + self.eps * self.ball.normalize(t), 0.0, 1.0)

    def begin_at(self, objective: Objective, x: Tensor, start: Tensor, i: Any = 0) -> State:
        """The same from a given start, before iteration ``i``."""
        gradient, value, z = self._evaluate(objective, start)
        ones = ops.ones_like(value)
        state = {
            "x": start,
            "before": start,
            "gradient": gradient,
            "best": start,
            "fooled": objective.hit(z) * self._counts(i),
            "top": start,
            "top_gradient": gradient,
            "top_value": value,
            "step": ones * self._radius(i) * (1.0 if self.norm == "l1" else 2.0),
            "value": ops.zeros_like(value),
            "raises": ops.zeros_like(value),
            "checked_value": value,
            "halved": ones,
        }
        if self.norm == "l1":
            size = math.prod(start.shape[1:])
            state |= {"share": ones * SPARSITY, "nonzero": ones * size}
        return state

    def perturb(self, objective: Objective, x: Tensor, start: Tensor) -> Tensor:
        """All iterations from ``start``."""
        state = self.begin_at(objective, x, start)
        return self.result(x, self.all_stages(objective, x, state))

    def result(self, x: Tensor, state: State) -> Tensor:
        """The last iterate that fooled, else the one of the largest objective."""
        return where(state["fooled"], state["best"], state["top"])

    # -- steps --------------------------------------------------------------------------------

    def advance(
        self, objective: Objective, x: Tensor, state: State, first: Any, last: Any, plan: Any
    ) -> State:
        """Steps [first, last), then the checkpoint."""
        if self.shrinking:
            now = ops.cast(self._radius(first) < self._radius(first - 1), "int32")
            state = iterate(0, now, lambda _, s: self._turn(objective, x, s, first), state)
        state = iterate(first, last, lambda i, s: self._step(objective, x, s, i), state)
        if self.norm == "l1":
            return self._check_sparsity(x, state, self._radius(first))
        return self._check(state, ops.cast(last - first, "float32"))

    def _turn(self, objective: Objective, x: Tensor, state: State, i: Any) -> State:
        """The ball has shrunk: the search begins anew at its best point, projected."""
        start = self.ball.inside(x, state["top"], self._radius(i))
        return self.begin_at(objective, x, start, i) | self._sparsity(start, x)

    def _step(self, objective: Objective, x: Tensor, state: State, i: Any) -> State:
        moved = self._move(x, state, i)
        gradient, value, z = self._evaluate(objective, moved)
        fools, better = (
            objective.hit(z) * self._counts(i),
            ops.cast(value > state["top_value"], "float32"),
        )
        raised = ops.cast(value > state["value"], "float32")
        return state | {
            "x": moved,
            "before": state["x"],
            "gradient": gradient,
            "best": where(fools, moved, state["best"]),
            "fooled": ops.maximum(state["fooled"], fools),
            "top": where(better, moved, state["top"]),
            "top_gradient": where(better, gradient, state["top_gradient"]),
            "top_value": ops.maximum(value, state["top_value"]),
            "value": value,
            "raises": state["raises"] + raised,
        }

    def _move(self, x: Tensor, state: State, i: Any) -> Tensor:
        here, step = state["x"], ops.reshape(state["step"], (-1, *[1] * (len(x.shape) - 1)))
        if self.norm == "l1":
            ahead = here + step * self._sparse_direction(state)
            return self.ball.inside(x, ahead, self._radius(i))
        ahead = self.inside(x, here + step * self.ball.steepest(state["gradient"]))
        weight = ops.where(i > 0, MOMENTUM, 1.0)
        momentum = (ahead - here) * weight + (here - state["before"]) * (1.0 - weight)
        return self.inside(x, here + momentum)

    def _sparse_direction(self, state: State) -> Tensor:
        """Signs of the gradient's largest entries, over their number."""
        gradient = state["gradient"]
        size = math.prod(gradient.shape[1:])
        sizes = ops.sort(ops.reshape(ops.abs(gradient), (-1, size)), axis=-1)
        place = ops.clip((1.0 - state["share"]) * size, 0.0, size - 1.0)
        least = ops.take_along_axis(sizes, ops.cast(place, "int32")[:, None], axis=-1)
        large = ops.abs(gradient) >= ops.reshape(least, (-1, *[1] * (len(gradient.shape) - 1)))
        return self.ball.normalize(ops.where(large, ops.sign(gradient), 0.0))

    def _evaluate(self, objective: Objective, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Gradient, objective and logits, averaged over ``eot`` passes."""
        total = backend.input_gradient_and_values(objective.with_logits, x)
        if self.eot == 1:
            return total

        def add(_: Any, total: Any) -> Any:
            more = backend.input_gradient_and_values(objective.with_logits, x)
            return tuple(a + b for a, b in zip(total, more, strict=True))

        total = iterate(1, self.eot, add, total)
        gradient, value, z = (part / self.eot for part in total)
        return gradient, value, z

    # -- checkpoints --------------------------------------------------------------------------

    def _check(self, state: State, steps: Tensor) -> State:
        few = ops.cast(state["raises"] <= steps * RHO, "float32")
        stuck = (1.0 - state["halved"]) * ops.cast(
            state["checked_value"] >= state["top_value"], "float32"
        )
        halve = ops.maximum(few, stuck)
        return _back_to_top(halve, state) | {
            "step": ops.where(halve > 0, state["step"] / 2.0, state["step"]),
            "halved": halve,
            "checked_value": state["top_value"],
            "raises": ops.zeros_like(state["raises"]),
        }

    def _check_sparsity(self, x: Tensor, state: State, longest: Tensor) -> State:
        sparsity = self._sparsity(state["top"], x)
        kept = sparsity["nonzero"] / ops.maximum(state["nonzero"], 1e-10)
        fewer = ops.cast(kept < 0.95, "float32")
        step = ops.where(fewer > 0, longest, state["step"] / 1.5)
        step = ops.clip(step, longest / 10.0, longest)
        return _back_to_top(fewer, state) | sparsity | {"step": step}

    def _sparsity(self, image: Tensor, x: Tensor) -> State:
        """How many values of the image are changed, and the share that the next steps change."""
        axes = tuple(range(1, len(x.shape)))
        count = ops.sum(ops.cast(ops.abs(image - x) > 0, "float32"), axis=axes)
        return {"share": count / math.prod(x.shape[1:]) / 1.5, "nonzero": count}


def _back_to_top(mask: Tensor, state: State) -> State:
    """Where the mask is set, the search goes on from its best point."""
    return state | {
        "x": where(mask, state["top"], state["x"]),
        "gradient": where(mask, state["top_gradient"], state["gradient"]),
    }
