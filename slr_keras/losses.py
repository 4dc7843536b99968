"""Losses and label arithmetic, per sample, from logits. Shapes: logits (B, K), labels (B,)."""

from __future__ import annotations

import math
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


def divergence(logits: Tensor, other: Tensor) -> Tensor:
    """``KL(softmax(z) || softmax(z'))``, from log-softmax on both sides; shape ``(B,)``.

    The gradient goes into both.
    """
    log_p, log_q = _log_softmax(logits), _log_softmax(other)
    return ops.sum(ops.exp(log_p) * (log_p - log_q), axis=-1)


def reverse_cross_entropy(logits: Tensor, target: Tensor, log_zero: float = -4.0) -> Tensor:
    """``-sum_k softmax(z)_k log t_k``, each ``log t_k`` at least ``log_zero``; ``(B,)``."""
    log_t = ops.log(ops.maximum(target, math.exp(log_zero)))
    return -ops.sum(ops.exp(_log_softmax(logits)) * log_t, axis=-1)


def against_rival(logits: Tensor, labels: Tensor) -> Tensor:
    """``-log(1 - max_{k != y} p_k)``, without the difference that rounds to 0; ``(B,)``."""
    log_p = _log_softmax(logits)
    own = one_hot(labels, log_p.shape[-1])
    rival = one_hot(ops.argmax(log_p - 1e30 * own, axis=-1), log_p.shape[-1])
    return -ops.logsumexp(log_p - 1e30 * rival, axis=-1)


def probability_of(logits: Tensor, labels: Tensor) -> Tensor:
    """``softmax(z)_y``; shape ``(B,)``."""
    log_p = _log_softmax(logits)
    return ops.exp(ops.sum(log_p * one_hot(labels, log_p.shape[-1]), axis=-1))


def _log_softmax(logits: Tensor) -> Tensor:
    return ops.log_softmax(ops.cast(logits, "float32"), axis=-1)


def probabilities(logits: Tensor) -> Tensor:
    """``softmax(z)`` in float32, without gradient."""
    return ops.stop_gradient(ops.softmax(ops.cast(logits, "float32"), axis=-1))


def correct(logits: Tensor, labels: Tensor) -> Tensor:
    """1.0 where the largest logit is the label's, else 0.0; shape ``(B,)``."""
    predicted = ops.cast(ops.argmax(logits, axis=-1), "int32")
    return ops.cast(ops.equal(predicted, ops.cast(labels, "int32")), "float32")


def margin(logits: Tensor, labels: Tensor) -> Tensor:
    """``max_{i != y} z_i - z_y``: above 0 where another class wins; shape ``(B,)``."""
    z = ops.cast(logits, "float32")
    own = one_hot(labels, z.shape[-1])
    return ops.max(z - 1e30 * own, axis=-1) - ops.sum(z * own, axis=-1)


def dlr(logits: Tensor, labels: Tensor) -> Tensor:
    """Difference of logits ratio, ``-(z_y - max_{i != y} z_i) / (z_(1) - z_(3) + 1e-12)``.

    ``z_(k)`` is the k-th largest logit. Needs three classes or more; shape ``(B,)``.
    Source: arXiv 2003.01690, equation 5.
    """
    top = ops.top_k(ops.cast(logits, "float32"), 3)[0]
    return margin(logits, labels) / (top[:, 0] - top[:, 2] + 1e-12)


def targeted_dlr(logits: Tensor, labels: Tensor, targets: Tensor) -> Tensor:
    """``-(z_y - z_t) / (z_(1) - (z_(3) + z_(4)) / 2 + 1e-12)``; four classes or more, ``(B,)``.

    Source: arXiv 2003.01690, equation 7.
    """
    z = ops.cast(logits, "float32")
    top = ops.top_k(z, 4)[0]
    return target_gap(z, labels, targets) / (top[:, 0] - (top[:, 2] + top[:, 3]) / 2 + 1e-12)


def target_gap(logits: Tensor, labels: Tensor, targets: Tensor) -> Tensor:
    """``z_t - z_y``; shape ``(B,)``."""
    z = ops.cast(logits, "float32")
    signs = one_hot(targets, z.shape[-1]) - one_hot(labels, z.shape[-1])
    return ops.sum(z * signs, axis=-1)
