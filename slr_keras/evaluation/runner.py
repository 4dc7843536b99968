"""Running an attack over many images, batch by batch, on one compiled function."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from slr_keras import backend, losses, networks
from slr_keras.attacks._base import Attack
from slr_keras.attacks._numbers import seeded
from slr_keras.attacks._objective import Objective
from slr_keras.attacks._packing import Packed
from slr_keras.attacks._staged import Staged
from slr_keras.backend import keras, ops
from slr_keras.data import as_float
from slr_keras.inference import InferenceNetwork

Tensor = Any


@dataclasses.dataclass(frozen=True)
class Evaluation:
    """Per image: classified correctly when clean, and when attacked (None without attack)."""

    clean: np.ndarray
    robust: np.ndarray | None

    @property
    def accuracy(self) -> float:
        """Share of clean images classified correctly."""
        return float(self.clean.mean())

    @property
    def robust_accuracy(self) -> float | None:
        """Share of images still classified correctly under attack."""
        return None if self.robust is None else float(self.robust.mean())


class Evaluator:
    """Clean and robust accuracy of one network under one attack.

    The attack runs on the folded network; what counts is decided by the network itself, on the
    image and on the adversarial image. Random starts depend on ``seed`` and the image's place
    alone, so that two evaluations agree.

    Args:
        model: Keras classifier with logits, or a function from images to logits.
        attack: an untargeted attack, or None for clean accuracy only.
        seed: fixes the random starts.
        batch_size: images at once.

    Example:
        >>> Evaluator(model, PGD(steps=20)).run(x_test, y_test).robust_accuracy  # doctest: +SKIP
    """

    def __init__(self, model: Any, attack: Attack | None, *, seed: int = 0, batch_size: int = 128):
        self.attack, self.batch_size, self.seed = attack, batch_size, seed
        is_keras = isinstance(model, keras.Model)
        self.network = networks.unwrapped(model)
        self.inference = InferenceNetwork(self.network) if is_keras else None
        self.seeds = seeded(seed)
        self._step: Any = None
        self._packed = None
        if isinstance(attack, Staged):
            self._packed = Packed(self.network, attack, batch_size=batch_size, seed=seed)

    def _logits(self, x: Tensor) -> Tensor:
        z = self.network(x) if self.inference is None else self.network(x, training=False)
        return ops.cast(z, "float32")

    def _attack_and_judge(self, x: Tensor, y: Tensor, true: Tensor) -> tuple[Tensor, ...]:
        if self.attack is None:
            clean = losses.correct(self._logits(x), true)
            return clean, clean, x
        logits = self.inference.snapshot() if self.inference else self._logits
        found = self.attack.run(Objective(logits, y, self.attack.targeted), x, self.seeds)
        return self._judge(x, found, true)

    def _judge(self, x: Tensor, found: Tensor, true: Tensor) -> tuple[Tensor, ...]:
        hits = (losses.correct(self._logits(images), true) for images in (x, found))
        return (*hits, found)

    def batches(self, x: Any, y: Any, true: Any = None) -> Iterator[tuple[np.ndarray, ...]]:
        """Per batch: clean hits, hits under attack, adversarial images."""
        self.seeds.state.assign([self.seed, 0])
        if self._step is None:
            labels, images = ((None,), "int32"), ((None, *x.shape[1:]), "float32")
            body = self._judge if self._packed else self._attack_and_judge
            self._step = backend.compiled(body, images, images if self._packed else labels, labels)
        for first in range(0, len(x), self.batch_size):
            part = slice(first, first + self.batch_size)
            image, label = as_float(x[part]), np.asarray(y[part], "int32")
            real = label if true is None else np.asarray(true[part], "int32")
            second = label
            if self._packed is not None:
                second, _ = self._packed.run(image, label, first + np.arange(len(image)))
            out = self._step(*map(ops.convert_to_tensor, (image, second, real)))
            yield tuple(ops.convert_to_numpy(value) for value in out)

    def run(
        self,
        x: Any,
        y: Any,
        on_batch: Callable[[int], None] | None = None,
        keep: Callable[[int, np.ndarray], None] | None = None,
    ) -> Evaluation:
        """Evaluate images (N, H, W, C), uint8 or float in [0, 1], with labels (N,).

        Args:
            on_batch: called with the number of images done after every batch.
            keep: called with the place of the first image of every batch and its adversarial ones.
        """
        clean: list[np.ndarray] = []
        robust: list[np.ndarray] = []
        for hit, hit_attacked, attacked in self.batches(x, y):
            if keep:
                keep(sum(map(len, clean)), attacked)
            clean.append(hit)
            robust.append(hit_attacked)
            if on_batch:
                on_batch(sum(map(len, clean)))
        right = np.concatenate(clean) > 0
        found = None if self.attack is None else right & (np.concatenate(robust) > 0)
        return Evaluation(right, found)
