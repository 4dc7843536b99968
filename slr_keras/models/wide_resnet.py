"""Wide residual networks: Zagoruyko and Komodakis 2016 (arXiv 1605.07146).

The form of the robust-training literature (TRADES and its successors), without dropout.
"""

from __future__ import annotations

import dataclasses
from typing import Any, ClassVar

from slr_keras.backend import keras
from slr_keras.models._base import Architecture
from slr_keras.models._layers import bn, classifier, conv, preactivated_block, relu, stages
from slr_keras.settings.schema import setting


def _widening(factor: int) -> Any:
    """The setting of the width, with the factor that the literature has at this depth."""
    return setting(
        factor, help="widening factor k of the 16, 32 and 64 channels", unit="times", at_least=1
    )


@dataclasses.dataclass(frozen=True)
class WideResNet(Architecture):
    """Three stages of pre-activation blocks, 16k-32k-64k channels; a subclass gives the depth."""

    depth: ClassVar[int] = 0

    width: int = _widening(10)

    def build(self, input_shape: tuple[int, ...], num_classes: int) -> Any:
        """The network; see :class:`~slr_keras.models._base.Architecture`."""
        inputs = keras.Input(input_shape, name="image")
        x = conv(inputs, 16)
        channels = [16 * self.width * 2**stage for stage in range(3)]
        x = stages(x, preactivated_block, channels, [(self.depth - 4) // 6] * 3)
        return keras.Model(inputs, classifier(relu(bn(x)), num_classes), name=self.name)


@dataclasses.dataclass(frozen=True)
class WideResNet16(WideResNet):
    """WRN-16-4: 2,748,890 trainable parameters at 10 classes."""

    name = "wrn16_4"
    depth = 16

    width: int = _widening(4)


@dataclasses.dataclass(frozen=True)
class WideResNet28(WideResNet):
    """WRN-28-10: 36,479,194 trainable parameters at 10 classes.

    Example:
        >>> net = WideResNet28(width=2).build((32, 32, 3), 10)  # doctest: +SKIP
    """

    name = "wrn28_10"
    depth = 28


@dataclasses.dataclass(frozen=True)
class WideResNet34(WideResNet):
    """WRN-34-10: 46,160,474 trainable parameters at 10 classes."""

    name = "wrn34_10"
    depth = 34
