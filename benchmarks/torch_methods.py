"""One step of TRADES, MART, AWP and refined labels in plain PyTorch, written from the papers.

It knows nothing of slr_keras: given adversarial images it says what loss, gradients, soft labels
and moving statistics a step has. ``tests/oracles/test_torch_methods.py`` compares.
"""

from __future__ import annotations

import dataclasses

import torch
import torch.nn.functional as F
from torch import Tensor, nn

BETA, LAMBDA = 6.0, 5.0


def cross_entropy(z: Tensor, target: Tensor) -> Tensor:
    """Mean over the batch of ``-sum_k t_k log softmax(z)_k``."""
    return -(target * F.log_softmax(z, dim=1)).sum(1).mean()


def trades(z: Tensor, z_adv: Tensor, target: Tensor, y: Tensor) -> Tensor:
    """Zhang et al. 2019, equation 5, with 1/lambda = beta."""
    divergence = F.kl_div(F.log_softmax(z_adv, dim=1), F.softmax(z, dim=1), reduction="batchmean")
    return cross_entropy(z, target) + BETA * divergence


def mart(z: Tensor, z_adv: Tensor, target: Tensor, y: Tensor) -> Tensor:
    """Wang et al. 2020, equations 9 to 12."""
    p, p_adv = F.softmax(z, dim=1), F.softmax(z_adv, dim=1)
    rows = torch.arange(len(y))
    others = p_adv.clone()
    others[rows, y] = -1.0
    boosted = cross_entropy(z_adv, target) - torch.log(1 - others.max(dim=1).values).mean()
    divergence = (p * (p.log() - p_adv.log())).sum(1)
    return boosted + LAMBDA * (divergence * (1 - p[rows, y])).mean()


def adversarial(z: Tensor | None, z_adv: Tensor, target: Tensor, y: Tensor) -> Tensor:
    """Madry et al. 2018, equation 2.1."""
    return cross_entropy(z_adv, target)


LOSSES = {"at": adversarial, "trades": trades, "mart": mart}


@dataclasses.dataclass
class Step:
    """What one step on given adversarial images computes, before the optimiser.

    Attributes:
        method: ``at``, ``trades`` or ``mart``.
        bank: (N, K) soft labels that are refined, or None for the given labels.
        gamma: size of the weight perturbation, 0: none.
    """

    net: nn.Module
    method: str
    bank: Tensor | None = None
    gamma: float = 0.0
    momentum: float = 0.9
    clean_weight: float = 0.2

    def loss(
        self, x: Tensor, x_adv: Tensor, y: Tensor, index: Tensor, target: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """Loss and target, in training mode."""
        z = self.net(x) if self.method != "at" else None
        z_adv = self.net(x_adv)
        if target is None:
            target = self._target(x, z, z_adv, y, index)
        return LOSSES[self.method](z, z_adv, target, y), target

    def _target(
        self, x: Tensor, z: Tensor | None, z_adv: Tensor, y: Tensor, index: Tensor
    ) -> Tensor:
        given = F.one_hot(y, z_adv.shape[1]).float()
        if self.bank is None:
            return given
        with torch.no_grad():
            clean = F.softmax(self.net(x) if z is None else z, dim=1)
            mixed = self.clean_weight * clean + (1 - self.clean_weight) * F.softmax(z_adv, dim=1)
            self.bank[index] = self.momentum * self.bank[index] + (1 - self.momentum) * mixed
        return self.bank[index]

    def gradients(
        self, x: Tensor, x_adv: Tensor, y: Tensor, index: Tensor
    ) -> tuple[float, list[Tensor]]:
        """The loss at the weights, and the gradient that the optimiser gets."""
        self.net.train()
        parameters = list(self.net.parameters())
        buffers = [buffer.clone() for buffer in self.net.buffers()]
        loss, target = self.loss(x, x_adv, y, index, None)
        found = torch.autograd.grad(loss, parameters)
        if self.gamma:
            for buffer, value in zip(self.net.buffers(), buffers, strict=True):
                buffer.data.copy_(value)
            kept = [parameter.detach().clone() for parameter in parameters]
            for parameter, g in zip(parameters, found, strict=True):
                if parameter.dim() > 1:
                    parameter.data += self.gamma * parameter.data.norm() / g.norm() * g
            moved, _ = self.loss(x, x_adv, y, index, target.detach())
            found = torch.autograd.grad(moved, parameters)
            for parameter, value in zip(parameters, kept, strict=True):
                parameter.data.copy_(value)
        return loss.item(), list(found)
