"""Variants found by looking into a folder: adding one means adding one file.

A variant is a :class:`~slr_keras.settings.schema.Variant` dataclass with a ``name``; its module
stands in one of the folders of :data:`KINDS`. Modules whose name starts with an underscore
are helpers. Nothing here loads a framework: bodies reach Keras through ``slr_keras.backend``.
"""

from __future__ import annotations

import functools
import importlib
import pkgutil
from collections.abc import Sequence
from typing import Any

from slr_keras.errors import UserError, did_you_mean
from slr_keras.settings import schema

HOME = "slr_keras."  # before the names of modules that ship
KINDS = (
    "attacks",
    "methods",
    "labels",
    "augmentations",
    "corruptions",
    "models",
    "data",
    "optimizers",
    "schedules",
    "analyses",
    "diagnoses",
)


_own: dict[str, dict[str, Any]] = {}


@functools.cache
def variants(kind: str) -> dict[str, Any]:
    """``{name: settings class}`` of one kind, in the order of the names.

    Those of plug-ins (:mod:`slr_keras.settings.plugins`) stand beside those that ship.

    >>> sorted(variants("attacks"))
    ['fgsm', 'pgd']
    """
    return dict(sorted((shipped(kind) | _own.get(kind, {})).items()))


def own(parts: dict[str, dict[str, Any]]) -> None:
    """Let these, ``{kind: {name: class}}``, be all the variants that do not ship."""
    _own.clear()
    _own.update(parts)
    variants.cache_clear()


@functools.cache
def shipped(kind: str) -> dict[str, Any]:
    """``{name: settings class}`` of the files in the kind's folder."""
    package = importlib.import_module(f"slr_keras.{kind}")
    found: dict[str, Any] = {}
    for info in pkgutil.iter_modules(package.__path__):
        if info.name.startswith("_"):
            continue
        module = importlib.import_module(f"{package.__name__}.{info.name}")
        for value in vars(module).values():
            if is_variant(value, module.__name__):
                found[value.name] = value
    return found


def is_variant(value: Any, module: str) -> bool:
    """Whether something of a module is a variant that this module defines."""
    return (
        isinstance(value, type)
        and issubclass(value, schema.Variant)
        and value.__module__ == module
        and bool(value.name)
    )


def get(kind: str, name: str) -> Any:
    """The class called ``name``; raises :class:`UserError` with the nearest name."""
    known = variants(kind)
    if name not in known:
        raise UserError(f"unknown {singular(kind)}: {name!r}.{did_you_mean(name, known)}")
    return known[name]


def singular(kind: str) -> str:
    """One of a kind in a word: ``"attack"``."""
    return {"analyses": "analysis", "diagnoses": "diagnosis"}.get(kind, kind.removesuffix("s"))


class Names(Sequence[str]):
    """The names of a kind as they are when one looks: own parts come and go.

    >>> "pgd" in Names("attacks")
    True
    """

    def __init__(self, kind: str):
        self.kind = kind

    def __len__(self) -> int:
        return len(variants(self.kind))

    def __getitem__(self, place: Any) -> Any:
        return list(variants(self.kind))[place]


def by_class_name(kind: str, attribute: str) -> Any:
    """The class whose Python name is ``attribute``: ``slr.attacks.PGD`` without a list of names."""
    if not attribute.startswith("_"):
        for cls in variants(kind).values():
            if cls.__name__ == attribute:
                return cls
    raise AttributeError(f"module 'slr_keras.{kind}' has no attribute {attribute!r}")


def describe(variant: Any) -> dict[str, Any]:
    """A variant instance as plain values, with its name; see :func:`restore`."""
    return {"name": variant.name} | schema.to_dict(variant)


def restore(kind: str, values: dict[str, Any]) -> Any:
    """The inverse of :func:`describe`."""
    values = dict(values)
    cls = get(kind, values.pop("name"))
    return schema.from_dict(cls, values, variants)
