"""TRADES: Zhang et al. 2019 (arXiv 1901.08573), equation 5 and algorithm 1."""

from __future__ import annotations

import dataclasses
from typing import Any

from slr_keras import losses
from slr_keras.attacks._objective import Objective
from slr_keras.backend import ops
from slr_keras.methods._base import Logits, Method, Outputs
from slr_keras.settings.schema import setting

Tensor = Any


@dataclasses.dataclass(frozen=True)
class TRADES(Method):
    """Clean accuracy against smoothness: ``CE(f(x), t) + beta KL(f(x) || f(x'))``.

    The attack raises ``KL(f(x) || f(x'))``; the gradient of the loss goes through both branches.
    The authors start the attack at ``x + 0.001 N(0, 1)``: ``PGD(gaussian=True)``.

    Example:
        >>> TRADES(beta=6.0).both
        True
    """

    name = "trades"
    both = True
    own_objective = True

    beta: float = setting(
        6.0,
        label="Weight of the divergence",
        help="weight of the divergence between x and x'",
        at_least=0,
    )

    def objective(self, logits: Logits, x: Tensor, y: Tensor) -> Objective:
        """``KL(f(x) || f(x'))`` as a function of x'."""
        z = ops.stop_gradient(logits(x))
        return Objective(logits, y, loss=_divergence, beside=(z,))

    def fitted(self, z: Outputs) -> Tensor:
        """Those of the clean images."""
        return z.clean

    def loss(self, z: Outputs, target: Tensor, label: Tensor) -> Tensor:
        """``CE(z, t) + beta KL(softmax(z) || softmax(z'))``, (B,)."""
        natural = losses.soft_cross_entropy(z.clean, target)
        return natural + self.beta * losses.divergence(z.clean, z.trained)


def _divergence(z_adv: Tensor, _: Tensor, z: Tensor) -> Tensor:
    return losses.divergence(z, z_adv)
