"""Plain convolutional networks for small images and quick experiments."""

from __future__ import annotations

import dataclasses
from typing import Any

from slr_keras.backend import keras
from slr_keras.errors import SettingError
from slr_keras.models._base import Architecture
from slr_keras.models._layers import bn, classifier, conv, relu
from slr_keras.settings.schema import setting


@dataclasses.dataclass(frozen=True)
class SmallCNN(Architecture):
    """3x3 convolutions with BatchNorm, widths w, 2w, 4w, 8w, ..., and global average pooling.

    Example:
        >>> net = SmallCNN(width=32).build((8, 8, 1), 10)  # doctest: +SKIP
    """

    name = "small_cnn"

    width: int = setting(16, help="channels of the first convolution", unit="channels", at_least=1)
    strides: tuple[int, ...] = setting(
        (1, 2, 1, 2), help="strides of the convolutions, one each", at_least=1, at_most=2
    )

    def validate(self) -> None:
        """One to eight convolutions."""
        if not 1 <= len(self.strides) <= 8:
            raise SettingError("strides", f"expected 1 to 8 numbers, received {len(self.strides)}")

    def build(self, input_shape: tuple[int, ...], num_classes: int) -> Any:
        """The network; see :class:`~slr_keras.models._base.Architecture`."""
        inputs = x = keras.Input(input_shape, name="image")
        for level, stride in enumerate(self.strides):
            x = relu(bn(conv(x, self.width * 2**level, stride=stride)))
        return keras.Model(inputs, classifier(x, num_classes), name=self.name)
