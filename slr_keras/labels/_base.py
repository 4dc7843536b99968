"""What the training step asks of a label scheme."""

from __future__ import annotations

import dataclasses
from typing import Any, ClassVar

from slr_keras.attacks._objective import Objective
from slr_keras.settings.schema import Variant

Tensor = Any


@dataclasses.dataclass(frozen=True)
class Labels(Variant):
    """How the target of a sample comes from its given label and from what the model predicts.

    Refined labels have a memory: a label bank, whose row of a sample :meth:`refine` moves whenever
    the sample is trained on, or a teacher, which is a moving average of the weights. Its answer is
    the ``soft`` label of :meth:`target` and :meth:`pull`: the row, or the teacher's logits on the
    clean image.

    Attributes:
        refines: keep a label bank; :meth:`clean_mode` says how clean images are looked at.
        pulls: the loss, and the attack with it, has :meth:`pull` beside the method's loss.
        timed: refinement depends on the epoch; else ``epoch`` is None in what follows.
    """

    of_kind: ClassVar[str] = "labels"
    refines: ClassVar[bool] = False
    pulls: ClassVar[bool] = False
    timed: ClassVar[bool] = False

    def given(self, one_hot: Tensor) -> Tensor:
        """The target without refinement, and what rows begin with, (B, K).

        ``one_hot`` are the given labels; soft ones come as they are.
        """
        return one_hot

    def refining(self, epoch: int) -> bool:
        """Whether labels are refined in this epoch, counted from 1."""
        return False

    def refine(
        self, row: Tensor, clean: Tensor, adversarial: Tensor, epoch: Tensor = None
    ) -> Tensor:
        """New soft labels (B, K) from the old and both predicted distributions."""
        return row

    @property
    def teacher(self) -> float:
        """The decay of the average that is the teacher; 0: there is none."""
        return 0.0

    @property
    def clean_mode(self) -> bool:
        """Whether labels in a bank look at the clean images in training mode."""
        return True

    def target(self, soft: Tensor, given: Tensor, epoch: Tensor = None) -> Tensor:
        """What the loss compares with, from soft labels and :meth:`given`, both (B, K)."""
        return soft

    def pull(self, logits: Tensor, soft: Tensor, epoch: Tensor = None) -> Tensor:
        """What is added to the loss of each sample, (B,)."""
        raise TypeError(f"{type(self).__name__} gives no pull()")

    def objective(self, plain: Objective, soft: Tensor, epoch: Tensor) -> Objective:
        """What the attack raises: the method's objective, and :meth:`pull` where there is one."""

        def loss(z: Tensor, y: Tensor, *beside: Tensor) -> Tensor:
            return plain.loss(z, y, *beside) + self.pull(z, soft, epoch)

        return dataclasses.replace(plain, loss=loss)
