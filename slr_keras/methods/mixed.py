"""Mixed adversarial training: Goodfellow et al. 2015 (arXiv 1412.6572), section 6."""

from __future__ import annotations

import dataclasses
from typing import Any

from slr_keras import losses
from slr_keras.methods._base import Method, Outputs
from slr_keras.settings.schema import setting

Tensor = Any


@dataclasses.dataclass(frozen=True)
class Mixed(Method):
    """``(1 - a) CE(f(x'), t) + a CE(f(x), t)``: a share of the loss stays with the clean images.

    Known as ``ratio`` in the Adversarial Robustness Toolbox (1 - a) and, up to a factor, as
    ``multiplier`` in TensorFlow's Neural Structured Learning ((1 - a) / a).

    Example:
        >>> Mixed(clean_share=0.5).both
        True
    """

    name = "mixed"
    both = True

    clean_share: float = setting(
        0.5,
        label="Share of clean images",
        help="a: share of the clean images' loss",
        at_least=0,
        at_most=1,
    )

    def loss(self, z: Outputs, target: Tensor, label: Tensor) -> Tensor:
        """``(1 - a) CE(z', t) + a CE(z, t)``, (B,)."""
        adversarial = losses.soft_cross_entropy(z.trained, target)
        clean = losses.soft_cross_entropy(z.clean, target)
        return (1 - self.clean_share) * adversarial + self.clean_share * clean
