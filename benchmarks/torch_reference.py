"""The same networks and the same training step in plain PyTorch: eager, float32, NCHW.

Written for comparison from the description of the method, as PyTorch programs of adversarial
training usually look; nothing of slr_keras is used. See "Soften to Defend" (arXiv 2403.09101).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn


def conv3x3(fan_in: int, fan_out: int, stride: int = 1) -> nn.Conv2d:
    """3x3 convolution, one pixel of padding on every side, no bias."""
    return nn.Conv2d(fan_in, fan_out, 3, stride=stride, padding=1, bias=False)


class BasicBlock(nn.Module):
    """Two convolutions around a shortcut."""

    def __init__(self, fan_in: int, fan_out: int, stride: int):
        """Layers with PyTorch's default initial weights."""
        super().__init__()
        self.conv1, self.bn1 = conv3x3(fan_in, fan_out, stride), nn.BatchNorm2d(fan_out)
        self.conv2, self.bn2 = conv3x3(fan_out, fan_out), nn.BatchNorm2d(fan_out)
        self.shortcut = nn.Sequential()
        if stride != 1 or fan_in != fan_out:
            side = nn.Conv2d(fan_in, fan_out, 1, stride=stride, bias=False)
            self.shortcut = nn.Sequential(side, nn.BatchNorm2d(fan_out))

    def forward(self, x: Tensor) -> Tensor:
        """ReLU of the sum."""
        out = F.relu(self.bn1(self.conv1(x)))
        return F.relu(self.bn2(self.conv2(out)) + self.shortcut(x))


class ResNet18(nn.Module):
    """ResNet-18 for 32x32 images."""

    def __init__(self, channels: int = 3, classes: int = 10, width: int = 64):
        """Layers with PyTorch's default initial weights."""
        super().__init__()
        self.conv1, self.bn1 = conv3x3(channels, width), nn.BatchNorm2d(width)
        blocks, fan_in = [], width
        for stage in range(4):
            for position in range(2):
                fan_out = width * 2**stage
                blocks.append(BasicBlock(fan_in, fan_out, 2 if stage and not position else 1))
                fan_in = fan_out
        self.blocks = nn.Sequential(*blocks)
        self.linear = nn.Linear(fan_in, classes)

    def forward(self, x: Tensor) -> Tensor:
        """Logits."""
        x = self.blocks(F.relu(self.bn1(self.conv1(x))))
        return self.linear(F.adaptive_avg_pool2d(x, 1).flatten(1))


class SmallCNN(nn.Module):
    """Four convolutions with BatchNorm, widths w-2w-4w-8w."""

    def __init__(
        self,
        channels: int = 1,
        classes: int = 10,
        width: int = 32,
        strides: Sequence[int] = (1, 2, 1, 2),
    ):
        """Layers with PyTorch's default initial weights."""
        super().__init__()
        layers, fan_in = [], channels
        for level, stride in enumerate(strides):
            fan_out = width * 2**level
            layers += [conv3x3(fan_in, fan_out, stride), nn.BatchNorm2d(fan_out), nn.ReLU()]
            fan_in = fan_out
        self.features = nn.Sequential(*layers)
        self.linear = nn.Linear(fan_in, classes)

    def forward(self, x: Tensor) -> Tensor:
        """Logits."""
        return self.linear(F.adaptive_avg_pool2d(self.features(x), 1).flatten(1))


NETWORKS = {"resnet18": ResNet18, "small_cnn": SmallCNN}


