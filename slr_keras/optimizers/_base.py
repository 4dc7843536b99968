"""The contract of an optimiser's settings."""

from __future__ import annotations

import dataclasses
from typing import Any, ClassVar

from slr_keras.settings.schema import Variant, setting


@dataclasses.dataclass(frozen=True)
class OptimizerSettings(Variant):
    """Settings from which a Keras optimiser is made."""

    of_kind: ClassVar[str] = "optimizers"
    gives: ClassVar[tuple[str, ...]] = ("build",)

    learning_rate: float = setting(0.1, help="learning rate before any schedule", above=0)

    def build(self, learning_rate: Any) -> Any:
        """The Keras optimiser; ``learning_rate`` is a number or a Keras schedule."""
        raise TypeError(f"{type(self).__name__} gives no build()")
