"""What every analysis keeps to."""

from __future__ import annotations

from typing import Any

import numpy as np

from slr_keras.analyses._base import Images, Probe
from slr_keras.testing._base import (
    array,
    batch,
    distributions,
    kind_of,
    need,
    net,
    one,
    same,
    tensor,
)


def _probe() -> Probe:
    x, y = batch()
    logits = array(net()(tensor(x), training=False)).astype("float64")
    soft = distributions(len(y), logits.shape[1])
    images = Images(x, x, y, y, logits, logits, soft, np.arange(len(y)))
    start = [weight + 0.1 for weight in map(array, net().trainable_weights)]
    return Probe(net(), images, images, size=len(y), start=start)


def _measured(part: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    found = one(part).measure(_probe())
    need(isinstance(found, tuple) and len(found) == 2, "measure() gave no scalars and arrays")
    return found


def scalars_are_numbers_with_names(part: Any) -> None:
    """Each scalar has a column that says what it is, and is a finite number or None."""
    columns = kind_of(part).columns
    scalars, _ = _measured(part)
    for name, value in scalars.items():
        need(name in columns, f"{name}: has no entry in columns that says what it is")
        need(value is None or np.isfinite(value), f"{name} is {value}")


def arrays_are_arrays(part: Any) -> None:
    """What is kept in the run folder can be written: arrays of numbers."""
    for name, value in _measured(part)[1].items():
        need(np.asarray(value).dtype != object, f"{name} is no array of numbers")


def measuring_changes_nothing(part: Any) -> None:
    """The network is as before, and the same network gives the same figures."""
    before = [weight.copy() for weight in net().get_weights()]
    once, again = _measured(part)[0], _measured(part)[0]
    need(once == again, "measured twice the figures differ")
    kept = all(same(a, b) for a, b in zip(before, net().get_weights(), strict=True))
    need(kept, "measuring has changed the network")


CHECKS = (scalars_are_numbers_with_names, arrays_are_arrays, measuring_changes_nothing)
