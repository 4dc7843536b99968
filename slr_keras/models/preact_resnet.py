"""Pre-activation residual networks: He et al. 2016 (arXiv 1603.05027).

As in the programs of the robust-overfitting literature: a final BN-ReLU before the pooling.
"""

from __future__ import annotations

import dataclasses
from typing import Any

from slr_keras.backend import keras
from slr_keras.models._base import Architecture
from slr_keras.models._layers import bn, classifier, conv, preactivated_block, relu, stages
from slr_keras.settings.schema import setting


@dataclasses.dataclass(frozen=True)
class PreActResNet18(Architecture):
    """Pre-activation ResNet-18 for small images.

    Example:
        >>> net = PreActResNet18(width=64).build((32, 32, 3), 10)  # doctest: +SKIP
    """

    name = "preact_resnet18"

    width: int = setting(64, help="channels of the first stage", unit="channels", at_least=1)

    def build(self, input_shape: tuple[int, ...], num_classes: int) -> Any:
        """The network; see :class:`~slr_keras.models._base.Architecture`."""
        inputs = keras.Input(input_shape, name="image")
        x = conv(inputs, self.width)
        channels = [self.width * 2**stage for stage in range(4)]
        x = stages(x, preactivated_block, channels, (2, 2, 2, 2))
        return keras.Model(inputs, classifier(relu(bn(x)), num_classes), name=self.name)
