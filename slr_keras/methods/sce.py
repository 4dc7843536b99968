"""Symmetric cross-entropy: Wang et al., ICCV 2019 (arXiv 1908.06112), equations 6 to 8."""

from __future__ import annotations

import dataclasses
from typing import Any

from slr_keras import losses
from slr_keras.methods._base import Method, Outputs
from slr_keras.settings.schema import setting

Tensor = Any


@dataclasses.dataclass(frozen=True)
class SCE(Method):
    """``alpha CE(t, p') + beta RCE(t, p')``, adversarial training for noisy labels.

    ``RCE = -sum_k p'_k log t_k`` with ``log 0`` taken as -4, the authors' A.

    Example:
        >>> SCE(forward=0.1, reverse=1.0).adversarial
        True
    """

    name = "sce"

    forward: float = setting(
        0.1,
        label="Weight of the cross-entropy",
        help="alpha: weight of the cross-entropy",
        at_least=0,
    )
    reverse: float = setting(
        1.0,
        label="Weight of the reverse",
        help="beta: weight of the reverse cross-entropy",
        at_least=0,
    )

    def loss(self, z: Outputs, target: Tensor, label: Tensor) -> Tensor:
        """The class' formula, (B,)."""
        back = losses.reverse_cross_entropy(z.trained, target)
        return self.forward * losses.soft_cross_entropy(z.trained, target) + self.reverse * back
