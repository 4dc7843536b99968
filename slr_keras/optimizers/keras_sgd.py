"""Keras' own SGD, for comparison with the paper's."""

from __future__ import annotations

import dataclasses
from typing import Any

from slr_keras.backend import keras
from slr_keras.optimizers._base import OptimizerSettings
from slr_keras.settings.schema import setting


@dataclasses.dataclass(frozen=True)
class KerasSGD(OptimizerSettings):
    """``keras.optimizers.SGD``: decoupled weight decay, learning rate inside the velocity."""

    name = "keras_sgd"

    momentum: float = setting(0.9, help="weight of the old velocity", at_least=0, below=1)
    nesterov: bool = setting(False, label="Nesterov momentum", help="look-ahead form of momentum")
    weight_decay: float = setting(0.0, help="decoupled weight decay (Keras' own)", at_least=0)

    def build(self, learning_rate: Any) -> Any:
        """The Keras optimiser."""
        return keras.optimizers.SGD(
            learning_rate=learning_rate,
            momentum=self.momentum,
            nesterov=self.nesterov,
            weight_decay=self.weight_decay or None,
            **self.clipping,
        )
