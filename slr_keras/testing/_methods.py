"""What every training method keeps to."""

from __future__ import annotations

from typing import Any

import numpy as np

from slr_keras.attacks.pgd import PGD
from slr_keras.backend import ops
from slr_keras.methods._base import Outputs
from slr_keras.testing._base import (
    array,
    classifier,
    distributions,
    gradient,
    need,
    one,
    rng,
    tensor,
    train_once,
)

LATE = 200  # an epoch by which everything has begun
H = 1e-2  # step of the finite differences


def _loss(method: Any, z: Any, clean: Any, target: Any, label: Any) -> Any:
    return method.loss(Outputs(tensor(z), tensor(clean)), tensor(target), tensor(label))


def loss_and_gradient_are_finite(part: Any) -> None:
    """Also at logits of 1e4; one loss for each sample, never below 0."""
    method, draw = one(part), rng()
    z, clean = draw.choice([-1e4, 0.0, 1e4], size=(2, 50, 5)).astype("float32")
    label = draw.integers(0, 5, 50)
    for t in (np.eye(5, dtype="float32")[label], distributions(50, 5)):
        loss = array(_loss(method, z, clean, t, label))
        need(loss.shape == (50,), f"expected a loss for each of 50 samples, received {loss.shape}")
        need(np.isfinite(loss).all() and (loss >= 0).all(), "a loss is NaN, infinite or below 0")
        slope = gradient(lambda z, t=t: _loss(method, z, clean, t, label), z)  # type: ignore[misc]
        need(np.isfinite(slope).all(), "a gradient is NaN or infinite at large logits")


def gradient_agrees_with_finite_differences(part: Any) -> None:
    """Into both branches: one that is stopped on the way differs."""
    method = one(part)
    logits = rng().normal(0, 2, (2, 6, 5)).astype("float32")
    target, label = distributions(6, 5), rng(1).integers(0, 5, 6)
    for which, name in enumerate(("trained on", "clean")):

        def loss(moved: Any, which: int = which) -> Any:
            parts = list(logits)
            parts[which] = moved
            return _loss(method, parts[0], parts[1], target, label)

        at = logits[which]
        used = which == 0 or method.both
        found, measured = gradient(loss, at) if used else 0 * at, np.empty((6, 5))
        for k in range(5):
            up, down = at.copy(), at.copy()
            up[:, k] += H
            down[:, k] -= H
            rise = array(loss(up)).astype("float64") - array(loss(down)).astype("float64")
            measured[:, k] = rise / (up[:, k] - down[:, k]).astype("float64")
        off = abs(found - measured).max()
        need(off <= 1e-3, f"the gradient into the logits {name} is {off:.2g} off the differences")


def the_attack_raises_its_objective(part: Any) -> None:
    """PGD raises what the method says, image by image, on a linear model."""
    weights = tensor(rng(2).normal(size=(12, 5)).astype("float32"))

    def logits(x: Any) -> Any:
        return ops.reshape(x, (-1, 12)) @ weights

    x, y = rng().random((20, 2, 2, 3), "float32"), rng(1).integers(0, 5, 20).astype("int32")
    objective = one(part).objective(logits, tensor(x), tensor(y))
    noise = 1e-3 * rng(3).normal(size=x.shape).astype("float32")
    start = tensor(np.clip(x + noise, 0, 1))
    found = PGD(eps=0.1, step_size=0.02, steps=5).perturb(objective, tensor(x), start)
    risen = array(objective(found)) > array(objective(start))
    need(risen.all(), "PGD does not raise the method's objective")


def one_step_moves_every_weight(part: Any) -> None:
    """A step of training gives finite figures and changes all weights."""
    model = classifier(32, method=one(part))
    before = [weight.copy() for weight in model.net.get_weights()]
    logs = train_once(model, LATE)
    need(np.isfinite(list(logs.values())).all(), f"a step reports {logs}")
    moved = [(a != b).any() for a, b in zip(before, model.net.get_weights(), strict=True)]
    need(all(moved), f"{moved.count(False)} of {len(moved)} weights do not move in a step")


CHECKS = (
    loss_and_gradient_are_finite,
    gradient_agrees_with_finite_differences,
    the_attack_raises_its_objective,
    one_step_moves_every_weight,
)


def fingerprint(method: Any) -> np.ndarray:
    """Losses of fixed logits and targets."""
    z, clean = rng().normal(0, 2, (2, 6, 5)).astype("float32")
    label = rng(1).integers(0, 5, 6)
    return array(_loss(method, z, clean, distributions(6, 5), label))
