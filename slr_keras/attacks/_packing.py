"""Running an attack on many images so that images that are done cost nothing.

A window of images is attacked together. Between two stops of the attack those that are fooled
leave, and the others are packed into as few batches as hold them. Where a backend compiles for a
number of rows (JAX) there are three sizes of batch, so the network is compiled three times at most.
"""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from slr_keras import backend, networks
from slr_keras.attacks._numbers import tensors
from slr_keras.attacks._objective import Objective, wrong_class
from slr_keras.attacks._parts import in_parts
from slr_keras.backend import keras, ops
from slr_keras.inference import InferenceNetwork

Tensor = Any
Staged = Any  # a slr_keras.attacks._staged.Staged, which is above this module
Kept = dict[str, np.ndarray]
WINDOW = 4  # batches whose images are packed together
SHRINK = (1, 4, 16)  # the sizes of batch, as parts of the largest
SMALLEST = 8  # images in a batch: fewer save less than compiling for them costs


@dataclasses.dataclass(frozen=True)
class Stop:
    """Where the attack on a window stands at a stop; nothing in it changes afterwards.

    Attributes:
        best: images (N, H, W, C): adversarial where ``fooled`` (N,), else the attack's best tries.
        round, stop: rounds that are over, and stops passed in the one that goes on.
        left, state: rows still attacked in the round, and their state; none between two rounds.
        share: the part of the work that is done, if nobody were to leave any more.
    """

    best: np.ndarray
    fooled: np.ndarray
    round: int = 0
    stop: int = 0
    left: Any = None
    state: Kept = dataclasses.field(default_factory=dict)
    share: float = 0.0

    @classmethod
    def start(cls, x: np.ndarray) -> Stop:
        """Before the first round."""
        return cls(x, np.zeros(len(x), bool))

    def replace(self, **changes: Any) -> Stop:
        """A copy with some fields changed."""
        return dataclasses.replace(self, **changes)

    def keep(self) -> Kept:
        """All of it as arrays, for :meth:`restore`."""
        kept = {"best": self.best, "fooled": self.fooled, "at": np.array([self.round, self.stop])}
        if self.state:
            kept |= {"left": self.left} | {f"state.{key}": v for key, v in self.state.items()}
        return kept

    @classmethod
    def restore(cls, kept: Kept) -> Stop:
        """The inverse of :meth:`keep`."""
        state = {k.removeprefix("state."): v for k, v in kept.items() if k.startswith("state.")}
        round_, stop = map(int, kept["at"])
        return cls(kept["best"], kept["fooled"], round_, stop, kept.get("left"), state)


