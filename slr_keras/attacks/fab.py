"""Fast adaptive boundary attack: Croce & Hein 2020 (arXiv 1907.02044), algorithm 1."""

from __future__ import annotations

import dataclasses
import typing
from typing import Any

from slr_keras.attacks._objective import Objective
from slr_keras.attacks._planes import FAR, nearest_plane, plane_to
from slr_keras.attacks._staged import Staged, State, iterate, uniform, where
from slr_keras.backend import ops
from slr_keras.errors import SettingError, UserError
from slr_keras.settings.schema import setting

Tensor = Any


@dataclasses.dataclass(frozen=True)
class FAB(Staged):
    """Looks for the nearest adversarial image, whatever the radius.

    The boundary to the nearest other class is linearised at ``x_i``, ``{v : <w, v> = b}``; the step
    mixes the projections ``d_i`` of ``x_i`` and ``d_0`` of the image onto that plane and the cube:
    ``x <- clip((1 - a)(x_i + eta d_i) + a (x_0 + eta d_0))`` with
    ``a = min(||d_i|| / (||d_i|| + ||d_0||), alpha_max)``. When ``x`` fools the model it is kept if
    it is nearer than what was found before, and the search goes back:
    ``x <- x_0 + beta (x - x_0)``. The search begins at the image, restarts at random points within
    half the radius.

    The result is the nearest adversarial image within ``eps``, or the image itself. The search ends
    at the first one, as in AutoAttack, or with ``nearest`` only after all iterations and rounds.

    Example:
        >>> FAB(norm="l2", eps=0.5).steps
        100
    """

    name = "fab"
    ascends = False
    nearest_in = ("linf", "l2", "l1")
    repeats = ("steps", "targets", "restarts")

    steps: int = setting(100, help="iterations", at_least=1)
    alpha_max: float = setting(0.1, help="largest weight of the way back", above=0, at_most=1)
    eta: float = setting(1.05, help="overshoot of a projection", at_least=1)
    beta: float = setting(0.9, help="share kept on the way back", above=0, below=1)
    targets: int = setting(
        0, help="wrong classes attacked in turn, most likely first; 0: the nearest", at_least=0
    )
    nearest: bool = setting(
        False, help="search on for the nearest image when one within the radius is found"
    )

    def validate(self) -> None:
        """The nearest boundary is not that of a class to reach."""
        super().validate()
        if self.targeted:
            raise SettingError("targeted", "fab looks for the nearest boundary, set false")

    def rounds(self) -> tuple[int, ...]:
        """A round for each target and restart."""
        ranks = range(1, self.targets + 1) if self.targets else (0,)
        return tuple(ranks) * self.restarts

    @property
    def searches_on(self) -> bool:
        """As asked for by ``nearest``."""
        return self.nearest

    def unbounded(self, shape: tuple[int, ...]) -> typing.Self:
        """As :meth:`Attack.unbounded`; every iteration and round is made."""
        return super().unbounded(shape).replace(nearest=True)

    def random_begin(self, round_: int) -> bool:
        """The first run towards each class begins at the image."""
        return round_ >= max(self.targets, 1)

    def check_classes(self, classes: int) -> None:
        """There are K - 1 wrong classes."""
        if classes < self.targets + 1:
            raise UserError(
                f"FAB with {self.targets} targets needs {self.targets + 1} classes, "
                f"the model has {classes}: use fewer targets"
            )

    def stops(self) -> tuple[int, ...]:
        """Every tenth iteration."""
        return (*range(10, self.steps, 10), self.steps)

    def begin(self, objective: Objective, x: Tensor, noise: Tensor) -> State:
        """The image, or a random point near it."""
        t = uniform(noise) if self.norm == "linf" else noise
        start = ops.clip(x + 0.5 * self.eps * self.ball.normalize(t), 0.0, 1.0)
        return self._begin_at(objective, x, start)

    def _begin_at(self, objective: Objective, x: Tensor, start: Tensor) -> State:
        wrong = objective.fooled(x)
        distance = ops.where(wrong > 0, 0.0, FAR)
        return {"x": start, "best": x, "distance": distance, "fooled": wrong}

    def perturb(self, objective: Objective, x: Tensor, start: Tensor) -> Tensor:
        """All iterations from ``start``."""
        state = self._begin_at(objective, x, start)
        return self.result(x, self.advance(objective, x, state, 0, self.steps, {}))

    def result(self, x: Tensor, state: State) -> Tensor:
        """The nearest adversarial image if it lies in the ball, else the image."""
        return where(state["fooled"], state["best"], x)

    def advance(
        self, objective: Objective, x: Tensor, state: State, first: Any, last: Any, plan: Any
    ) -> State:
        """Iterations [first, last)."""
        return iterate(first, last, lambda _, s: self._step(objective, x, s), state)

    def _step(self, objective: Objective, x: Tensor, state: State) -> State:
        here = state["x"]
        w, offset = self.plane(objective, here)
        start_offset = offset + _dot(w, x - here)
        d_here, d_start = (
            self.ball.to_plane(here, w, offset),
            self.ball.to_plane(x, w, start_offset),
        )
        a = self._way_back(d_here, d_start)
        moved = (here + self.eta * d_here) * (1.0 - a) + (x + self.eta * d_start) * a
        return self._judge(objective, x, state, ops.clip(moved, 0.0, 1.0))

    def _way_back(self, d_here: Tensor, d_start: Tensor) -> Tensor:
        near, far = (ops.maximum(self.ball.size(d), 1e-8) for d in (d_here, d_start))
        share = ops.clip(near / (near + far), 0.0, self.alpha_max)
        return ops.reshape(share, (-1, *[1] * (len(d_here.shape) - 1)))

    def _judge(self, objective: Objective, x: Tensor, state: State, moved: Tensor) -> State:
        fools, distance = objective.fooled(moved), self.ball.size(moved - x)
        nearer = fools * ops.cast(distance < state["distance"], "float32")
        shortest = ops.where(nearer > 0, distance, state["distance"])
        return {
            "x": where(fools, x + self.beta * (moved - x), moved),
            "best": where(nearer, moved, state["best"]),
            "distance": shortest,
            "fooled": ops.cast(shortest <= self.eps, "float32"),
        }

    def plane(self, objective: Objective, x: Tensor) -> tuple[Tensor, Tensor]:
        """Gradient ``w`` and value ``f`` of the nearest class's lead: the plane ``f + <w, d> = 0``.

        Nearest in the linearised model, ``|f_k| / ||w_k||_dual``, over all other classes; in a
        round with a rival, that class.
        """
        if objective.rival is not None:
            return plane_to(objective, x, objective.rival)
        count = objective.logits(x).shape[-1]
        every = ops.broadcast_to(ops.arange(count, dtype="int32"), (ops.shape(x)[0], count))
        return nearest_plane(objective, self.ball, x, every)


def _dot(a: Tensor, b: Tensor) -> Tensor:
    return ops.sum(a * b, axis=tuple(range(1, len(a.shape))))
