"""Attacks that pause at fixed iterations, so that images that are done can leave the batch."""

from __future__ import annotations

import dataclasses
import itertools
import math
from typing import Any, ClassVar

from slr_keras import backend
from slr_keras.attacks._base import Attack
from slr_keras.attacks._objective import Objective, wrong_class
from slr_keras.backend import np, ops, random
from slr_keras.settings.schema import setting

Tensor = Any
State = dict[str, Tensor]
Plan = dict[str, Any]


@dataclasses.dataclass(frozen=True)
class Staged(Attack):
    """An attack as a state per image and a loop that can stop and go on.

    The state is a dictionary of tensors whose first axis is the batch; ``best`` is the image to
    return and ``fooled`` (B,) is 1.0 where it fools the model. Nothing in it depends on the other
    images of the batch, so batches can be re-packed between two stops.

    A subclass gives :meth:`stops`, :meth:`begin` and :meth:`advance`, and :meth:`plan` if it draws
    numbers that all images share. What is compiled is one beginning and one stage; whole numbers
    that only decide how often they run belong into ``repeats``.
    """

    own_objective: ClassVar[bool] = True
    repeats: ClassVar[tuple[str, ...]] = ("restarts",)

    restarts: int = setting(1, help="independent runs; the first that fools counts", at_least=1)

    def rounds(self) -> tuple[int, ...]:
        """Runs made one after the other, each on what is still robust: the rank of the wrong class
        that the round goes for, by its logit on the clean image (1: the most likely). Or all 0."""
        return (0,) * self.restarts

    @property
    def searches_on(self) -> bool:
        """Whether images that are fooled stay, for a nearer one: the nearest of all rounds counts.
        If not, they leave, and the first one that fools counts."""
        return False

    def stops(self) -> tuple[int, ...]:
        """Iterations after which the loop pauses, ascending; the last one ends it."""
        raise NotImplementedError

    def random_begin(self, round_: int) -> bool:
        """Whether a round begins at a random point; if not, :meth:`begin` gets zeros as noise."""
        return True

    def prepared(self, network: Any, size: int, shape: tuple[int, ...]) -> Any:
        """Images that are fooled leave the batch."""
        from slr_keras.attacks._packing import Packed  # loads the framework

        return Packed(network, self, batch_size=size)

    def aim(self, logits: Any, labels: Tensor, rival: Tensor | None = None) -> Objective:
        """What a round raises."""
        return Objective(logits, labels, self.targeted, rival=rival)

    def plan(self, first: int, last: int, shape: tuple[int, ...], seed: int) -> Plan:
        """Arrays that iterations [first, last) share over all images (H, W, C), a row for each.

        Rows may follow that no iteration reads: all stages have arrays of the same shapes.
        """
        return {}

    def begin(self, objective: Objective, x: Tensor, noise: Tensor) -> State:
        """The state before iteration 0; ``noise`` is standard normal or 0, like ``x``."""
        raise NotImplementedError

    def advance(
        self, objective: Objective, x: Tensor, state: State, first: Any, last: Any, plan: Any
    ) -> State:
        """Iterations [first, last), bounds being numbers or scalar tensors."""
        raise NotImplementedError

    def run(self, objective: Objective, x: Tensor, seed: Any) -> Tensor:
        """All rounds at once; drawn from a Keras ``SeedGenerator`` (the plan: from seed 0)."""
        rounds = self.rounds()
        draws = [random.normal(ops.shape(x), seed=seed) for _ in rounds]
        noise = ops.stack([n * float(self.random_begin(i)) for i, n in enumerate(draws)])
        ranks = ops.convert_to_tensor(rounds, "int32")

        def round_(i: Any, best: Tensor) -> Tensor:
            rival = wrong_class(objective, x, ops.take(ranks, i)) if any(rounds) else None
            aim = self.aim(objective.logits, objective.labels, rival)
            state = self.begin(aim, x, ops.take(noise, i, axis=0))
            found = self.result(x, self.all_stages(aim, x, state))
            if self.searches_on:
                return self.nearer(x, best, found)
            return self.better(objective, best, found)

        return iterate(0, len(rounds), round_, x)

    def all_stages(self, aim: Objective, x: Tensor, state: State) -> State:
        """:meth:`advance` from one stop to the next until the last."""
        bounds = [0, *self.stops()]
        spans = list(itertools.pairwise(bounds))
        drawn = [self.plan(*span, tuple(x.shape[1:]), 0) for span in spans]
        plans = {key: np.stack([plan[key] for plan in drawn]) for key in drawn[0]}
        stops = ops.convert_to_tensor(bounds, "int32")

        def stage(i: Any, state: State) -> State:
            plan = {key: ops.take(value, i, axis=0) for key, value in plans.items()}
            return self.advance(aim, x, state, ops.take(stops, i), ops.take(stops, i + 1), plan)

        return iterate(0, len(spans), stage, state)

    def result(self, x: Tensor, state: State) -> Tensor:
        """The image to return for a state: the one that fools, or the attack's best try."""
        return state["best"]

    def nearer(self, x: Tensor, a: Tensor, b: Tensor) -> Tensor:
        """Per image the nearer of two results of a search for the nearest adversarial image, in
        which ``x`` itself stands for none (``a`` on a tie)."""
        far_a, far_b = self.ball.size(a - x), self.ball.size(b - x)
        closer = ops.logical_or(ops.equal(far_a, 0.0), far_b < far_a)
        return backend.where_rows(ops.logical_and(far_b > 0.0, closer), b, a)

    def perturb(self, objective: Objective, x: Tensor, start: Tensor) -> Tensor:
        """All iterations from a given start."""
        raise NotImplementedError


def where(mask: Tensor, a: Tensor, b: Tensor) -> Tensor:
    """Per image ``a`` where ``mask`` (B,) is above 0, else ``b``."""
    return backend.where_rows(mask > 0, a, b)


def uniform(noise: Tensor) -> Tensor:
    """Standard normal noise turned into uniform noise on [-1, 1]."""
    return ops.erf(noise / math.sqrt(2))


def iterate(first: Any, last: Any, body: Any, state: Any) -> Any:
    """``state = body(i, state)`` for i in [first, last)."""
    return backend.loop(first, last, body, state)
