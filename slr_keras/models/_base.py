"""The contract of an architecture."""

from __future__ import annotations

import dataclasses
from typing import Any, ClassVar

from slr_keras.settings.schema import Variant


@dataclasses.dataclass(frozen=True)
class Architecture(Variant):
    """Settings of a network and the function that builds it."""

    of_kind: ClassVar[str] = "models"
    gives: ClassVar[tuple[str, ...]] = ("build",)

    def build(self, input_shape: tuple[int, ...], num_classes: int) -> Any:
        """A functional ``keras.Model`` from images (B, H, W, C) in [0, 1] to logits (B, K)."""
        raise TypeError(f"{type(self).__name__} gives no build()")
