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
    clip_norm: float = setting(
        0.0,
        label="Largest gradient",
        help="the gradient of all weights together is shortened to this Euclidean norm; 0: never",
        at_least=0,
    )

    @property
    def clipping(self) -> dict[str, Any]:
        """Keras' argument for ``clip_norm``."""
        return {"global_clipnorm": self.clip_norm} if self.clip_norm else {}

    def build(self, learning_rate: Any) -> Any:
        """The Keras optimiser; ``learning_rate`` is a number or a Keras schedule."""
        raise TypeError(f"{type(self).__name__} gives no build()")
