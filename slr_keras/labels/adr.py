"""Annealing self-distillation rectification: Wu et al., ICLR 2024 (arXiv 2305.12118)."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

from slr_keras.backend import ops
from slr_keras.labels._base import Labels
from slr_keras.settings.schema import setting

Tensor = Any


@dataclasses.dataclass(frozen=True)
class ADR(Labels):
    """Labels from a teacher, the moving average of the weights, rectified by the given one.

    With z the teacher's logits on the clean image in inference mode, ``P = softmax(z / tau)`` and

        ``l = clip(lambda - (max_k P_k - P_y), 0, 1)``,   ``t = l P + (1 - l) y``:

    the further another class is ahead, the more of the given label. Over ``anneal_epochs`` epochs
    lambda rises and tau falls along half a cosine. The authors move both after every step, here
    they move with the epoch.

    Example:
        >>> ADR(anneal_epochs=100).refining(1)
        True
    """

    name = "adr"
    timed = True

    teacher_decay: float = setting(
        0.995,
        label="Decay of the teacher",
        help="decay of the average that is the teacher",
        above=0,
        below=1,
    )
    weight: float = setting(
        0.7,
        label="Teacher's share at first",
        help="lambda, the teacher's share, at the beginning",
        at_least=0,
        at_most=1,
    )
    last_weight: float = setting(
        0.95, label="Teacher's share at the end", help="lambda at the end", at_least=0, at_most=1
    )
    temperature: float = setting(
        2.0, label="Temperature at first", help="tau of the teacher at the beginning", above=0
    )
    last_temperature: float = setting(
        1.0, label="Temperature at the end", help="tau at the end", above=0
    )
    start_epoch: int = setting(
        1,
        label="First epoch with a teacher",
        help="first epoch with a teacher, counted from 1",
        unit="epochs",
        at_least=1,
    )
    anneal_epochs: int = setting(
        200,
        label="Epochs of annealing",
        help="from start_epoch to the last values of lambda and tau",
        unit="epochs",
        at_least=1,
    )

    def refining(self, epoch: int) -> bool:
        """From the start epoch on."""
        return epoch >= self.start_epoch

    @property
    def teacher(self) -> float:
        """``teacher_decay``."""
        return self.teacher_decay

    def target(self, soft: Tensor, given: Tensor, epoch: Tensor = None) -> Tensor:
        """``l P + (1 - l) y`` from the teacher's logits ``soft``, all (B, K)."""
        risen = self._risen(epoch)
        share = self.weight + (self.last_weight - self.weight) * risen
        tau = self.temperature + (self.last_temperature - self.temperature) * risen
        p = ops.softmax(ops.cast(soft, "float32") / tau, axis=-1)
        behind = ops.max(p, axis=-1) - ops.sum(p * given, axis=-1)
        share = ops.clip(share - behind, 0.0, 1.0)[:, None]
        return share * p + (1 - share) * given

    def _risen(self, epoch: Tensor) -> Tensor:
        """From 0 at the start epoch to 1, along half a cosine."""
        passed = ops.clip((epoch - self.start_epoch) / self.anneal_epochs, 0.0, 1.0)
        return 0.5 - 0.5 * ops.cos(math.pi * passed)
