"""VGG networks with BatchNorm for small images: Simonyan and Zisserman 2015 (arXiv 1409.1556)."""

from __future__ import annotations

import dataclasses
from typing import Any, ClassVar

from slr_keras.backend import keras
from slr_keras.models._base import Architecture
from slr_keras.models._layers import bn, classifier, conv, relu
from slr_keras.settings.schema import setting

Tensor = Any


@dataclasses.dataclass(frozen=True)
class VGG(Architecture):
    """Stages of 3x3 convolutions, each closed by a 2x2 max-pooling; a subclass gives them."""

    stages: ClassVar[tuple[tuple[int, int], ...]] = ()  # (channels / width, convolutions)

    width: int = setting(64, help="channels of the first stage", unit="channels", at_least=1)

    def build(self, input_shape: tuple[int, ...], num_classes: int) -> Any:
        """The network; see :class:`~slr_keras.models._base.Architecture`."""
        inputs = x = keras.Input(input_shape, name="image")
        for factor, depth in self.stages:
            for _ in range(depth):
                x = relu(bn(conv(x, self.width * factor, bias=True)))
            x = _halve(x)
        return keras.Model(inputs, classifier(x, num_classes), name=self.name)


@dataclasses.dataclass(frozen=True)
class VGG16(VGG):
    """VGG-16 with BatchNorm, global average pooling and one dense layer.

    Example:
        >>> net = VGG16(width=64).build((32, 32, 3), 10)  # doctest: +SKIP
    """

    name = "vgg16_bn"
    stages = ((1, 2), (2, 2), (4, 3), (8, 3), (8, 3))


def _halve(x: Tensor) -> Tensor:
    """Max-pooling, left out where the image is down to one pixel."""
    return keras.layers.MaxPooling2D()(x) if min(x.shape[1:3]) > 1 else x
