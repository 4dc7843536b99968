"""MART, misclassification-aware training: Wang et al., ICLR 2020, equations 9 to 12."""

from __future__ import annotations

import dataclasses
from typing import Any

from slr_keras import losses
from slr_keras.methods._base import Method, Outputs
from slr_keras.settings.schema import setting

Tensor = Any


@dataclasses.dataclass(frozen=True)
class MART(Method):
    """``BCE(p', t) + lambda (1 - p_y) KL(p || p')``: more weight where the clean image is wrong.

    ``BCE(p', t) = -sum_k t_k log p'_k - log(1 - max_{k != y} p'_k)``. With soft labels t the
    cross-entropy takes them; the margin and the weight ``1 - p_y`` keep the given label y.

    Example:
        >>> MART(weight=5.0).both
        True
    """

    name = "mart"
    both = True

    weight: float = setting(
        5.0, label="Weight of the divergence", help="lambda: weight of the divergence", at_least=0
    )

    def loss(self, z: Outputs, target: Tensor, label: Tensor) -> Tensor:
        """The class' formula, (B,)."""
        boosted = losses.soft_cross_entropy(z.trained, target)
        boosted = boosted + losses.against_rival(z.trained, label)
        unsure = 1.0 - losses.probability_of(z.clean, label)
        return boosted + self.weight * unsure * losses.divergence(z.clean, z.trained)
