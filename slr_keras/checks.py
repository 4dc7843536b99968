"""Checks of what users hand in: images, labels, networks."""

from __future__ import annotations

from typing import Any

import numpy as np

from slr_keras import networks
from slr_keras.backend import keras, ops
from slr_keras.errors import DataError, ModelError

Tensor = Any
ROW_SUM = 1e-3  # how far from 1 the sum of a soft label may be


def class_numbers(y: Any) -> Tensor:
    """Labels as (B,) int32 from (B,), (B, 1) or rows (B, K), whose largest entry counts."""
    if len(y.shape) == 2:
        y = y[:, 0] if y.shape[-1] == 1 else ops.argmax(y, axis=-1)
    return ops.cast(y, "int32")


def given_rows(y: Any) -> Tensor | None:
    """Rows (B, K) of given labels in float32; None where they are class numbers."""
    rows = len(y.shape) == 2 and y.shape[-1] != 1
    return ops.cast(y, "float32") if rows else None


def check_pixels(x: Any) -> None:
    """Raise :class:`DataError` unless images are finite floats in [0, 1]."""
    kind = str(keras.backend.standardize_dtype(x.dtype))
    if "float" not in kind:
        raise DataError(f"expected float images in [0, 1], received {kind}: divide by 255")
    low, high = float(ops.min(x)), float(ops.max(x))
    if not bool(ops.all(ops.isfinite(x))):  # XLA's minimum on a CPU passes NaN over
        raise DataError("expected finite pixels, received NaN or infinite ones: clean the images")
    if low < 0 or high > 1:
        raise DataError(
            f"expected pixels in [0, 1], received [{low:g}, {high:g}]: scale the images "
            "(put any other normalisation into the network)"
        )


def check_images(x: Any, input_shape: tuple[int | None, ...]) -> None:
    """:func:`check_pixels`, and :class:`DataError` unless images (N, H, W, C) fit a network."""
    if not networks.fits(tuple(input_shape[1:]), tuple(x.shape)[1:]):
        wanted = ", ".join("any" if size is None else str(size) for size in input_shape[1:])
        raise DataError(f"expected images (N, {wanted}), received {tuple(x.shape)}")
    if len(x) == 0:
        raise DataError("expected at least one image, received none")
    check_pixels(x)


def as_labels(
    name: str, value: Any, num_classes: int | None = None, soft: bool = False
) -> np.ndarray:
    """Labels as int32 (N,): the rule for every door, files and arrays alike.

    Args:
        name: of the array, for messages.
        value: class numbers (N,) or (N, 1), whole floats too, or one-hot rows (N, K).
        num_classes: K, where it is known.
        soft: take rows that are distributions as well, and give them back as float32 (N, K).

    Raises:
        DataError: what was expected and what came.
    """
    y = np.asarray(value)
    if y.dtype.kind not in "iufb" and "float" not in str(y.dtype):
        raise DataError(f"{name}: expected class numbers or one-hot rows, received {y.dtype}")
    if y.ndim == 2 and y.shape[1] == 1:
        y = y[:, 0]
    if y.ndim == 2 and y.shape[1]:
        return _from_rows(name, y, num_classes, soft)
    if y.ndim != 1:
        raise DataError(
            f"{name}: expected labels (N,), (N, 1) or one-hot rows, received shape {y.shape}"
        )
    return _from_numbers(name, y, num_classes)


def _from_numbers(name: str, y: np.ndarray, num_classes: int | None) -> np.ndarray:
    if y.dtype.kind not in "iu":
        y = y.astype("float64")
        broken = y[y != np.round(y)]
        if len(broken):
            raise DataError(f"{name}: expected whole class numbers, received {broken[0]:g}")
    low, high = (y.min(), y.max()) if len(y) else (0, 0)
    if num_classes is not None and (low < 0 or high >= num_classes):
        raise DataError(
            f"{name}: expected labels 0 to {num_classes - 1}, received [{low:g}, {high:g}]"
        )
    if low < 0 or high > np.iinfo(np.int32).max:
        raise DataError(
            f"{name}: expected labels that count from 0, received {low}..{high}; "
            "renumber the classes 0, 1, 2, ..."
        )
    return y.astype(np.int32, copy=False)


def _from_rows(name: str, y: np.ndarray, num_classes: int | None, soft: bool) -> np.ndarray:
    if num_classes is not None and y.shape[1] != num_classes:
        raise DataError(
            f"{name}: expected one-hot rows of {num_classes} classes, received shape {y.shape}"
        )
    rows = y.astype("float32")
    one_hot = ((rows == 0) | (rows == 1)).all(axis=-1) & (rows.sum(axis=-1) == 1)
    if one_hot.all():
        return rows.argmax(axis=-1).astype(np.int32)
    proper = (rows >= 0).all(axis=-1) & (np.abs(rows.sum(axis=-1) - 1) < ROW_SUM)  # no NaN
    if soft and proper.all():
        return rows
    wanted = "one-hot rows or rows >= 0 that sum to 1" if soft else "one-hot rows"
    broken = rows[~proper if soft else ~one_hot][0]
    raise DataError(
        f"{name}: expected {wanted}, received ({', '.join(f'{v:.3g}' for v in broken[:6])}"
        f"{', ...' if len(broken) > 6 else ''}) among {len(rows)}"
        + ("" if soft or not proper.all() else "; of soft labels take the class: y.argmax(-1)")
    )


def check_labels(y: Any, count: int, num_classes: int, soft: bool = False) -> np.ndarray:
    """:func:`as_labels`, and :class:`DataError` unless there are ``count``."""
    if np.ndim(y) == 0 or len(y) != count:
        raise DataError(
            f"expected a label for each image, received {count} and "
            f"{len(y) if np.ndim(y) else 'a number'}"
        )
    return as_labels("labels", y, num_classes, soft)


def check_classifier(net: Any) -> None:
    """Raise :class:`ModelError` unless ``net`` is built and gives logits (B, K >= 2)."""
    if not isinstance(net, keras.Model):
        raise ModelError(f"expected a keras.Model, received {type(net).__name__}")
    if networks.gives_probabilities(net):
        raise ModelError(
            "expected logits, received probabilities (each output row is >= 0 and sums to 1). "
            "Remove the softmax of the last layer."
        )
