"""Own parts told instead of executed: what a form needs of them, as plain values.

The window's process never runs a plug-in, which may import a framework or do anything else. A
worker describes it (``python -m slr_keras.check FILE --describe``), and classes made from the
description stand for its parts: they have their settings, ranges and words, and no code.
"""

from __future__ import annotations

import dataclasses
import importlib
from typing import Any

from slr_keras.errors import UserError
from slr_keras.settings import plugins, registry, schema

TYPES: dict[str, Any] = {
    "bool": bool,
    "int": int,
    "float": float,
    "str": str,
    "ints": tuple[int, ...],
    "floats": tuple[float, ...],
    "strs": tuple[str, ...],
}
PLAIN = (bool, int, float, str)


def describe(plugin: plugins.Plugin) -> dict[str, Any]:
    """A plug-in that is loaded: its digest, and of each part kind, name, words and settings."""
    return {"sha256": plugin.digest, "parts": [_part(part) for part in plugin.parts]}


def _part(cls: Any) -> dict[str, Any]:
    base = plugins.kind_base(cls)
    flags = {
        name: getattr(cls, name)
        for name, value in vars(base).items()
        if not name.startswith("_") and isinstance(value, PLAIN) and name != "of_kind"
    }
    return {
        "kind": cls.of_kind,
        "class": cls.__name__,
        "name": cls.name,
        "doc": cls.__doc__ or "",
        "flags": {k: v for k, v in flags.items() if isinstance(v, PLAIN)},
        "fields": [_field(cls, field) for field in dataclasses.fields(cls)],
    }


def _field(cls: Any, field: Any) -> dict[str, Any]:
    kind, facts = schema.field_type(cls, field.name), field.metadata["facts"]
    name = next((name for name, known in TYPES.items() if known == kind), None)
    if name is None:
        raise UserError(f"{cls.__name__}.{field.name}: expected a type of {', '.join(TYPES)}")
    default = list(field.default) if isinstance(field.default, tuple) else field.default
    return {
        "name": field.name,
        "type": name,
        "default": default,
        "facts": dataclasses.asdict(facts),
    }


def stand_in(told: dict[str, Any]) -> Any:
    """A class that stands for a part.

    Raises:
        UserError: the description is none.
    """
    try:
        fields = [_made(row) for row in told["fields"]]
        names = {"name": told["name"], "__doc__": told["doc"], **told["flags"]}
        made = dataclasses.make_dataclass(
            told["class"], fields, bases=(_base(told["kind"]),), namespace=names, frozen=True
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise UserError(f"the description of an own part cannot be used: {error}") from None
    return made


def _made(row: dict[str, Any]) -> tuple[str, Any, Any]:
    facts = dict(row["facts"])
    facts["choices"] = tuple(facts.get("choices", ()))
    default = tuple(row["default"]) if isinstance(row["default"], list) else row["default"]
    return row["name"], TYPES[row["type"]], schema.setting(default, **facts)


def _base(kind: str) -> Any:
    """The base class of a kind, by the variants that ship."""
    importlib.import_module(f"slr_keras.{kind}")
    return plugins.kind_base(next(iter(registry.shipped(kind).values())))


def stand_for(described: list[dict[str, Any]]) -> list[str]:
    """Let these, and no others, stand for own parts; what is wrong, a sentence each."""
    found: dict[str, dict[str, Any]] = {}
    wrong = []
    for told in described:
        for part in told.get("parts", ()):
            try:
                cls = stand_in(part)
            except UserError as error:
                wrong.append(str(error))
                continue
            known = found.setdefault(cls.of_kind, {})
            if cls.name in known or cls.name in registry.shipped(cls.of_kind):
                one = registry.singular(cls.of_kind)
                wrong.append(f"two of the kind {one} are called {cls.name!r}: rename one")
                continue
            known[cls.name] = cls
    registry.own(found)
    return wrong
