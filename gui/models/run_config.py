"""The configuration of a run folder, read fast: runs of a study differ in few of their sections."""

from __future__ import annotations

import dataclasses
import os
import pathlib
import re
from collections.abc import Mapping
from typing import Any

from slr_keras import config as configs
from slr_keras import texts
from slr_keras.config import RunConfig
from slr_keras.errors import UserError
from slr_keras.settings import registry, schema
from slr_keras.settings.schema import Settings

from .dotted import flat

MOST = 10_000  # different texts of sections that are remembered
_HEADING = re.compile(r"^\[(\w+)\]$", re.MULTILINE)
_LONG_TEXTS = '"""', "'''"  # may hold what looks like a heading
_Section = tuple[Settings, dict[str, Any]]
_DEFAULT = RunConfig()
_FIELDS = {field.name: field for field in dataclasses.fields(RunConfig)}


def read_config(path: str) -> tuple[RunConfig | None, dict[str, Any], str]:
    """The configuration, its flat settings, and what is wrong with it."""
    try:
        with open(path, encoding="utf-8") as file:
            return *_composed(file.read()), ""
    except Exception:  # whatever it is, reading it as a whole has the words for it
        return _whole(path)


def _whole(path: str) -> tuple[RunConfig | None, dict[str, Any], str]:
    raw: Mapping[str, Any] = {}
    try:
        raw = configs.read_toml(pathlib.Path(path))
        config = configs.load(values=raw)
        return config, dict(flat(schema.to_dict(config))), ""
    except UserError as error:
        said = str(error).rstrip(".")
        if not os.path.exists(path):
            said = "config.toml is missing"
        elif raw:
            said = f"config.toml: {said}"
    except Exception as error:  # whatever a hand-edited file leads to, the other runs are shown
        said = f"config.toml cannot be used: {error}"
    return None, dict(flat(raw)), f"{said}."


def _composed(text: str) -> tuple[RunConfig, dict[str, Any]]:
    """The configuration put together from its sections; raises whatever is not plain in it."""
    head, *parts = _HEADING.split(text)
    bodies = dict(zip(parts[::2], parts[1::2], strict=True))
    if len(parts) != 2 * len(bodies) or any(quotes in text for quotes in _LONG_TEXTS):
        raise ValueError("headings that are none, or twice the same")
    _SECTIONS.look()
    sections = {
        name: _SECTIONS.get(name, bodies.pop(name, ""))
        for name, field in _FIELDS.items()
        if isinstance(field.default, Settings)
    }
    if bodies:
        raise ValueError("sections that no run has")
    chosen = {name: section for name, (section, _) in sections.items()}
    config = RunConfig(**texts.from_toml(head), **chosen)
    values: dict[str, Any] = {}
    for name, field in _FIELDS.items():
        if name in sections:
            values |= sections[name][1]
        else:
            value = schema.show(getattr(config, name), field.metadata["facts"])
            values[name] = tuple(value) if isinstance(value, list) else value
    return config, values


class _Sections:
    """Sections by their text, as long as there are the same variants to name."""

    def __init__(self) -> None:
        self._variants: object = None
        self._known: dict[tuple[str, str], _Section] = {}

    def look(self) -> None:
        """Forget all where other variants can be named now, or too much is remembered."""
        variants = registry.variants("models")
        if variants is not self._variants or len(self._known) > MOST:
            self._variants, self._known = variants, {}

    def get(self, name: str, body: str) -> _Section:
        """A section of a configuration that says nothing else, and its flat settings."""
        found = self._known.get((name, body))
        if found is None:
            table = {name: texts.from_toml(body)}
            alone = schema.from_dict(RunConfig, table, configs.variants, like=_DEFAULT)
            section = getattr(alone, name)
            head = {"name": section.name} if isinstance(section, schema.Variant) else {}
            found = section, dict(flat(head | schema.to_dict(section), f"{name}."))
            self._known[name, body] = found
        return found


_SECTIONS = _Sections()
