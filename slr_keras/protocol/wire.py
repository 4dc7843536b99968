"""Messages between processes: typed, one JSON object a line.

A line holds the kind of message and its name (``"event": "epoch_end"``, ``"command": "pause"``),
the protocol version under ``v``, the time under ``time`` (seconds since 1970) and the fields of
the message. NaN and infinities are ``null``. Who does not know a name passes over the line, so a
newer worker can talk to an older window.
"""

from __future__ import annotations

import dataclasses
import json
import math
import time
from collections.abc import Mapping
from typing import Any, ClassVar

from slr_keras import texts

VERSION = 1


@dataclasses.dataclass(frozen=True)
class Message:
    """Base of all messages. ``kind`` is the key on the wire, ``name`` its value."""

    kind: ClassVar[str] = ""
    name: ClassVar[str] = ""


def kinds(base: type[Message]) -> dict[str, type[Any]]:
    """``{name: class}`` of every message below ``base``."""
    found: dict[str, type[Any]] = {}
    for cls in base.__subclasses__():
        found |= ({cls.name: cls} if cls.name else {}) | kinds(cls)
    return found


def encode(message: Message) -> str:
    """One line of JSON, without the line break."""
    head = {"v": VERSION, message.kind: message.name, "time": round(time.time(), 3)}
    return json.dumps(head | finite(dataclasses.asdict(message)), allow_nan=False)


def decode(line: str | bytes, kind: str, known: Mapping[str, type[Any]]) -> Any:
    """The message of a line; None for a name or a set of fields that this version does not know.

    Args:
        line: one JSON object.
        kind: the key that holds the name.
        known: the messages that may come, by name.

    Raises:
        ValueError: the line is not a JSON object.
    """
    values = texts.from_json(line)
    if not isinstance(values, dict):
        raise ValueError(f"expected a JSON object, received {line[:80]!r}")
    cls = known.get(str(values.get(kind, "")))
    if cls is None:
        return None
    names = {field.name for field in dataclasses.fields(cls)}
    try:
        return cls(**{key: _tuple(value) for key, value in values.items() if key in names})
    except TypeError:
        return None


def finite(value: Any) -> Any:
    """The value with NaN and infinities replaced by None, at any depth."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dict):
        return {key: finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [finite(item) for item in value]
    return value


def _tuple(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value
