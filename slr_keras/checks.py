"""Checks of what users hand in: images, labels, networks."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

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
    if not (math.isfinite(low) and math.isfinite(high)):
        raise DataError("expected finite pixels, received NaN or infinite ones: clean the images")
    if low < 0 or high > 1:
        raise DataError(
            f"expected pixels in [0, 1], received [{low:g}, {high:g}]: scale the images "
            "(put any other normalisation into the network)"
        )


def check_classifier(net: Any) -> None:
    """Raise :class:`ModelError` unless ``net`` is built and gives logits (B, K >= 2)."""
    if not isinstance(net, keras.Model):
        raise ModelError(f"expected a keras.Model, received {type(net).__name__}")
    shape = getattr(net, "input_shape", None) if net.built else None
    if not isinstance(shape, tuple) or len(shape) != 4:
        raise ModelError(
            f"expected a built network with one image input (B, H, W, C), received {shape}. "
            "Give it an Input or call it on a batch first."
        )
    if len(net.output_shape) != 2 or net.output_shape[-1] is None or net.output_shape[-1] < 2:
        raise ModelError(f"expected logits (B, K) of K >= 2 classes, received {net.output_shape}")
    sizes = [32 if size is None else size for size in shape[1:]]
    z = np.asarray(
        ops.cast(net(np.random.default_rng(0).random((4, *sizes), "float32")), "float32")
    )
    if np.all(z >= 0) and np.allclose(z.sum(-1), 1, atol=1e-3):
        raise ModelError(
            "expected logits, received probabilities (each output row is >= 0 and sums to 1). "
            "Remove the softmax of the last layer."
        )
