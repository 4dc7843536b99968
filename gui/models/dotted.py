"""Settings in nested tables, and the same by dotted names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any


def flat(tables: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Nested tables as ``("attack.eps", "8/255")`` pairs; lists become tuples."""
    for key, value in tables.items():
        if isinstance(value, Mapping):
            yield from flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", tuple(value) if isinstance(value, list) else value


def put(tables: dict[str, Any], path: str, value: Any) -> None:
    """The way back: set ``"attack.eps"`` in nested tables."""
    *sections, name = path.split(".")
    for section in sections:
        tables = tables.setdefault(section, {})
    tables[name] = value