class Packed:
    """One staged attack on one model.

    Args:
        model: Keras classifier with logits, or a function from images to logits.
        attack: what runs.
        batch_size: images at once, at most.
        seed: with the number of an image it fixes everything that is drawn for it.

    Example:
        >>> adversarial, fooled = Packed(model, APGD(eps=8/255)).run(x, y)  # doctest: +SKIP
    """

    def __init__(self, model: Any, attack: Staged, *, batch_size: int = 128, seed: int = 0):
        self.attack, self.seed = attack, seed
        least = min(SMALLEST, batch_size)
        parts = (1,) if backend.ANY_ROWS else SHRINK
        self.sizes = sorted({max(batch_size // part, least) for part in parts})
        network = networks.unwrapped(model)
        self.inference = InferenceNetwork(network) if isinstance(network, keras.Model) else None
        self.network = network
        self._begin = backend.compiled(self._begin_round)
        self._advance = backend.compiled(self._advance_round)

    def like(self, attack: Staged, seed: int = 0) -> Packed:
        """The same for an attack of the same kind and another seed: nothing is compiled anew."""
        if attack.kind() != self.attack.kind():
            raise ValueError(f"expected an attack like {self.attack}, received {attack}")
        other = copy.copy(self)
        other.attack, other.seed = attack, seed
        return other

    def __call__(self, attack: Staged, x: np.ndarray, y: np.ndarray, seed: int) -> np.ndarray:
        """Adversarial images of an attack of the same kind, drawn with ``seed``."""
        return self.like(attack, seed).run(x, y)[0]

    # -- in the graph -------------------------------------------------------------------------

    def _logits(self) -> Callable[[Tensor], Tensor]:
        if self.inference is not None:
            return self.inference.snapshot()
        return lambda x: ops.cast(self.network(x), "float32")

    def _begin_round(
        self, x: Tensor, y: Tensor, noise: Tensor, rank: Tensor | None, numbers: Any
    ) -> Any:
        attack, logits = self.attack.given(numbers), self._logits()
        aim = attack.aim(logits, y)
        rival = None if rank is None else wrong_class(aim, x, rank)
        state = attack.begin(attack.aim(logits, y, rival), x, noise)
        return state | ({} if rival is None else {"rival": rival})

    def _advance_round(
        self, x: Tensor, y: Tensor, state: Any, first: Tensor, last: Tensor, plan: Any, numbers: Any
    ) -> Any:
        attack, rest = self.attack.given(numbers), dict(state)
        rival = rest.pop("rival", None)

        def search(aim: Objective, x: Tensor, state: Any) -> Any:
            return attack.advance(aim, x, state, first, last, plan)

        new = in_parts(search, attack.aim(self._logits(), y, rival), x, rest)
        return new | ({} if rival is None else {"rival": rival})

    # -- on the host --------------------------------------------------------------------------

    @property
    def window(self) -> int:
        """Images that are attacked together, at most."""
        return WINDOW * self.sizes[-1]

    def run(
        self,
        x: np.ndarray,
        y: np.ndarray,
        number: np.ndarray | None = None,
        on_stop: Callable[[Stop], None] = lambda _: None,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Attack images (N, H, W, C), float32 in [0, 1], with labels (N,).

        Args:
            number: what the images are called for drawing; 0 to N - 1 if left out.
            on_stop: called after each stop.

        Returns:
            Adversarial images, or the attack's best tries, and (N,) bool: fooled.
        """
        number = np.arange(len(x)) if number is None else number
        best, fooled = x.copy(), np.zeros(len(x), bool)
        for first in range(0, len(x), self.window):
            part = slice(first, first + self.window)
            best[part], fooled[part] = self.run_window(x[part], y[part], number[part], on_stop)
        return best, fooled

    def run_window(
        self,
        x: np.ndarray,
        y: np.ndarray,
        number: np.ndarray,
        on_stop: Callable[[Stop], None] = lambda _: None,
        kept: Kept | None = None,
    ) -> tuple[np.ndarray, np.ndarray]:
        """:meth:`run` on images that fit into one window; goes on from ``kept``, of a stop."""
        at = begun = Stop.restore(kept) if kept else Stop.start(x)
        for at in self.stops(x, y, number, begun):
            on_stop(at)
        return at.best, at.fooled

    def stops(
        self, x: np.ndarray, y: np.ndarray, number: np.ndarray, at: Stop | None = None
    ) -> Iterator[Stop]:
        """The stops of :meth:`run_window`, after ``at``; the last one holds the result."""
        at = at or Stop.start(x)
        while at.round < len(self.attack.rounds()) and not self._over(at):
            at = self._to_next_stop(x, y, number, at)
            yield at

    def _over(self, at: Stop) -> bool:
        """Whether no image is left to attack, before the last round."""
        return bool(at.fooled.all()) and not self.attack.searches_on

    def _to_next_stop(self, x: Any, y: Any, number: Any, at: Stop) -> Stop:
        stops = self.attack.stops()
        if not at.state:
            left = np.flatnonzero(~at.fooled | self.attack.searches_on)
            state, at = self._begin_all(x, y, number, left, at.round), at.replace(left=left, stop=0)
        else:
            span = stops[at.stop - 1] if at.stop else 0, stops[at.stop]
            state, at = (
                self._advance_all(x, y, at.left, at.state, span),
                at.replace(stop=at.stop + 1),
            )
        at = self._let_go(x, at.replace(state=state), last=at.stop == len(stops))
        passed = (at.round + at.stop / len(stops)) / len(self.attack.rounds())
        return at.replace(share=1.0 if self._over(at) else passed)

    def _let_go(self, x: np.ndarray, at: Stop, last: bool) -> Stop:
        """The images that are fooled leave, unless the attack searches on for nearer ones; after
        the last stop of a round the others as well."""
        hit, on = at.state["fooled"] > 0, self.attack.searches_on
        leaving = np.ones_like(hit) if last else hit & (not on)
        tries = (
            ops.convert_to_numpy(self.attack.result(x[at.left], at.state))
            if last or on
            else at.state["best"]
        )
        best, fooled, taken = at.best.copy(), at.fooled.copy(), leaving | hit
        rows, tries = at.left[taken], tries[taken]
        if on and len(rows):
            sides = map(ops.convert_to_tensor, (x[rows], best[rows], tries))
            tries = ops.convert_to_numpy(self.attack.nearer(*sides))
        best[rows], fooled[at.left[hit]] = tries, True
        at = at.replace(best=best, fooled=fooled)
        if leaving.all():
            return at.replace(left=None, state={}, round=at.round + 1, stop=0)
        state = {key: value[~leaving] for key, value in at.state.items()}
        return at.replace(left=at.left[~leaving], state=state)

    def _begin_all(self, x: Any, y: Any, number: Any, left: Any, round_: int) -> Any:
        noise = self._noise(x.shape[1:], number[left], round_)
        rank = self.attack.rounds()[round_]
        ranks = ops.convert_to_tensor(rank, "int32") if rank else None
        rest = ranks, tensors(self.attack.numbers())

        def begin(rows: Any, pad: Any) -> Any:
            return self._begin(pad(x[left[rows]]), pad(y[left[rows]]), pad(noise[rows]), *rest)

        return self._in_batches(begin, len(left))

    def _advance_all(self, x: Any, y: Any, left: Any, state: Any, span: tuple[int, int]) -> Any:
        bounds = [ops.convert_to_tensor(bound, "int32") for bound in span]
        plan = self.attack.plan(*span, x.shape[1:], self.seed)
        plan = {key: ops.convert_to_tensor(value) for key, value in plan.items()}
        rest = *bounds, plan, tensors(self.attack.numbers())

        def step(rows: Any, pad: Any) -> Any:
            held = {key: pad(value[rows]) for key, value in state.items()}
            return self._advance(pad(x[left[rows]]), pad(y[left[rows]]), held, *rest)

        return self._in_batches(step, len(left))

    def _in_batches(self, call: Callable[..., Any], count: int) -> dict[str, np.ndarray]:
        """``call`` on all rows, in batches of the allowed sizes; the results joined."""
        parts = []
        for rows, size in batches(count, self.sizes):
            out = call(rows, lambda value, size=size: _padded(value, size))
            parts.append(
                {key: ops.convert_to_numpy(value)[: len(rows)] for key, value in out.items()}
            )
        return {key: np.concatenate([part[key] for part in parts]) for key in parts[0]}

    def _noise(self, shape: Any, numbers: np.ndarray, round_: int) -> np.ndarray:
        if not self.attack.random_begin(round_):
            return np.zeros((len(numbers), *shape), "float32")
        draws = [
            np.random.default_rng([self.seed, round_, int(n)]).standard_normal(shape, "float32")
            for n in numbers
        ]
        return np.stack(draws)


def batches(count: int, sizes: list[int]) -> Iterator[tuple[np.ndarray, int]]:
    """Rows and batch size: full batches of the largest size, the rest with least padding.

    >>> [(len(rows), size) for rows, size in batches(150, [8, 32, 128])]
    [(128, 128), (22, 32)]
    """
    first = 0
    while first < count:
        rest = count - first
        size = next((size for size in sizes if size >= rest), sizes[-1])
        if size > sizes[0] and rest <= size // 2:  # several small batches beat one half empty
            size = max(s for s in sizes if s <= rest) if rest >= sizes[0] else sizes[0]
        yield np.arange(first, min(first + size, count)), size
        first += size


def _padded(value: np.ndarray, size: int) -> Tensor:
    missing = size - len(value)
    if missing and not backend.ANY_ROWS:
        value = np.concatenate([value, np.repeat(value[:1], missing, axis=0)])
    return ops.convert_to_tensor(value)
