"""Variants found by looking into a folder: adding one means adding one file.

A variant is a :class:`~slr_keras.settings.schema.Variant` dataclass with a ``name``; its module
stands in one of the folders of :data:`KINDS`. Modules whose name starts with an underscore
are helpers. Nothing here loads a framework: bodies reach Keras through ``slr_keras.backend``.
"""

from __future__ import annotations

import functools
import importlib
import pkgutil
from typing import Any

from slr_keras.errors import UserError, did_you_mean
from slr_keras.settings import schema

KINDS = (
    "attacks",
    "methods",
    "labels",
    "augmentations",
    "models",
    "data",
    "optimizers",
    "schedules",
    "analyses",
)


@functools.cache
def variants(kind: str) -> dict[str, Any]:
    """``{name: settings class}`` of one kind, in the order of the names.

    >>> sorted(variants("attacks"))
    ['fgsm', 'pgd']
    """
    package = importlib.import_module(f"slr_keras.{kind}")
    found: dict[str, Any] = {}
    for info in pkgutil.iter_modules(package.__path__):
        if info.name.startswith("_"):
            continue
        module = importlib.import_module(f"{package.__name__}.{info.name}")
        for value in vars(module).values():
            if _is_variant(value, module.__name__):
                found[value.name] = value
    return dict(sorted(found.items()))


def _is_variant(value: Any, module: str) -> bool:
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
        one = {"analyses": "analysis"}.get(kind, kind.rstrip("s"))
        raise UserError(f"unknown {one}: {name!r}.{did_you_mean(name, known)}")
    return known[name]


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
