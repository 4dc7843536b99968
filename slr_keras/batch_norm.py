"""PyTorch's batch normalisation as a Keras layer; importing this loads the framework."""

from __future__ import annotations

from typing import Any

from slr_keras import backend
from slr_keras.backend import keras, ops

Tensor = Any


@keras.saving.register_keras_serializable("slr_keras")
class BatchNorm(keras.layers.BatchNormalization):
    """``BatchNormalization`` as PyTorch has it, one fused kernel in training mode.

    Momentum 0.9 is PyTorch's 0.1, epsilon is 1e-5, and the moving variance is updated with the
    unbiased variance ``n / (n - 1) * var``, where Keras' own layer takes the biased one.
    """

    def __init__(self, momentum: float = 0.9, epsilon: float = 1e-5, **options: Any):
        super().__init__(momentum=momentum, epsilon=epsilon, **options)

    def call(self, inputs: Tensor, training: bool | None = None, mask: Any = None) -> Tensor:
        """Normalise (B, H, W, C) by the batch in training mode, else by the moving statistics."""
        if not training or not self.trainable:
            return super().call(inputs, training=False)
        y, mean, variance = backend.batch_norm(
            inputs,
            ops.cast(self.gamma, "float32"),
            ops.cast(self.beta, "float32"),
            self.epsilon,
        )
        self._move(self.moving_mean, mean)
        self._move(self.moving_variance, variance)
        return y

    def _move(self, variable: Any, observed: Tensor) -> None:
        kept = ops.cast(variable, variable.dtype) * self.momentum
        variable.assign(kept + ops.cast(observed, variable.dtype) * (1.0 - self.momentum))
