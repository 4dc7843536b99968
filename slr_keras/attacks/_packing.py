"""Running an attack on many images so that images that are done cost nothing.

A window of images is attacked together. Between two stops of the attack those that are fooled
leave, and the others are packed into as few batches as hold them. There are three sizes of batch,
so the network is compiled three times at most, whatever the number of images.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from slr_keras import backend
from slr_keras.attacks._staged import Staged, wrong_class
from slr_keras.backend import keras, ops
from slr_keras.inference import InferenceNetwork

Tensor = Any
WINDOW = 4  # batches whose images are packed together
SHRINK = (1, 4, 16)  # the sizes of batch, as parts of the largest


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
        self.sizes = sorted({max(batch_size // part, 1) for part in SHRINK})
        network = getattr(model, "net", model)
        self.inference = InferenceNetwork(network) if isinstance(network, keras.Model) else None
        self.network = network
        self._begin = backend.compiled(self._begin_round)
        self._advance = backend.compiled(self._advance_round)

    # -- in the graph -------------------------------------------------------------------------

    def _logits(self) -> Callable[[Tensor], Tensor]:
        if self.inference is not None:
            return self.inference.snapshot()
        return lambda x: ops.cast(self.network(x), "float32")

    def _begin_round(self, x: Tensor, y: Tensor, noise: Tensor, rank: Tensor | None) -> Any:
        logits = self._logits()
        aim = self.attack.aim(logits, y)
        rival = None if rank is None else wrong_class(aim, x, rank)
        state = self.attack.begin(self.attack.aim(logits, y, rival), x, noise)
        return state | ({} if rival is None else {"rival": rival})

    def _advance_round(
        self, x: Tensor, y: Tensor, state: Any, first: Tensor, last: Tensor, plan: Any
    ) -> Any:
        rest = dict(state)
        rival = rest.pop("rival", None)
        aim = self.attack.aim(self._logits(), y, rival)
        new = self.attack.advance(aim, x, rest, first, last, plan)
        return new | ({} if rival is None else {"rival": rival})

    # -- on the host --------------------------------------------------------------------------

    def run(
        self,
        x: np.ndarray,
        y: np.ndarray,
        number: np.ndarray | None = None,
        on_stop: Callable[[int, int], None] = lambda *_: None,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Attack images (N, H, W, C), float32 in [0, 1], with labels (N,).

        Args:
            number: what the images are called for drawing; 0 to N - 1 if left out.
            on_stop: called after each stop with images finished in all and robust in the window.

        Returns:
            Adversarial images, or the attack's best tries, and (N,) bool: fooled.
        """
        number = np.arange(len(x)) if number is None else number
        best, fooled, done = x.copy(), np.zeros(len(x), bool), 0
        window = WINDOW * self.sizes[-1]
        for first in range(0, len(x), window):
            part = np.arange(first, min(first + window, len(x)))
            for round_, rank in enumerate(self.attack.rounds()):
                left = part[~fooled[part]]
                for which, images, hit in self._round(x, y, number, left, round_, rank):
                    best[which], fooled[which] = images, hit
                    on_stop(done, int((~fooled[part]).sum()))
            done += len(part)
        return best, fooled

    def _round(
        self, x: Any, y: Any, number: Any, left: np.ndarray, round_: int, rank: int
    ) -> Iterator[tuple[np.ndarray, np.ndarray, bool]]:
        """One round on the images ``left``; yields those that are fooled, stop by stop, then the
        others."""
        if not len(left):
            return
        noise = self._noise(x.shape[1:], number[left], round_)
        ranks = ops.convert_to_tensor(rank, "int32") if rank else None
        state = self._in_batches(
            lambda rows, pad: self._begin(
                pad(x[left[rows]]), pad(y[left[rows]]), pad(noise[rows]), ranks
            ),
            len(left),
        )
        first = 0
        for last in self.attack.stops():
            going = state["fooled"] == 0
            if not going.all():
                yield left[~going], state["best"][~going], True
                left, state = left[going], {key: value[going] for key, value in state.items()}
            if not len(left):
                return
            state = self._advance_all(x, y, left, state, (first, last))
            first = last
        tries = np.asarray(self.attack.result(x[left], state))
        for hit in (True, False):
            which = (state["fooled"] > 0) == hit
            yield left[which], tries[which], hit

    def _advance_all(self, x: Any, y: Any, left: Any, state: Any, span: tuple[int, int]) -> Any:
        bounds = [ops.convert_to_tensor(bound, "int32") for bound in span]
        plan = self.attack.plan(*span, x.shape[1:], self.seed)
        plan = {key: ops.convert_to_tensor(value) for key, value in plan.items()}

        def step(rows: Any, pad: Any) -> Any:
            held = {key: pad(value[rows]) for key, value in state.items()}
            return self._advance(pad(x[left[rows]]), pad(y[left[rows]]), held, *bounds, plan)

        return self._in_batches(step, len(left))

    def _in_batches(self, call: Callable[..., Any], count: int) -> dict[str, np.ndarray]:
        """``call`` on all rows, in batches of the allowed sizes; the results joined."""
        parts = []
        for rows, size in batches(count, self.sizes):
            out = call(rows, lambda value, size=size: _padded(value, size))
            parts.append({key: np.asarray(value)[: len(rows)] for key, value in out.items()})
        return {key: np.concatenate([part[key] for part in parts]) for key in parts[0]}

    def _noise(self, shape: Any, numbers: np.ndarray, round_: int) -> np.ndarray:
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
    if missing:
        value = np.concatenate([value, np.repeat(value[:1], missing, axis=0)])
    return ops.convert_to_tensor(value)
