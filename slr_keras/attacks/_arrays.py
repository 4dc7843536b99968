"""Attacks on arrays of any length, batch by batch, on functions that are compiled once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from slr_keras import backend
from slr_keras.attacks._base import Attack, Objective, seeded, signature, tensors
from slr_keras.attacks._packing import Packed
from slr_keras.attacks._staged import Staged
from slr_keras.backend import keras, ops
from slr_keras.checks import check_pixels, class_numbers
from slr_keras.errors import DataError
from slr_keras.inference import InferenceNetwork

Tensor = Any
Run = Callable[[Any, np.ndarray, np.ndarray, int], np.ndarray]
KEPT = 8  # kinds of attack whose compiled functions are kept


class Runner:
    """Runs attacks on one model; each kind of attack is compiled once.

    Another radius, number of steps or seed compiles nothing, nor do other weights of the model.

    Args:
        model: a ``keras.Model`` with logits, or a function from images to logits.
        batch_size: images at once, at most.

    Example:
        >>> run = Runner(model)  # doctest: +SKIP
        >>> [run(PGD(eps=k/255), x, y) for k in range(9)]  # doctest: +SKIP
    """

    def __init__(self, model: Any, batch_size: int = 128):
        self.network, self.batch_size = getattr(model, "net", model), batch_size
        self._made: dict[Any, Run] = {}

    def __call__(self, attack: Attack, x: Any, y: Any, *, seed: int = 0) -> np.ndarray:
        """Adversarial images; see :meth:`slr_keras.attacks._base.Attack.__call__`."""
        x, y = np.asarray(x), np.asarray(y)
        if len(x) != len(y) or len(x) == 0:
            raise DataError(f"expected as many labels as images, received {len(y)} and {len(x)}")
        check_pixels(x)
        x, y = x.astype("float32"), np.asarray(class_numbers(y))
        shape = min(self.batch_size, len(x)), *x.shape[1:]
        return self._run_for(attack, shape)(attack, x, y, seed)

    def _run_for(self, attack: Attack, shape: tuple[int, ...]) -> Run:
        """What runs this kind of attack in batches of this shape; the newest are kept."""
        key = attack.kind(), shape
        make = _staged if isinstance(attack, Staged) else _whole
        self._made[key] = run = self._made.pop(key, None) or make(self.network, attack, shape)
        while len(self._made) > KEPT:
            del self._made[next(iter(self._made))]
        return run


def _staged(network: Any, kind: Any, shape: tuple[int, ...]) -> Run:
    packed = Packed(network, kind, batch_size=shape[0])
    return lambda attack, x, y, seed: packed.like(attack, seed).run(x, y)[0]


def _whole(network: Any, kind: Any, shape: tuple[int, ...]) -> Run:
    inference = InferenceNetwork(network) if isinstance(network, keras.Model) else None
    seeds, size = seeded(0), shape[0]

    def step(image: Tensor, label: Tensor, *numbers: Tensor) -> Tensor:
        logits = inference.snapshot() if inference else network
        attack = kind.given(dict(zip(kind.numbers(), numbers, strict=True)))
        return attack.run(Objective(logits, label, kind.targeted), image, seeds)

    images, labels = ((None, *shape[1:]), "float32"), ((None,), "int32")
    compiled = backend.compiled(step, images, labels, *signature(kind.numbers()))

    def run(attack: Any, x: np.ndarray, y: np.ndarray, seed: int) -> np.ndarray:
        seeds.state.assign([seed, 0])
        numbers, starts = tensors(attack.numbers()).values(), range(0, len(x), size)
        parts = [(x[i : i + size], y[i : i + size]) for i in starts]
        found = [compiled(*map(ops.convert_to_tensor, part), *numbers) for part in parts]
        return np.concatenate([ops.convert_to_numpy(images) for images in found])

    return run
