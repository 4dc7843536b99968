"""What the training step asks of a method."""

from __future__ import annotations

import dataclasses
from typing import Any, ClassVar

from slr_keras import losses
from slr_keras.settings.schema import Variant

Tensor = Any


@dataclasses.dataclass(frozen=True)
class Method(Variant):
    """A training method as the pieces that differ from one to the next.

    The step itself, in the order of the paper, is :mod:`slr_keras.training.step`.

    Attributes:
        adversarial: train on adversarial examples.
        refines: keep a label bank and refine it.
    """

    adversarial: ClassVar[bool] = True
    refines: ClassVar[bool] = False

    def refining(self, epoch: int) -> bool:
        """Whether labels are refined in this epoch, counted from 1."""
        return False

    def refine(self, row: Tensor, clean: Tensor, adversarial: Tensor) -> Tensor:
        """New soft labels (B, K) from the old and both predicted distributions."""
        return row

    def target(self, row: Tensor, given: Tensor) -> Tensor:
        """What the loss compares with: soft labels and one-hot labels, both (B, K)."""
        return given

    def loss(self, logits: Tensor, target: Tensor) -> Tensor:
        """Loss of each sample, (B,), from the logits of the images trained on."""
        return losses.soft_cross_entropy(logits, target)
