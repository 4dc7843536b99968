"""What holds for parts of every kind."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

from slr_keras.settings import registry, schema
from slr_keras.testing._base import kind_of, need, one


def says_what_it_is(part: Any) -> None:
    """The class has a docstring, whose first line stands in lists, and every setting has help."""
    cls = kind_of(part)
    own = (vars(cls).get("__doc__") or "").strip()
    generated = own.startswith(f"{cls.__name__}(")
    need(own and not generated, f"{cls.__name__} has no docstring: its first line stands in lists")
    for field in dataclasses.fields(cls):
        facts = field.metadata.get("facts")
        need(facts is not None and facts.help, f"{field.name}: has no help")


def settings_come_back(part: Any) -> None:
    """Settings written as plain values, and as JSON, are read back as they were."""
    given = one(part)
    plain = json.loads(json.dumps(schema.to_dict(given)))
    again = schema.from_dict(type(given), plain, registry.variants)
    need(again == given, f"settings {given} come back as {again}")


CHECKS = (says_what_it_is, settings_come_back)
