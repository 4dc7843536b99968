"""An attack's numbers as arguments of what is compiled, and the seeds it draws with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from slr_keras.backend import ops, random

Tensor = Any


def signature(numbers: Mapping[str, Any]) -> list[tuple[tuple[()], str]]:
    """Shapes and dtypes of what :func:`tensors` gives."""
    return [((), "float32" if isinstance(n, float) else "int32") for n in numbers.values()]


def tensors(numbers: Mapping[str, Any]) -> dict[str, Tensor]:
    """:meth:`Attack.numbers` as scalar tensors, for :meth:`Attack.given`."""
    pairs = zip(numbers.items(), signature(numbers), strict=True)
    return {name: ops.convert_to_tensor(number, dtype) for (name, number), (_, dtype) in pairs}


def seeded(seed: int) -> Any:
    """A Keras ``SeedGenerator``: its state is a weight, so it is saved with the model."""
    return random.SeedGenerator(seed)
