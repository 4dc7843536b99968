"""A batch in parts that are attacked at the same time: no image has to do with the others."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from slr_keras import backend
from slr_keras.attacks._objective import Objective

Tensor = Any


def in_parts(search: Callable[..., Any], objective: Objective, *rows: Any) -> Any:
    """``search(objective, *rows)``, with as many parts of the batch as keep all cores busy.

    Args:
        search: its result for an image depends on that image alone.
        objective: one that cannot be parted (:attr:`Objective.parts`) is taken whole.
        rows: tensors, nested or not, whose first axis is the batch; so are the results.

    Example:
        >>> in_parts(loop, objective, x, start)  # doctest: +SKIP
    """
    if not objective.parts:
        return search(objective, *rows)

    def part(own: Any, *rows: Any) -> Any:
        return search(objective.of(own), *rows)

    return backend.in_parts(part, objective.rows, *rows)
