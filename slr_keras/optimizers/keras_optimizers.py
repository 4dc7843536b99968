"""Keras' own optimisers, as they are."""

from __future__ import annotations

import dataclasses
from typing import Any, ClassVar

from slr_keras.backend import keras
from slr_keras.optimizers._base import OptimizerSettings
from slr_keras.settings.schema import setting


@dataclasses.dataclass(frozen=True)
class KerasOptimizer(OptimizerSettings):
    """An optimiser of ``keras.optimizers`` with decoupled weight decay."""

    keras_class: ClassVar[str] = ""

    learning_rate: float = setting(1e-3, help="learning rate before any schedule", above=0)
    weight_decay: float = setting(0.0, help="decoupled weight decay (Keras' own)", at_least=0)

    def build(self, learning_rate: Any) -> Any:
        """The Keras optimiser called ``keras_class``."""
        return getattr(keras.optimizers, self.keras_class)(
            learning_rate=learning_rate, weight_decay=self.weight_decay, **self.clipping
        )


@dataclasses.dataclass(frozen=True)
class Adam(KerasOptimizer):
    """``keras.optimizers.Adam``."""

    name, keras_class = "adam", "Adam"


@dataclasses.dataclass(frozen=True)
class AdamW(KerasOptimizer):
    """``keras.optimizers.AdamW``."""

    name, keras_class = "adamw", "AdamW"

    weight_decay: float = setting(0.004, help="decoupled weight decay (Keras' own)", at_least=0)


@dataclasses.dataclass(frozen=True)
class RMSprop(KerasOptimizer):
    """``keras.optimizers.RMSprop``."""

    name, keras_class = "rmsprop", "RMSprop"


@dataclasses.dataclass(frozen=True)
class Lion(KerasOptimizer):
    """``keras.optimizers.Lion``."""

    name, keras_class = "lion", "Lion"
