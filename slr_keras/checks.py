"""Checks of what users hand in: images, labels, networks."""

from __future__ import annotations

from typing import Any

import numpy as np

from slr_keras import networks
from slr_keras.backend import keras, ops
from slr_keras.errors import DataError, ModelError

Tensor = Any


def class_numbers(y: Any) -> Tensor:
    """Labels as (B,) int32 from (B,), (B, 1) or one-hot (B, K)."""
    if len(y.shape) == 2:
        y = y[:, 0] if y.shape[-1] == 1 else ops.argmax(y, axis=-1)
    return ops.cast(y, "int32")


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


def check_labels(y: Any, count: int, num_classes: int) -> None:
    """Raise :class:`DataError` unless ``y`` are ``count`` labels for :func:`class_numbers`."""
    y = np.asarray(y)
    if len(y) != count:
        raise DataError(f"expected a label for each image, received {count} and {len(y)}")
    if y.dtype.kind not in "iufb" and "float" not in str(y.dtype):
        raise DataError(f"expected class numbers or one-hot rows, received {y.dtype}")
    if y.ndim == 2 and y.shape[1] > 1:
        if y.shape[1] != num_classes:
            raise DataError(
                f"expected one-hot rows of {num_classes} classes, received shape {y.shape}"
            )
        return
    if y.ndim > 2 or y.ndim == 2 and y.shape[1] == 0:
        raise DataError(f"expected labels (N,), (N, 1) or one-hot rows, received shape {y.shape}")
    _check_class_numbers(y.ravel().astype("float64"), num_classes)


def _check_class_numbers(y: np.ndarray, num_classes: int) -> None:
    broken = y[y != np.round(y)]
    if len(broken):
        raise DataError(f"expected whole class numbers, received {broken[0]:g}")
    if y.min() < 0 or y.max() >= num_classes:
        raise DataError(
            f"expected labels 0 to {num_classes - 1}, received [{y.min():g}, {y.max():g}]"
        )


def check_classifier(net: Any) -> None:
    """Raise :class:`ModelError` unless ``net`` is built and gives logits (B, K >= 2)."""
    if not isinstance(net, keras.Model):
        raise ModelError(f"expected a keras.Model, received {type(net).__name__}")
    shape = networks.input_shape(net)
    networks.num_classes(net)
    sizes = [32 if size is None else size for size in shape[1:]]
    x = np.random.default_rng(0).random((4, *sizes), "float32")
    z = ops.convert_to_numpy(ops.cast(net(x), "float32"))
    if np.all(z >= 0) and np.allclose(z.sum(-1), 1, atol=1e-3):
        raise ModelError(
            "expected logits, received probabilities (each output row is >= 0 and sums to 1). "
            "Remove the softmax of the last layer."
        )
