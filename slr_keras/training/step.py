"""One training step of every method: the page to hold against the paper.

Pure functions over ``keras.ops``; they run unchanged on every backend. Only how a gradient is
taken and where state lives differs, and that is in ``slr_keras/backend/<name>.py``. Steps are
numbered as in "Soften to Defend" (arXiv 2403.09101) and its authors' program.

Images x are (B, H, W, C) in [0, 1], labels y (B,), logits z (B, K), soft labels T (N, K).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from slr_keras import losses
from slr_keras.attacks._base import Attack
from slr_keras.attacks._objective import Objective

Tensor = Any


class Batch(NamedTuple):
    """One batch on its way through the step.

    ``sample`` are indices into the training set, ``trained`` the images the loss sees. ``probe``
    says which clean images of the batch's first quarter are classified correctly, where the
    step makes no clean pass of its own.
    """

    image: Tensor
    label: Tensor
    sample: Tensor | None
    weight: Tensor | None
    trained: Tensor
    probe: Tensor | None = None


class Outputs(NamedTuple):
    """Logits of the images trained on, and of the clean ones where that pass was made."""

    trained: Tensor
    clean: Tensor | None


def adversarial(
    attack: Attack, logits: Callable[[Tensor], Tensor], x: Tensor, y: Tensor, seed: Any
) -> Tensor:
    """1. x' in the ball around x that raises CE(f(x'), y): inference mode, hard label."""
    return attack.run(Objective(logits, y), x, seed)


def forward(net: Any, method: Any, x: Tensor, trained: Tensor, refining: bool) -> Outputs:
    """2. z' = f(x') in training mode, then z = f(x): BatchNorm moves in this order."""
    z_adv = net(trained, training=True)
    clean = net(x, training=method.clean_pass == "training") if refining else None
    return Outputs(z_adv, clean)


def target(method: Any, bank: Any, index: Tensor, y: Tensor, z: Outputs, refining: bool) -> Tensor:
    """3. refine T_i (before the loss reads it) and 4. mix it with the given label y_i."""
    given = losses.one_hot(y, z.trained.shape[-1])
    if not refining:
        return given
    row = bank.read(index, given)
    p, p_adv = losses.probabilities(z.clean), losses.probabilities(z.trained)
    row = bank.write(index, method.refine(row, p, p_adv))
    return method.target(row, given)


def loss(net: Any, method: Any, bank: Any, batch: Batch, refining: bool) -> tuple[Tensor, Outputs]:
    """5. Per-sample loss -sum_k t_ik log softmax(z')_k, shape (B,), after steps 2 to 4."""
    z = forward(net, method, batch.image, batch.trained, refining)
    t = target(method, bank, batch.sample, batch.label, z, refining)
    return method.loss(z.trained, t), z
