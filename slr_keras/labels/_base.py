"""What the training step asks of a label scheme."""

from __future__ import annotations

import dataclasses
from typing import Any, ClassVar

from slr_keras.settings.schema import Variant

Tensor = Any


@dataclasses.dataclass(frozen=True)
class Labels(Variant):
    """How the target of a sample comes from its given label and from what the model predicts.

    Attributes:
        refines: keep a label bank and refine the row of a sample whenever it is trained on; then
            :meth:`clean_mode` says in which mode the clean images are looked at.
    """

    refines: ClassVar[bool] = False

    def given(self, one_hot: Tensor) -> Tensor:
        """The target without refinement, and what rows begin with, (B, K)."""
        return one_hot

    def refining(self, epoch: int) -> bool:
        """Whether labels are refined in this epoch, counted from 1."""
        return False

    def refine(self, row: Tensor, clean: Tensor, adversarial: Tensor) -> Tensor:
        """New soft labels (B, K) from the old and both predicted distributions."""
        return row

    @property
    def clean_mode(self) -> bool:
        """Whether labels that are refined look at the clean images in training mode."""
        return True

    def target(self, row: Tensor, given: Tensor) -> Tensor:
        """What the loss compares with, from soft labels and :meth:`given`, both (B, K)."""
        return row
