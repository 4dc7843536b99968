"""Layers with PyTorch's arithmetic, from which all architectures are built.

Differences that cost accuracy when overlooked: a stride-2 3x3 convolution pads one pixel on
every side (Keras' ``padding="same"`` pads bottom and right only), BatchNorm has eps 1e-5 and
keeps the unbiased variance, convolutions and dense layers start from PyTorch's distributions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from slr_keras.backend import keras

Tensor = Any
Block = Callable[[Tensor, int, int], Tensor]


def conv(x: Tensor, channels: int, kernel: int = 3, stride: int = 1, bias: bool = False) -> Tensor:
    """Convolution padded by ``kernel // 2`` on every side, with PyTorch's initial weights."""
    pad = kernel // 2
    if pad and stride > 1:  # padding first, then VALID: explicit padding has a slow gradient
        x = keras.layers.ZeroPadding2D(pad)(x)
    return keras.layers.Conv2D(
        channels,
        kernel,
        strides=stride,
        padding="same" if stride == 1 else "valid",
        use_bias=bias,
        **_initializers(kernel * kernel * x.shape[-1]),
    )(x)


def bn(x: Tensor) -> Tensor:
    """Batch normalisation."""
    from slr_keras.batch_norm import BatchNorm

    return BatchNorm()(x)


def relu(x: Tensor) -> Tensor:
    """``max(x, 0)``."""
    return keras.layers.ReLU()(x)


def shortcut(x: Tensor, channels: int, stride: int) -> Tensor:
    """``x`` itself where the shape stays, else a 1x1 convolution with that stride."""
    if stride == 1 and x.shape[-1] == channels:
        return x
    return conv(x, channels, kernel=1, stride=stride)


def preactivated_block(x: Tensor, channels: int, stride: int) -> Tensor:
    """Two 3x3 convolutions, BN-ReLU before each, around a shortcut (arXiv 1603.05027).

    Where the shape changes the shortcut starts from the activated input, without BatchNorm.
    """
    active = relu(bn(x))
    side = shortcut(active, channels, stride)
    out = conv(active, channels, stride=stride)
    out = conv(relu(bn(out)), channels)
    return keras.layers.Add()([out, x if side is active else side])


def stages(x: Tensor, block: Block, channels: Iterable[int], depths: Iterable[int]) -> Tensor:
    """Stages of blocks ``block(x, channels, stride)``; all but the first halve the image."""
    for stage, (width, depth) in enumerate(zip(channels, depths, strict=True)):
        for position in range(depth):
            x = block(x, width, 2 if stage and not position else 1)
    return x


def classifier(x: Tensor, num_classes: int) -> Tensor:
    """Global average pooling and a dense layer to logits, computed in float32."""
    x = keras.layers.GlobalAveragePooling2D()(x)
    return dense(x, num_classes)


def dense(x: Tensor, units: int) -> Tensor:
    """Dense layer to logits; float32 under any precision policy, so that softmax is exact."""
    return keras.layers.Dense(units, **_initializers(x.shape[-1]), dtype="float32", name="logits")(
        x
    )


def _initializers(fan_in: int) -> dict[str, Any]:
    """PyTorch's defaults: kernel and bias uniform in ``+- 1 / sqrt(fan_in)``."""
    bound = fan_in**-0.5
    uniform = keras.initializers.RandomUniform
    return {
        "kernel_initializer": uniform(-bound, bound),
        "bias_initializer": uniform(-bound, bound),
    }
