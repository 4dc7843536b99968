"""The label bank: one soft label per training sample, kept as a weight.

``T`` has shape (N, K); row i starts as the given label of sample i. Being a non-trainable
weight it is saved, restored, distributed and compiled with everything else, and costs
``N * K * 4`` bytes (half in float16). With ``top_k`` only the k largest entries of a row are kept,
in ``N * k * 8`` bytes (6 in float16), and the classes that are not kept share what is left to 1.
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator
from typing import Any

import numpy as np

from slr_keras import backend
from slr_keras.backend import keras, ops
from slr_keras.errors import DataError, UserError

Tensor = Any
CHUNK = 2**22  # entries looked at together, so that nothing here needs a second bank


@keras.saving.register_keras_serializable("slr_keras")
class LabelBank(keras.layers.Layer):
    """Soft labels of the whole training set.

    Rows that were never written are zero inside and read as the given label, so no
    pass over the data is needed before training.

    Args:
        num_samples, num_classes: N and K.
        dtype: ``"float32"`` or ``"float16"``, of the probabilities.
        top_k: entries kept of each row; 0 keeps all.
        place: ``"device"``, or ``"host"`` for the memory beside it (TensorFlow alone).

    Attributes:
        values: the weight (N, K), or (N, k) with ``top_k``; then ``classes`` are their places.
        given: the labels of the last :meth:`fill`, None before it.

    Example:
        >>> LabelBank(1_281_167, 1000, "float16", top_k=10).nbytes   # doctest: +SKIP
        76870020
    """

    def __init__(
        self,
        num_samples: int,
        num_classes: int,
        dtype: str = "float32",
        top_k: int = 0,
        place: str = "device",
        **options: Any,
    ):
        super().__init__(name=options.pop("name", "label_bank"), trainable=False, dtype=dtype)
        self.num_samples, self.num_classes = num_samples, num_classes
        self.top_k, self.place = (top_k if 0 < top_k < num_classes else 0), place
        self.given: np.ndarray | None = None
        if place == "host" and backend.name() != "tensorflow":
            raise UserError(
                "label_bank.place: host needs KERAS_BACKEND=tensorflow, this is "
                f"{backend.name()}; label_bank.dtype and label_bank.top_k make the bank smaller"
            )
        with backend.on_host() if place == "host" else contextlib.nullcontext():
            self.values = self._weight("labels", dtype)
            if self.top_k:  # class numbers as floats: every device has float32 in its own memory
                self.classes = self._weight("classes", "float32")
        self.built = True

    def _weight(self, name: str, dtype: str) -> Any:
        return self.add_weight(
            name=name,
            shape=(self.num_samples, self.top_k or self.num_classes),
            initializer="zeros",
            trainable=False,
            dtype=dtype,
            autocast=False,
            aggregation="only_first_replica",
        )

    @property
    def labels(self) -> Any:
        """Soft labels (N, K): the weight itself, or with ``top_k`` an array made for the asking."""
        if not self.top_k:
            return self.values
        return np.concatenate([ops.convert_to_numpy(self._rows(part)) for part in self._parts()])

    @property
    def nbytes(self) -> int:
        """Memory of the soft labels, in bytes."""
        weights = [self.values, *([self.classes] if self.top_k else [])]
        return sum(int(np.prod(w.shape)) * (2 if w.dtype == "float16" else 4) for w in weights)

    def fill(self, labels: Any) -> None:
        """Set rows to the given labels: class numbers (N,), or soft labels (N, K).

        Only rows that were never written, and those whose label is another than at the last
        ``fill``. (Which labels those were is not saved: a bank read from a file keeps its rows.)
        """
        given, before = np.array(labels), self.given
        if len(given) != self.num_samples:
            raise DataError(
                f"expected {self.num_samples} training labels (num_samples), received {len(given)}"
            )
        if before is not None and before.ndim != given.ndim:  # hard labels became soft, or back
            before = np.full_like(given, -1)
        for part in self._parts():
            stale = ops.convert_to_numpy(backend.read_rows(self.values, part)).sum(axis=-1) == 0
            if before is not None:
                changed = given[part] != before[part]
                stale |= changed if changed.ndim == 1 else changed.any(axis=-1)
            self._give(part[stale], given[part[stale]])
        self.given = given

    def _give(self, index: np.ndarray, labels: np.ndarray) -> None:
        """Set rows to their labels."""
        if not len(index):
            return
        soft = labels.ndim == 2
        rows = labels if soft else np.eye(self.num_classes, dtype="float32")[labels]
        if not self.top_k:
            return backend.write_rows(self.values, index, rows.astype(self.values.dtype))
        kept = np.argsort(-rows, axis=-1, kind="stable")[:, : self.top_k]
        values = np.take_along_axis(rows, kept, axis=-1)
        backend.write_rows(self.values, index, values.astype(self.values.dtype))
        backend.write_rows(self.classes, index, kept.astype("float32"))
        return None

    def _parts(self) -> Iterator[np.ndarray]:
        """The numbers of all rows, as many at a time as are looked at together."""
        size = max(1, CHUNK // (self.num_classes * max(1, self.top_k)))
        for start in range(0, self.num_samples, size):
            yield np.arange(start, min(start + size, self.num_samples), dtype="int32")

    def reset(self) -> None:
        """Forget every row: for training on other images."""
        self.values.assign(ops.zeros_like(self.values.value))
        self.given = None

    def read(self, index: Tensor, given: Tensor) -> Tensor:
        """Rows ``index`` (B,) in float32; ``given`` (B, K) where nothing was written yet."""
        rows = self._rows(index)
        return ops.where(ops.sum(rows, axis=-1, keepdims=True) == 0, given, rows)

    def _rows(self, index: Tensor) -> Tensor:
        values = ops.cast(backend.read_rows(self.values, index), "float32")
        if not self.top_k:
            return values
        return self._spread(values, backend.read_rows(self.classes, index))

    def _spread(self, values: Tensor, classes: Tensor) -> Tensor:
        """Rows (B, K) from entries (B, k): the others share what is left to 1; 0 stays 0."""
        places = ops.one_hot(ops.cast(classes, "int32"), self.num_classes)
        total = ops.sum(values, axis=-1, keepdims=True)
        left = ops.where(total > 0, ops.maximum(1.0 - total, 0.0), 0.0)
        share = left / (self.num_classes - self.top_k)
        return ops.sum(places * values[..., None], axis=1) + share * (1.0 - ops.max(places, axis=1))

    def write(self, index: Tensor, rows: Tensor) -> Tensor:
        """Store rows and return what was stored for each sample.

        A sample that stands in the batch twice keeps the row of its first place, on every
        backend alike (a plain scatter would leave the choice to the device).
        """
        first = ops.argmax(ops.equal(index[:, None], index[None, :]), axis=1)
        rows = ops.take(rows, first, axis=0)
        if not self.top_k:
            return self._store(self.values, index, rows)
        values, classes = ops.top_k(rows, self.top_k)
        values = self._store(self.values, index, values)
        return self._spread(values, self._store(self.classes, index, classes))

    @staticmethod
    def _store(weight: Any, index: Tensor, rows: Tensor) -> Tensor:
        stored = ops.cast(rows, weight.dtype)
        backend.write_rows(weight, index, stored)
        return ops.cast(stored, "float32")

    def statistics(self, labels: Any) -> LabelStatistics:
        """Mean entropy and agreement of the bank with the given ``labels`` (N,)."""
        labels = np.asarray(labels, "int32")
        found = [self._statistics(part, labels[part]) for part in self._parts()]
        entropy, agreement = np.sum(found, axis=0) / self.num_samples
        return LabelStatistics(float(entropy), float(agreement))

    def _statistics(self, index: np.ndarray, labels: np.ndarray) -> tuple[float, float]:
        """Summed entropy and number of agreements of some rows."""
        if self.top_k:
            return self._statistics_of_kept(index, labels)
        given = ops.one_hot(labels, self.num_classes, dtype="float32")
        rows = ops.convert_to_numpy(self.read(index, given)).astype("float64")
        entropy = -np.sum(rows * np.log(np.where(rows > 0, rows, 1)))
        return float(entropy), float(np.sum(rows.argmax(-1) == labels))

    def _statistics_of_kept(self, index: np.ndarray, labels: np.ndarray) -> tuple[float, float]:
        """The same from the kept entries alone, which are the largest: no row is spread out."""
        weights = (self.values, self.classes)
        read = (ops.convert_to_numpy(backend.read_rows(weight, index)) for weight in weights)
        values, classes = (array.astype("float64") for array in read)
        total = values.sum(-1)
        left = np.where(total > 0, np.maximum(1 - total, 0), 0)
        share = left / (self.num_classes - self.top_k)
        entropy = -np.sum(values * np.log(np.where(values > 0, values, 1)))
        entropy -= np.sum(left * np.log(np.where(share > 0, share, 1)))
        largest = classes[np.arange(len(values)), values.argmax(-1)]
        return float(entropy), float(np.sum((largest == labels) | (total == 0)))

    def get_config(self) -> dict[str, Any]:
        """What rebuilds the layer."""
        return super().get_config() | {
            "num_samples": self.num_samples,
            "num_classes": self.num_classes,
            "top_k": self.top_k,
            "place": self.place,
        }


@dataclasses.dataclass(frozen=True)
class LabelStatistics:
    """How far the bank has moved: entropy in nats, share whose largest entry is the label."""

    entropy: float
    agreement: float
