"""What every label scheme keeps to."""

from __future__ import annotations

from typing import Any

import numpy as np

from slr_keras.labels.hard import Hard
from slr_keras.methods.at import AT
from slr_keras.testing._base import (
    array,
    classifier,
    distributions,
    need,
    one,
    rng,
    same,
    tensor,
    train_once,
)

LATE = 95.0
EPOCHS = range(1, 201)


def _made(labels: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Given labels, rows after a refinement, and what the loss compares with, all (20, 5)."""
    row, p, q = (tensor(distributions(20, 5, seed)) for seed in range(3))
    given = array(labels.given(tensor(np.eye(5, dtype="float32")[rng().integers(0, 5, 20)])))
    epoch = tensor(np.float32(LATE))
    new = array(labels.refine(row, p, q, epoch))
    soft = tensor(np.log(new) if labels.teacher else new)
    return given, new, array(labels.target(soft, tensor(given), epoch))


def rows_stay_distributions(part: Any) -> None:
    """What is given, refined and compared with is never below 0 and sums to 1 (1e-6)."""
    for what, rows in zip(("given", "refined", "target"), _made(one(part)), strict=True):
        need((rows >= 0).all(), f"a {what} label is below 0")
        off = abs(rows.astype("float64").sum(1) - 1).max()
        need(off <= 1e-6, f"a {what} label sums to 1 only to {off:.2g}")


def once_begun_it_goes_on(part: Any) -> None:
    """Refinement begins at an epoch, if it refines at all, and does not end."""
    labels = one(part)
    epochs = [bool(labels.refining(epoch)) for epoch in EPOCHS]
    need(epochs == sorted(epochs), "refinement ends again")
    refines = bool(labels.refines or labels.teacher)
    need(any(epochs) == refines, "refines, and refining() of an epoch, do not agree")


def before_its_start_it_is_the_plain_method(part: Any) -> None:
    """A step before refinement begins equals one with given labels, bit for bit."""
    labels = one(part)
    if not (labels.refines or labels.teacher) or labels.refining(1):
        return
    found = []
    for scheme in (labels, Hard()):
        model = classifier(32, method=AT(), labels=scheme)
        train_once(model, 1)
        found.append(model.net.get_weights())
    equal = all(same(a, b) for a, b in zip(*found, strict=True))
    need(equal, "before its start a step is another than with given labels")


def trains(part: Any) -> None:
    """Steps after its start give finite figures."""
    model = classifier(32, method=AT(), labels=one(part))
    for _ in range(2):
        logs = train_once(model, EPOCHS[-1])
    need(np.isfinite(list(logs.values())).all(), f"a step reports {logs}")


CHECKS = (
    rows_stay_distributions,
    once_begun_it_goes_on,
    before_its_start_it_is_the_plain_method,
    trains,
)


def fingerprint(labels: Any) -> np.ndarray:
    """Given, refined and target labels."""
    return np.concatenate(_made(labels))
