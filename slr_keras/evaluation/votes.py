"""What a network says of images under Gaussian noise, counted: smoothing's forward passes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from slr_keras import backend, hashing, networks
from slr_keras.backend import keras, ops, random
from slr_keras.data import as_float
from slr_keras.inference import InferenceNetwork

Tensor = Any
BLOCK = 25  # draws of an image that are made from one seed
WORD = 30  # random bits of each half of a seed: PyTorch adds the halves in 32


class Votes:
    """How often a network calls an image by each class when noise ``sigma N(0, I)`` is added.

    The noise is not clipped. That of a draw depends on the seed, the image's number, what it is
    drawn for and its own number alone. The network runs folded, as attacks see it
    (:mod:`slr_keras.inference`): it says the same but for rounding. Where its logits are NaN or
    infinite it votes for no class.

    Args:
        model: Keras classifier with logits, or a function from images to logits.
        sigma: standard deviation, in pixels of [0, 1].
        batch_size: noisy images at once, rounded down to a multiple of 25, at least 25.
        seed: fixes the noise.

    Example:
        >>> Votes(net, 0.25).count(x, np.arange(len(x)), 100, "look")  # doctest: +SKIP
    """

    def __init__(self, model: Any, sigma: float, *, batch_size: int = 250, seed: int = 0):
        self.sigma, self.seed = sigma, seed
        self.rows = max(1, batch_size // BLOCK)  # blocks at once
        self.network = networks.unwrapped(model)
        is_keras = isinstance(self.network, keras.Model)
        self.inference = InferenceNetwork(self.network) if is_keras else None
        self._made: dict[tuple[int, ...], Any] = {}

    def count(self, x: np.ndarray, numbers: np.ndarray, draws: int, purpose: str) -> np.ndarray:
        """Votes (N, K), int64, of images (N, H, W, C), uint8 or float in [0, 1].

        Args:
            numbers: (N,) what the images are called for drawing.
            draws: noisy images of each.
            purpose: another word gives other noise.
        """
        run, total = self._compiled(x.shape[1:]), None
        waiting: list[tuple[np.ndarray, Tensor]] = []
        for which, *rest in self._batches(numbers, draws, purpose):
            waiting.append((which, run(as_float(x[which]), *rest)))
            if len(waiting) > 1:  # one is computed while the next is prepared
                total = _added(total, len(x), *waiting.pop(0))
        return _added(total, len(x), *waiting.pop())

    def _batches(
        self, numbers: np.ndarray, draws: int, purpose: str
    ) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
        """Portions of blocks: their images' rows, seeds (rows, 2), and draws of each that count."""
        blocks = -(-draws // BLOCK)
        count = len(numbers) * blocks
        place = np.arange(-(-count // self.rows) * self.rows)  # the last portion is filled up
        which, block = np.divmod(np.minimum(place, count - 1), blocks)
        left = np.where(place < count, np.minimum(BLOCK, draws - block * BLOCK), 0).astype("int32")
        seeds = _words(hashing.bits(self.seed, f"smoothing: {purpose}", numbers[which], block))
        for first in range(0, len(place), self.rows):
            part = slice(first, first + self.rows)
            yield which[part], seeds[part], left[part]

    def _compiled(self, shape: tuple[int, ...]) -> Callable[..., Tensor]:
        if shape not in self._made:
            images, seeds = ((self.rows, *shape), "float32"), ((self.rows, 2), _word_kind())
            self._made[shape] = backend.compiled(
                self._votes, images, seeds, ((self.rows,), "int32")
            )
        return self._made[shape]

    def _votes(self, images: Tensor, seeds: Tensor, left: Tensor) -> Tensor:
        """Votes (rows, K) of the first ``left`` draws of each block."""
        shape = tuple(images.shape[1:])
        drawn = [random.normal((BLOCK, *shape), seed=_Given(seeds[i])) for i in range(self.rows)]
        noisy = ops.expand_dims(images, 1) + self.sigma * ops.stack(drawn)
        z = self._logits()(ops.reshape(noisy, (self.rows * BLOCK, *shape)))
        sound = ops.all(ops.isfinite(z), axis=-1, keepdims=True)
        votes = ops.one_hot(ops.argmax(z, axis=-1), z.shape[-1]) * ops.cast(sound, "float32")
        counts = ops.arange(BLOCK, dtype="int32")[None] < ops.expand_dims(left, 1)
        votes = ops.reshape(votes, (self.rows, BLOCK, z.shape[-1]))
        return ops.sum(votes * ops.cast(ops.expand_dims(counts, 2), "float32"), axis=1)

    def _logits(self) -> Callable[[Tensor], Tensor]:
        if self.inference is not None:
            return self.inference.snapshot()
        return lambda x: ops.cast(self.network(x), "float32")


class _Given(keras.random.SeedGenerator):
    """A seed (2,) that is an argument of what is compiled, as Keras' random functions take it."""

    def __init__(self, seed: Tensor):
        self.seed = seed

    def next(self, ordered: bool = True) -> Tensor:
        return self.seed


def _words(bits: np.ndarray) -> np.ndarray:
    """Seeds (N, 2) of random bits (N,)."""
    mask = np.uint64(2**WORD - 1)
    return np.stack([bits & mask, (bits >> np.uint64(32)) & mask], axis=1).astype(_word_kind())


def _word_kind() -> str:
    return "uint32" if backend.name() == "jax" else "int32"


def _added(total: np.ndarray | None, count: int, which: np.ndarray, votes: Tensor) -> np.ndarray:
    """Votes of blocks added to those of their images, (N, K)."""
    found = ops.convert_to_numpy(votes).astype("int64")
    total = np.zeros((count, found.shape[1]), "int64") if total is None else total
    np.add.at(total, which, found)
    return total
