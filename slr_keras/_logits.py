"""Networks without the softmax at their end, on the same weights."""

from __future__ import annotations

from typing import Any

from slr_keras.backend import keras, ops

Tensor = Any
TINY = 1e-30  # below the smallest probability that float32 tells from 0 in a sum of 1


class Linear(keras.layers.Layer):
    """A dense layer without its activation.

    Args:
        dense: the layer, built; its variables are used, not copied.
    """

    def __init__(self, dense: Any):
        super().__init__(name=f"{dense.name}_logits", dtype=dense.dtype_policy)
        self.dense = dense

    def call(self, x: Tensor) -> Tensor:
        """``x W + b``."""
        z = ops.matmul(x, ops.cast(self.dense.kernel, self.compute_dtype))
        return z if self.dense.bias is None else z + ops.cast(self.dense.bias, self.compute_dtype)


class Logarithm(keras.Model):
    """``log p`` of a network that gives probabilities p.

    Args:
        net: the network, built.
    """

    def __init__(self, net: Any):
        super().__init__(name=f"{net.name}_logits")
        self.inner = net
        self.built = True

    def call(self, x: Tensor, training: bool | None = None) -> Tensor:
        """``log p``, of what float32 rounds to 0 ``log 1e-30``."""
        p = ops.cast(self.inner(x, training=training), "float32")
        return ops.log(ops.maximum(p, TINY))
