"""Attacks on arrays of any length, batch by batch, on functions that are compiled once."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from slr_keras import backend, networks
from slr_keras.attacks._numbers import seeded, signature, tensors
from slr_keras.attacks._objective import Objective
from slr_keras.attacks._packing import Stop
from slr_keras.backend import keras, ops
from slr_keras.checks import as_labels, check_pixels
from slr_keras.errors import DataError
from slr_keras.inference import InferenceNetwork

Tensor = Any
Attack = Any  # a slr_keras.attacks._base.Attack, which is above this module
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
        self.network, self.batch_size = networks.unwrapped(model), batch_size
        self._made: dict[Any, Any] = {}

    def __call__(self, attack: Attack, x: Any, y: Any, *, seed: int = 0) -> np.ndarray:
        """Adversarial images; see :meth:`slr_keras.attacks._base.Attack.__call__`."""
        x, y = _checked(x, y)
        return self._made_for(attack, x)(attack, x, y, seed)

    def stops(self, attack: Attack, x: Any, y: Any, *, seed: int = 0) -> Iterator[Stop]:
        """The same for an attack that has stages, on a few images, stop by stop.

        The last stop holds the result.
        """
        x, y = _checked(x, y)
        return self._made_for(attack, x).like(attack, seed).stops(x, y, np.arange(len(x)))

    def _made_for(self, attack: Attack, x: np.ndarray) -> Any:
        """What runs this kind of attack on images of this shape; the newest are kept."""
        size, shape = min(self.batch_size, len(x)), x.shape[1:]
        key = attack.kind(), size, shape
        made = self._made.pop(key, None) or attack.prepared(self.network, size, shape)
        self._made[key] = made
        while len(self._made) > KEPT:
            del self._made[next(iter(self._made))]
        return made


class Whole:
    """One kind of attack that has no stages, on one model."""

    def __init__(self, network: Any, attack: Attack, size: int, shape: tuple[int, ...]):
        self.network, self.attack, self.size, self.seeds = network, attack, size, seeded(0)
        self.inference = InferenceNetwork(network) if isinstance(network, keras.Model) else None
        images, labels = ((None, *shape), "float32"), ((None,), "int32")
        self._step = backend.compiled(self._run, images, labels, *signature(attack.numbers()))

    def _run(self, x: Tensor, y: Tensor, *numbers: Tensor) -> Tensor:
        logits = self.inference.snapshot() if self.inference else self.network
        attack = self.attack.given(dict(zip(self.attack.numbers(), numbers, strict=True)))
        return attack.run(Objective(logits, y, attack.targeted), x, self.seeds)

    def __call__(self, attack: Attack, x: np.ndarray, y: np.ndarray, seed: int) -> np.ndarray:
        """Adversarial images, batch by batch, drawn with ``seed``."""
        self.seeds.state.assign([seed, 0])
        numbers, starts = tensors(attack.numbers()).values(), range(0, len(x), self.size)
        parts = [(x[i : i + self.size], y[i : i + self.size]) for i in starts]
        found = [self._step(*map(ops.convert_to_tensor, part), *numbers) for part in parts]
        return np.concatenate([ops.convert_to_numpy(images) for images in found])


def _checked(x: Any, y: Any) -> tuple[np.ndarray, np.ndarray]:
    """Images as float32 and labels as class numbers, as many of both."""
    x, y = np.asarray(x), np.asarray(y)
    if len(x) != len(y) or len(x) == 0:
        raise DataError(f"expected as many labels as images, received {len(y)} and {len(x)}")
    check_pixels(x)
    return x.astype("float32"), as_labels("labels", y)
