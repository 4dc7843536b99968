"""``tf.data`` sets, which Keras reads on every backend where TensorFlow is installed."""

from __future__ import annotations

import sys
from typing import Any


def is_dataset(x: Any) -> bool:
    """Whether ``x`` is a ``tf.data.Dataset``; TensorFlow is not loaded for the question."""
    tf = sys.modules.get("tensorflow")
    return tf is not None and isinstance(x, tf.data.Dataset)


def with_rows_checked(data: Any, count: int, message: str) -> Any:
    """The set, whose batches fail in the input pipeline if an ``index`` is not in [0, count).

    Args:
        message: with ``{}`` where the wrong number goes.
    """
    import tensorflow as tf

    def look(*batch: Any) -> Any:
        x = batch[0]
        if not isinstance(x, dict) or "index" not in x:
            return batch if len(batch) > 1 else x
        index = tf.cast(x["index"], tf.int64)
        wrong = tf.reshape(tf.boolean_mask(index, (index < 0) | (index >= count)), (-1,))
        first = tf.concat([wrong, [0]], 0)[0]
        text = tf.strings.format(message, first)
        with tf.control_dependencies([tf.debugging.Assert(tf.size(wrong) == 0, [text])]):
            checked = {**x, "index": tf.identity(x["index"])}
        return (checked, *batch[1:]) if len(batch) > 1 else checked

    return data.map(look)