@dataclasses.dataclass
class Trainer:
    """Adversarial training of one network with a label bank.

    Attributes:
        net: the network.
        bank: (N, K) soft labels.
        eps, step_size, steps: the PGD attack.
        momentum, clean_weight: a and c of the refinement.
    """

    net: nn.Module
    bank: Tensor
    eps: float = 8 / 255
    step_size: float = 2 / 255
    steps: int = 10
    momentum: float = 0.9
    clean_weight: float = 0.2
    learning_rate: float = 0.1

    def __post_init__(self) -> None:
        """SGD with coupled L2 on every parameter."""
        self.optimizer = torch.optim.SGD(
            self.net.parameters(), self.learning_rate, momentum=0.9, weight_decay=5e-4
        )

    def attack(self, x: Tensor, y: Tensor) -> Tensor:
        """PGD in evaluation mode from a uniform start."""
        self.net.eval()
        adv = (x + torch.empty_like(x).uniform_(-self.eps, self.eps)).clamp(0, 1)
        for _ in range(self.steps):
            adv.requires_grad_(True)
            (gradient,) = torch.autograd.grad(F.cross_entropy(self.net(adv), y), [adv])
            adv = adv.detach() + self.step_size * gradient.sign()
            adv = torch.min(torch.max(adv, x - self.eps), x + self.eps).clamp(0, 1)
        self.net.train()
        return adv.detach()

    def refine(self, x: Tensor, z_adv: Tensor, index: Tensor) -> Tensor:
        """New soft labels of the batch, stored in the bank; the clean pass is in training mode."""
        with torch.no_grad():
            clean = F.softmax(self.net(x), dim=1)
            mixed = self.clean_weight * clean
            mixed = mixed + (1 - self.clean_weight) * F.softmax(z_adv, dim=1)
            rows = self.momentum * self.bank[index] + (1 - self.momentum) * mixed
            self.bank[index] = rows
        return rows

    def slr_step(self, x: Tensor, y: Tensor, index: Tensor) -> float:
        """One step with refinement; returns the loss."""
        z_adv = self.net(self.attack(x, y))
        target = self.refine(x, z_adv, index)
        return self._update(-(target * F.log_softmax(z_adv, dim=1)).sum(1).mean())

    def at_step(self, x: Tensor, y: Tensor) -> float:
        """One step of plain adversarial training; returns the loss."""
        return self._update(F.cross_entropy(self.net(self.attack(x, y)), y))

    def _update(self, loss: Tensor) -> float:
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return loss.item()


def one_hot_bank(labels: np.ndarray, classes: int) -> Tensor:
    """A bank whose rows are the given labels."""
    return F.one_hot(torch.from_numpy(labels).long(), classes).float()


def to_torch_images(x: np.ndarray) -> Tensor:
    """(B, H, W, C) to contiguous (B, C, H, W)."""
    return torch.from_numpy(np.ascontiguousarray(x.transpose(0, 3, 1, 2)))


def weight_pairs(keras_net: Any, torch_net: nn.Module) -> Iterator[tuple[Any, Tensor]]:
    """Weights of both networks, layer by layer of the same kind in the order of the networks."""
    kinds = {
        ("Conv2D",): nn.Conv2d,
        ("BatchNorm", "BatchNormalization"): nn.BatchNorm2d,
        ("Dense",): nn.Linear,
    }
    for names, torch_kind in kinds.items():
        ours = [layer for layer in keras_net.layers if type(layer).__name__ in names]
        theirs = [module for module in torch_net.modules() if isinstance(module, torch_kind)]
        for layer, module in zip(ours, theirs, strict=True):
            yield from _pairs_of_layer(layer, module)


def _pairs_of_layer(layer: Any, module: nn.Module) -> Iterator[tuple[Any, Tensor]]:
    if isinstance(module, nn.BatchNorm2d):
        yield layer.gamma, module.weight
        yield layer.beta, module.bias
        yield layer.moving_mean, module.running_mean
        yield layer.moving_variance, module.running_var
        return
    yield layer.kernel, module.weight
    if layer.use_bias:
        yield layer.bias, module.bias


def as_keras(weight: Tensor) -> np.ndarray:
    """A PyTorch weight in Keras' order: kernels (h, w, in, out), dense (in, out)."""
    value = weight.detach().numpy()
    if value.ndim == 4:
        return value.transpose(2, 3, 1, 0)
    return value.T if value.ndim == 2 else value


def as_torch(weight: Any) -> Tensor:
    """A Keras weight in PyTorch's order."""
    value = np.asarray(weight)
    if value.ndim == 4:
        value = value.transpose(3, 2, 0, 1)
    return torch.from_numpy(np.array(value.T if value.ndim == 2 else value))


def copy_to_torch(keras_net: Any, torch_net: nn.Module) -> None:
    """Give the PyTorch network the weights and statistics of the Keras network."""
    with torch.no_grad():
        for ours, theirs in weight_pairs(keras_net, torch_net):
            theirs.copy_(as_torch(ours))


def copy_to_keras(torch_net: nn.Module, keras_net: Any) -> None:
    """Give the Keras network the weights and statistics of the PyTorch network."""
    for ours, theirs in weight_pairs(keras_net, torch_net):
        ours.assign(as_keras(theirs))
