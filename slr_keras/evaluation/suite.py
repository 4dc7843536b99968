"""Several attacks on one model: what ``python -m slr_keras.evaluate`` computes."""

from __future__ import annotations

import dataclasses
import hashlib
import time
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from slr_keras import backend, schema
from slr_keras.attacks._base import Attack
from slr_keras.evaluation.intervals import wilson
from slr_keras.evaluation.runner import Evaluator

WORST = "worst case"


@dataclasses.dataclass(frozen=True)
class Row:
    """One line of the table; ``interval`` is the 95 % Wilson interval of ``accuracy``."""

    attack: str
    settings: dict[str, Any]
    samples: int
    accuracy: float
    interval: tuple[float, float]
    seconds: float


def evaluate(
    net: Any,
    x: np.ndarray,
    y: np.ndarray,
    attacks: dict[str, Attack | None],
    *,
    seed: int = 0,
    batch_size: int = 250,
    on_batch: Callable[[str, int], None] = lambda *_: None,
) -> list[Row]:
    """A row for each attack, and the pointwise worst case where there are several.

    Args:
        net: Keras classifier with logits.
        x, y: images (N, H, W, C), uint8 or float in [0, 1], and labels (N,).
        attacks: attacks by their name in the table; None is clean accuracy.
        on_batch: called with the attack and the number of images done.
    """
    rows, together = [], np.ones(len(y), bool)
    for name, attack in attacks.items():
        begun = time.monotonic()
        evaluator = Evaluator(net, attack, seed=seed, batch_size=batch_size)
        result = evaluator.run(x, y, lambda done, name=name: on_batch(name, done))  # type: ignore[misc]
        right = result.clean if result.robust is None else result.robust
        together &= right
        settings = {} if attack is None else schema.to_dict(attack)
        rows.append(_row(name, settings, right, time.monotonic() - begun))
    if len(rows) > 1:
        rows.append(_row(WORST, {}, together, sum(row.seconds for row in rows)))
    return rows


def _row(name: str, settings: dict[str, Any], right: np.ndarray, seconds: float) -> Row:
    hits, count = int(right.sum()), len(right)
    return Row(name, settings, count, hits / count, wilson(hits, count), round(seconds, 2))


def network_digest(net: Any) -> str:
    """The first 16 digits of the SHA-256 of a network's weights."""
    total = hashlib.sha256()
    for weight in net.get_weights():
        total.update(np.ascontiguousarray(weight).data)
    return total.hexdigest()[:16]


def as_json(rows: Iterable[Row], net: Any, **facts: Any) -> dict[str, Any]:
    """What evaluation.json holds: the rows, and what they were measured on."""
    head = {"model_digest": network_digest(net), "device": backend.describe_device()}
    return head | facts | {"results": [dataclasses.asdict(row) for row in rows]}
