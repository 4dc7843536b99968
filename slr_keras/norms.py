"""Norm balls of radius epsilon around an image: projection, steepest step, random point.

Perturbations have shape ``(batch, height, width, channels)`` and are measured per image,
in pixels of [0, 1]. Each norm is one class; :data:`NORMS` holds them by name.
"""

from __future__ import annotations

import math
from typing import Any

from slr_keras.backend import ops, random

Tensor = Any
_TINY = 1e-12


class Linf:
    """``max_i |d_i| <= eps``."""

    def project(self, d: Tensor, eps: float) -> Tensor:
        """The nearest point of the ball: ``clip(d, -eps, eps)``."""
        return ops.clip(d, -eps, eps)

    def steepest(self, gradient: Tensor) -> Tensor:
        """The unit step that raises a linear function most: ``sign(g)`` (0 where g is 0)."""
        return ops.sign(gradient)

    def sample(self, shape: Any, eps: float, seed: Any) -> Tensor:
        """Uniform in the ball: every pixel uniform in [-eps, eps]."""
        return random.uniform(shape, -eps, eps, seed=seed)

    def size(self, d: Tensor) -> Tensor:
        """The norm of each perturbation, shape ``(batch,)``."""
        return ops.max(ops.abs(d), axis=_axes(d))


class L2:
    """``sqrt(sum_i d_i^2) <= eps``."""

    def project(self, d: Tensor, eps: float) -> Tensor:
        """The nearest point of the ball: ``d * min(1, eps / ||d||)``."""
        return d * ops.minimum(1.0, eps / ops.maximum(_length(d), _TINY))

    def steepest(self, gradient: Tensor) -> Tensor:
        """``g / ||g||`` (0 where the gradient vanishes)."""
        scale = ops.max(ops.abs(gradient), axis=_axes(gradient), keepdims=True)
        unit = gradient / ops.where(scale > 0, scale, 1.0)
        return unit / ops.maximum(_length(unit), _TINY)

    def sample(self, shape: Any, eps: float, seed: Any) -> Tensor:
        """Uniform in the ball: a normal direction, radius ``eps * u^(1/n)``."""
        direction = self.steepest(random.normal(shape, seed=seed))
        dimensions = math.prod(int(n) for n in direction.shape[1:])
        u = random.uniform((shape[0], *[1] * (len(direction.shape) - 1)), seed=seed)
        return eps * u ** (1.0 / dimensions) * direction

    def size(self, d: Tensor) -> Tensor:
        """The norm of each perturbation, shape ``(batch,)``."""
        return ops.sqrt(ops.sum(ops.square(d), axis=_axes(d)))


def _axes(d: Tensor) -> tuple[int, ...]:
    return tuple(range(1, len(d.shape)))


def _length(d: Tensor) -> Tensor:
    return ops.sqrt(ops.sum(ops.square(d), axis=_axes(d), keepdims=True))


NORMS: dict[str, Linf | L2] = {"linf": Linf(), "l2": L2()}
