"""The boundaries between classes as planes, for attacks that look for the nearest one."""

from __future__ import annotations

from typing import Any

from slr_keras import backend, losses
from slr_keras.attacks._objective import Objective
from slr_keras.attacks._staged import where
from slr_keras.backend import ops

Tensor = Any
FAR = 1e10


def plane_to(objective: Objective, x: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """Gradient ``w`` and value ``f`` of ``z_t - z_y`` at ``x``: the plane ``f + <w, d> = 0``."""

    def lead(v: Tensor) -> tuple[Tensor, tuple[()]]:
        return losses.target_gap(objective.logits(v), objective.labels, target), ()

    w, f, _ = backend.input_gradient_and_values(lead, x)
    return w, f


def nearest_plane(
    objective: Objective, ball: Any, x: Tensor, rivals: Tensor
) -> tuple[Tensor, Tensor]:
    """:func:`plane_to` the rival (B, n) whose plane is nearest, ``|f| / ||w||_dual``.

    A rival that is the image's own class counts as infinitely far.
    """

    def nearer(k: Any, best: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        target = ops.take(rivals, k, axis=1)
        w, f = plane_to(objective, x, target)
        far = ops.abs(f) / (1e-12 + ball.dual_size(w))
        far = ops.where(ops.equal(ops.cast(objective.labels, target.dtype), target), FAR, far)
        mask = ops.cast(far < best[2], "float32")
        return tuple(where(mask, new, old) for new, old in zip((w, f, far), best, strict=True))

    none = ops.zeros_like(x[:, 0, 0, 0])
    best = backend.loop(0, rivals.shape[1], nearer, (ops.zeros_like(x), none, none + FAR))
    return best[0], best[1]
