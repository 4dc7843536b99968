"""Adversarial weight perturbation: Wu et al. 2020 (arXiv 2004.05884), equations 7 to 10."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

from slr_keras.backend import ops
from slr_keras.settings.schema import Settings, setting

Tensor = Any
_TINY = 1e-12


@dataclasses.dataclass(frozen=True)
class AWP(Settings):
    """The gradient of the update is taken where the weights are worse, and applied to the weights.

    With g the gradient of the method's loss, each tensor w of rank above 1 is moved by

        ``v = gamma ||w|| g / ||g||``

    before the loss is differentiated again, with the targets that it had. BatchNorm moves once, in
    the second pass.

    Args:
        gamma: size of the step relative to the weights; 0.01 for AT, 0.005 for TRADES and MART.
        start_epoch: first epoch, from 1, whose steps are perturbed.

    Example:
        >>> AWP(gamma=0.005).start_epoch
        1
    """

    gamma: float = setting(0.01, help="size of the step relative to the weights", at_least=0)
    start_epoch: int = setting(1, help="first epoch whose steps are perturbed", at_least=1)

    def perturbing(self, epoch: int) -> bool:
        """Whether steps of this epoch, counted from 1, are perturbed."""
        return self.gamma > 0 and epoch >= self.start_epoch

    @staticmethod
    def moved(weights: Sequence[Any], gradients: Sequence[Tensor]) -> list[tuple[Any, Tensor]]:
        """The pairs of a weight and its gradient that are perturbed: rank above 1."""
        return [(w, g) for w, g in zip(weights, gradients, strict=True) if len(w.shape) > 1]

    def perturbed(self, weights: Sequence[Tensor], gradients: Sequence[Tensor]) -> list[Tensor]:
        """``w + v`` for each weight."""
        return [self._worse(w, g) for w, g in zip(weights, gradients, strict=True)]

    def _worse(self, w: Tensor, g: Tensor) -> Tensor:
        g = ops.cast(g, w.dtype)
        return w + (self.gamma * _norm(w) / (_norm(g) + _TINY)) * g


def _norm(x: Tensor) -> Tensor:
    return ops.sqrt(ops.sum(ops.square(x)))
