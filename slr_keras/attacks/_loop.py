"""Attacks that make one step again and again and carry tensors beside the image."""

from __future__ import annotations

import dataclasses
from typing import Any

from slr_keras import backend
from slr_keras.attacks._base import Attack
from slr_keras.attacks._objective import Objective
from slr_keras.attacks._parts import in_parts

Tensor = Any
State = dict[str, Tensor]


@dataclasses.dataclass(frozen=True)
class Loop(Attack):
    """A loop as a state and a step, so that who looks on can stop after each of them.

    The state is a dictionary of tensors whose first axis is the batch. A subclass gives
    :meth:`first`, :meth:`then` and :meth:`last`, and has ``steps``.
    """

    @property
    def length(self) -> Any:
        """How many steps there are."""
        return self.steps  # type: ignore[attr-defined]

    def origin(self, x: Tensor, seed: Any) -> Tensor:
        """Where the loop begins: at the image."""
        return x

    def first(self, objective: Objective, x: Tensor, start: Tensor) -> State:
        """The state before step 0."""
        return {"image": start}

    def then(self, objective: Objective, x: Tensor, i: Any, state: State) -> State:
        """The state after step ``i``."""
        raise NotImplementedError

    def here(self, state: State) -> Tensor:
        """The image that the loop is at."""
        return state["image"]

    def last(self, x: Tensor, state: State) -> Tensor:
        """The image to return."""
        return state["image"]

    def perturb(self, objective: Objective, x: Tensor, start: Tensor) -> Tensor:
        """All steps from ``start``, all arguments (B, H, W, C)."""
        return in_parts(self._search, objective, x, start)

    def _search(self, objective: Objective, x: Tensor, start: Tensor) -> Tensor:
        state = self.first(objective, x, start)
        state = backend.loop(0, self.length, lambda i, s: self.then(objective, x, i, s), state)
        return self.last(x, state)

    def run(self, objective: Objective, x: Tensor, seed: Any) -> Tensor:
        """:meth:`perturb` from :meth:`origin`."""
        return self.perturb(objective, x, self.origin(x, seed))
