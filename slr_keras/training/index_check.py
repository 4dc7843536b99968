"""Sample indices are looked at before a batch trains: a label bank has a row for each sample.

An index beyond it is an error on some devices and is clamped or dropped in silence on others.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from slr_keras.backend import _tf_data, keras, ops
from slr_keras.errors import DataError

WORDS = "sample index out of range"


def checked(x: Any, count: int) -> Any:
    """What ``fit`` was given, so that a wrong index stops it before its batch is trained on.

    Args:
        x: a dictionary of arrays, a ``tf.data.Dataset``, a ``PyDataset``, a generator; anything
            else is given back as it is.
        count: number of training samples.

    Raises:
        DataError: now, of arrays; of other data when the batch comes.
    """
    if isinstance(x, dict):
        check(x, count)
        return x
    if _tf_data.is_dataset(x):
        return _tf_data.with_rows_checked(x, count, message("{}", count))
    if isinstance(x, keras.utils.PyDataset):
        return _Checked(x, count)
    return _each(x, count) if isinstance(x, Iterator) else x


def check(x: Any, count: int) -> None:
    """Raise :class:`DataError` if the entry ``index`` of ``x`` names a sample that is not there."""
    if not isinstance(x, dict) or "index" not in x:
        return
    index = np.asarray(ops.convert_to_numpy(x["index"]))
    wrong = index[(index < 0) | (index >= count)]
    if len(wrong):
        raise DataError(message(int(wrong[0]), count))


def message(index: object, count: int) -> str:
    """What is wrong and what to do."""
    return (
        f"{WORDS}: expected 0 to {count - 1} (num_samples={count}), received {index}: number "
        "the training samples from 0, and pass num_samples=len(x_train)"
    )


def from_framework(error: Exception) -> DataError | None:
    """Our words in an error that a framework raised with a page of its own around them."""
    start = str(error).find(WORDS)
    return DataError(str(error)[start:].split("\n")[0].split("]")[0]) if start >= 0 else None


def _each(batches: Iterator[Any], count: int) -> Iterator[Any]:
    for batch in batches:
        check(batch[0] if isinstance(batch, (tuple, list)) else batch, count)
        yield batch


class _Checked(keras.utils.PyDataset):
    """A data set whose batches are looked at."""

    def __init__(self, inner: Any, count: int):
        options = ("workers", "use_multiprocessing", "max_queue_size")
        super().__init__(**{name: getattr(inner, name) for name in options})
        self.inner, self.count = inner, count

    @property
    def num_batches(self) -> Any:
        """As many as there are."""
        return self.inner.num_batches

    def __getitem__(self, number: int) -> Any:
        batch = self.inner[number]
        check(batch[0], self.count)
        return batch

    def on_epoch_begin(self) -> None:
        """As the data set wants it."""
        self.inner.on_epoch_begin()

    def on_epoch_end(self) -> None:
        """As the data set wants it."""
        self.inner.on_epoch_end()
