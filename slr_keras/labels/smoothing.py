"""Label smoothing: Szegedy et al. 2016 (arXiv 1512.00567), section 7."""

from __future__ import annotations

import dataclasses
from typing import Any

from slr_keras.labels._base import Labels
from slr_keras.settings.schema import setting

Tensor = Any


@dataclasses.dataclass(frozen=True)
class Smoothing(Labels):
    """``t_i = (1 - a) y_i + a / K`` for K classes: the same softness for every sample.

    Example:
        >>> Smoothing(amount=0.1).amount
        0.1
    """

    name = "smoothing"

    amount: float = setting(
        0.1, label="Smoothing", help="a: probability spread over all classes", at_least=0, at_most=1
    )

    def given(self, one_hot: Tensor) -> Tensor:
        """``(1 - a) y + a / K``, (B, K)."""
        return (1 - self.amount) * one_hot + self.amount / one_hot.shape[-1]
