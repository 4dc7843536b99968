"""Temporal ensembling: Dong et al., ICLR 2022 (arXiv 2106.01606), equation 6."""

from __future__ import annotations

import dataclasses
from typing import Any

from slr_keras.backend import ops
from slr_keras.errors import SettingError
from slr_keras.labels._base import Labels
from slr_keras.settings.schema import setting

Tensor = Any


@dataclasses.dataclass(frozen=True)
class TemporalEnsembling(Labels):
    """The given label, and a pull towards the mean of what was predicted in earlier epochs.

    From ``start_epoch`` on, with p the prediction on the clean image in inference mode, ``T_i`` is
    the exponential moving average of sample i's predictions, without the bias of its beginning:

        ``T_i <- T_i + (1 - a) / (1 - a^k) (p_i - T_i)``   in the k-th epoch of it,

    and the loss of the method, in the attack too, has beside it

        ``w(e) / K sum_k (softmax(z)_k - T_ik)^2``,   ``w(e) = weight exp(-5 (1 - s)^2)``

    with s from 0 at ``start_epoch`` to 1 at ``full_epoch``; z are the logits whose cross-entropy
    the method minimises. The attack sees T as it was before the step. Defaults are those of the
    authors' program.

    Example:
        >>> TemporalEnsembling(start_epoch=90).refining(89)
        False
    """

    name = "temporal"
    refines = True
    pulls = True
    timed = True

    momentum: float = setting(
        0.9, label="Momentum of the mean", help="a: weight of the old mean", at_least=0, below=1
    )
    weight: float = setting(
        300.0, label="Largest weight of the pull", help="largest weight of the pull", at_least=0
    )
    start_epoch: int = setting(
        90,
        label="First epoch with a pull",
        help="first epoch that is averaged, counted from 1",
        unit="epochs",
        at_least=1,
    )
    full_epoch: int = setting(
        150,
        label="Epoch of the full weight",
        help="epoch whose weight is the largest",
        unit="epochs",
        at_least=1,
    )

    def validate(self) -> None:
        """The weight grows forwards."""
        if self.full_epoch < self.start_epoch:
            raise SettingError(
                "full_epoch",
                f"expected start_epoch {self.start_epoch} or later, received {self.full_epoch}",
            )

    def refining(self, epoch: int) -> bool:
        """From the start epoch on."""
        return epoch >= self.start_epoch

    @property
    def clean_mode(self) -> bool:
        """In inference mode, as the authors' program looks at them."""
        return False

    def refine(
        self, row: Tensor, clean: Tensor, adversarial: Tensor, epoch: Tensor = None
    ) -> Tensor:
        """``T + (1 - a) / (1 - a^k) (p - T)``, all (B, K): at first p alone."""
        k = epoch - (self.start_epoch - 1)
        a = self.momentum
        return row + (1 - a) / (1 - ops.power(a, k)) * (clean - row)

    def target(self, soft: Tensor, given: Tensor, epoch: Tensor = None) -> Tensor:
        """The given label."""
        return given

    def pull(self, logits: Tensor, soft: Tensor, epoch: Tensor = None) -> Tensor:
        """``w(e)`` times the mean square of ``softmax(z) - T``, (B,)."""
        p = ops.softmax(ops.cast(logits, "float32"), axis=-1)
        return self._weight(epoch) * ops.mean(ops.square(p - soft), axis=-1)

    def _weight(self, epoch: Tensor) -> Tensor:
        length = max(self.full_epoch - self.start_epoch, 1)
        left = ops.clip((self.full_epoch - epoch) / length, 0.0, 1.0)
        return self.weight * ops.exp(-5.0 * left * left)
