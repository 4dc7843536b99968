"""The label bank: one soft label per training sample, kept as a weight.

``T`` has shape (N, K); row i starts as the one-hot label of sample i. Being a non-trainable
weight it is saved, restored, distributed and compiled with everything else, and costs
``N * K * 4`` bytes (half in float16).
"""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from slr_keras import backend
from slr_keras.backend import keras, ops
from slr_keras.errors import DataError

Tensor = Any
CHUNK = 65_536  # rows looked at together in statistics, so that these need no second bank


@keras.saving.register_keras_serializable("slr_keras")
class LabelBank(keras.layers.Layer):  # type: ignore[misc]
    """Soft labels of the whole training set.

    Rows that were never written are zero inside and read as the given one-hot label, so no
    pass over the data is needed before training.

    Attributes:
        labels: the (N, K) weight.
        given: the labels of the last :meth:`fill`, None before it.
    """

    def __init__(self, num_samples: int, num_classes: int, dtype: str = "float32", **options: Any):
        super().__init__(name=options.pop("name", "label_bank"), trainable=False, dtype=dtype)
        self.num_samples, self.num_classes = num_samples, num_classes
        self.labels = self.add_weight(
            name="labels",
            shape=(num_samples, num_classes),
            initializer="zeros",
            trainable=False,
            dtype=dtype,
            autocast=False,
            aggregation="only_first_replica",
        )
        self.given: np.ndarray | None = None
        self.built = True

    def fill(self, labels: Any) -> None:
        """Set rows to the one-hot of their label, ``labels`` of shape (N,).

        Only rows that were never written, and those whose label is another than at the last
        ``fill``. (Which labels those were is not saved: a bank read from a file keeps its rows.)
        """
        if len(labels) != self.num_samples:
            raise DataError(
                f"expected {self.num_samples} training labels (num_samples), received {len(labels)}"
            )
        numbers = np.array(labels, "int32")
        given = ops.one_hot(numbers, self.num_classes, dtype=self.labels.dtype)
        stale = ops.sum(self.labels.value, axis=-1, keepdims=True) == 0
        if self.given is not None:
            stale = ops.logical_or(stale, (numbers != self.given)[:, None])
        self.labels.assign(ops.where(stale, given, self.labels.value))
        self.given = numbers

    def reset(self) -> None:
        """Forget every row: for training on other images."""
        self.labels.assign(ops.zeros_like(self.labels.value))
        self.given = None

    def read(self, index: Tensor, given: Tensor) -> Tensor:
        """Rows ``index`` (B,) in float32; ``given`` (B, K) where nothing was written yet."""
        rows = ops.cast(backend.read_rows(self.labels, index), "float32")
        return ops.where(ops.sum(rows, axis=-1, keepdims=True) == 0, given, rows)

    def write(self, index: Tensor, rows: Tensor) -> Tensor:
        """Store rows and return what was stored for each sample.

        A sample that stands in the batch twice keeps the row of its first place, on every
        backend alike (a plain scatter would leave the choice to the device).
        """
        first = ops.argmax(ops.equal(index[:, None], index[None, :]), axis=1)
        rows = ops.take(rows, first, axis=0)
        stored = ops.cast(rows, self.labels.dtype)
        backend.write_rows(self.labels, index, stored)
        return ops.cast(stored, "float32")

    def statistics(self, labels: Any) -> LabelStatistics:
        """Mean entropy and agreement of the bank with the given ``labels`` (N,)."""
        labels = np.asarray(labels, "int32")
        starts = range(0, self.num_samples, CHUNK)
        parts = [self._statistics(i, labels[i : i + CHUNK]) for i in starts]
        entropy, agreement = np.sum(parts, axis=0) / self.num_samples
        return LabelStatistics(float(entropy), float(agreement))

    def _statistics(self, start: int, labels: np.ndarray) -> tuple[float, float]:
        """Summed entropy and number of agreements of ``len(labels)`` rows."""
        given = ops.one_hot(labels, self.num_classes, dtype="float32")
        index = np.arange(start, start + len(labels))
        rows = ops.convert_to_numpy(self.read(index, given)).astype("float64")
        entropy = -np.sum(rows * np.log(np.where(rows > 0, rows, 1)))
        return float(entropy), float(np.sum(rows.argmax(-1) == labels))

    def get_config(self) -> dict[str, Any]:
        """What rebuilds the layer."""
        return super().get_config() | {
            "num_samples": self.num_samples,
            "num_classes": self.num_classes,
        }


@dataclasses.dataclass(frozen=True)
class LabelStatistics:
    """How far the bank has moved: entropy in nats, share whose largest entry is the label."""

    entropy: float
    agreement: float
