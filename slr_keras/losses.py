"""Losses and label arithmetic, per sample, from logits. Shapes: logits (B, K), labels (B,)."""

from __future__ import annotations

from typing import Any

from slr_keras.backend import ops

Tensor = Any


def one_hot(labels: Tensor, num_classes: int) -> Tensor:
    """``(B,)`` class numbers as float32 rows ``(B, K)``."""
    return ops.one_hot(ops.cast(labels, "int32"), num_classes, dtype="float32")


def cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    """``-log softmax(z)_y`` for class numbers ``y``; shape ``(B,)``."""
    return ops.sparse_categorical_crossentropy(
        ops.cast(labels, "int32"), ops.cast(logits, "float32"), from_logits=True
    )


def soft_cross_entropy(logits: Tensor, target: Tensor) -> Tensor:
    """``-sum_k t_k log softmax(z)_k`` for distributions ``t`` of shape ``(B, K)``; ``(B,)``."""
    return ops.categorical_crossentropy(target, ops.cast(logits, "float32"), from_logits=True)


def probabilities(logits: Tensor) -> Tensor:
    """``softmax(z)`` in float32, without gradient."""
    return ops.stop_gradient(ops.softmax(ops.cast(logits, "float32"), axis=-1))


def correct(logits: Tensor, labels: Tensor) -> Tensor:
    """1.0 where the largest logit is the label's, else 0.0; shape ``(B,)``."""
    predicted = ops.cast(ops.argmax(logits, axis=-1), "int32")
    return ops.cast(ops.equal(predicted, ops.cast(labels, "int32")), "float32")
