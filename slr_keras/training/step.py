"""One training step of every method and label scheme: the page to hold against the papers.

Pure functions over ``keras.ops``; they run unchanged on every backend. Only how a gradient is
taken and where state lives differs, and that is in ``slr_keras/backend/<name>.py``. Steps are
numbered as in "Soften to Defend" (arXiv 2403.09101) and its authors' program.

Images x are (B, H, W, C) in [0, 1], labels y (B,), logits z (B, K), soft labels T (N, K).
"""

from __future__ import annotations

from typing import Any, NamedTuple

from slr_keras import losses
from slr_keras.attacks._base import Attack
from slr_keras.labels._base import Labels
from slr_keras.methods._base import Logits, Method, Outputs

Tensor = Any


class Batch(NamedTuple):
    """One batch on its way through the step.

    ``label`` are class numbers (B,), ``rows`` the given labels (B, K) where they are soft.
    ``sample`` are indices into the training set, ``trained`` the images the loss sees, ``taught``
    a teacher's logits on the clean images. ``probe`` are the logits of the clean images of the
    batch's first quarter, where the step makes no clean pass of its own. ``epoch``
    counts from 1; None where nothing depends on it.
    """

    image: Tensor
    label: Tensor
    sample: Tensor | None
    weight: Tensor | None
    trained: Tensor
    probe: Tensor | None = None
    taught: Tensor | None = None
    epoch: Tensor | None = None
    rows: Tensor | None = None

    def given(self, labels: Labels, num_classes: int) -> Tensor:
        """The target without refinement, and what rows of the bank begin with, (B, K)."""
        hard = losses.one_hot(self.label, num_classes) if self.rows is None else self.rows
        return labels.given(hard)


class Target(NamedTuple):
    """What the loss compares with, (B, K), and the soft label it came from, if there is one."""

    label: Tensor
    soft: Tensor | None = None


def adversarial(
    attack: Attack,
    method: Method,
    labels: Labels,
    bank: Any,
    logits: Logits,
    batch: Batch,
    seed: Any,
) -> Tensor:
    """1. x' in the ball around x that raises the method's objective, in inference mode."""
    x, y = batch.image, batch.label
    objective = method.objective(logits, x, y)
    if bank is not None and labels.pulls:
        given = batch.given(labels, bank.num_classes)
        objective = labels.objective(objective, bank.read(batch.sample, given), batch.epoch)
    return attack.run(objective, x, seed)


def forward(net: Any, method: Method, labels: Labels, batch: Batch, refining: bool) -> Outputs:
    """2. z' = f(x') in training mode, and z = f(x) where loss or labels ask for it.

    BatchNorm moves in the order of the authors' programs: TRADES and MART see the clean images
    first, refined labels second.
    """
    z = net(batch.image, training=True) if method.both else None
    z_adv = net(batch.trained, training=True)
    if refining and labels.refines and z is None:
        z = net(batch.image, training=labels.clean_mode)
    return Outputs(z_adv, z)


def target(labels: Labels, bank: Any, batch: Batch, z: Outputs, refining: bool) -> Target:
    """3. refine T_i (before the loss reads it) and 4. mix it with the given label y_i."""
    given = batch.given(labels, z.trained.shape[-1])
    if not refining:
        return Target(given)
    soft = batch.taught
    if labels.refines:
        p, p_adv = losses.probabilities(z.clean), losses.probabilities(z.trained)
        row = bank.read(batch.sample, given)
        soft = bank.write(batch.sample, labels.refine(row, p, p_adv, batch.epoch))
    return Target(labels.target(soft, given, batch.epoch), soft)


def loss(
    net: Any,
    method: Method,
    labels: Labels,
    bank: Any,
    batch: Batch,
    refining: bool,
    t: Target | None = None,
) -> tuple[Tensor, Outputs, Target]:
    """5. The method's loss of each sample, shape (B,), after steps 2 to 4, or towards given t."""
    z = forward(net, method, labels, batch, refining and t is None)
    t = target(labels, bank, batch, z, refining) if t is None else t
    each = method.loss(z, t.label, batch.label)
    if t.soft is not None and labels.pulls:
        each = each + labels.pull(method.fitted(z), t.soft, batch.epoch)
    return each, z, t
