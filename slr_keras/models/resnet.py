"""Residual networks for small images: He et al. 2016 (arXiv 1512.03385).

The first convolution is 3x3 with stride 1 and no pooling follows, as is usual for 32x32 images.
"""

from __future__ import annotations

import dataclasses
from typing import Any, ClassVar

from slr_keras.backend import keras
from slr_keras.models._base import Architecture
from slr_keras.models._layers import bn, classifier, conv, relu, shortcut, stages
from slr_keras.settings.schema import setting

Tensor = Any


@dataclasses.dataclass(frozen=True)
class ResNet(Architecture):
    """Four stages of basic blocks with w, 2w, 4w and 8w channels; a subclass gives the depths."""

    depths: ClassVar[tuple[int, ...]] = ()

    width: int = setting(64, help="channels of the first stage", unit="channels", at_least=1)

    def build(self, input_shape: tuple[int, ...], num_classes: int) -> Any:
        """The network; see :class:`~slr_keras.models._base.Architecture`."""
        inputs = keras.Input(input_shape, name="image")
        x = relu(bn(conv(inputs, self.width)))
        x = stages(x, basic_block, [self.width * 2**stage for stage in range(4)], self.depths)
        return keras.Model(inputs, classifier(x, num_classes), name=self.name)


@dataclasses.dataclass(frozen=True)
class ResNet18(ResNet):
    """ResNet-18: 11,173,962 trainable parameters at 10 classes.

    Example:
        >>> net = ResNet18(width=64).build((32, 32, 3), 10)  # doctest: +SKIP
    """

    name = "resnet18"
    depths = (2, 2, 2, 2)


@dataclasses.dataclass(frozen=True)
class ResNet34(ResNet):
    """ResNet-34: 21,282,122 trainable parameters at 10 classes."""

    name = "resnet34"
    depths = (3, 4, 6, 3)


def basic_block(x: Tensor, channels: int, stride: int) -> Tensor:
    """Two 3x3 convolutions with BatchNorm around a shortcut, ReLU after the sum."""
    out = relu(bn(conv(x, channels, stride=stride)))
    out = bn(conv(out, channels))
    side = shortcut(x, channels, stride)
    return relu(keras.layers.Add()([out, side if side is x else bn(side)]))
