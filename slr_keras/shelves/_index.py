"""``shelf.json``: what a shelf holds, read and checked."""

from __future__ import annotations

import dataclasses
import json
import math
import re
from collections.abc import Mapping
from typing import Any

from slr_keras import config as configs
from slr_keras import texts
from slr_keras.errors import UserError

FORMAT = 1
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,49}")
STEM = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")  # of a file
SHA256 = re.compile(r"[0-9a-f]{64}")
LARGEST = 2**31  # bytes of a network


@dataclasses.dataclass(frozen=True)
class Entry:
    """A network on a shelf: where it is, what it is, and what it was measured at.

    Attributes:
        file, card: names in the shelf's folder of the ``.keras`` file and the model card.
        size, sha256: of the file, in bytes and hexadecimal digits.
        which, epoch: of the run, ``"best"`` or ``"final"``.
        data, method, model: what it was trained on, by and as.
        input_shape, classes: (H, W, C) of its images, None for any size; and K.
        seed: of the training.
        settings: of the training, as its TOML has them, without places on the machine.
        figures: rows of ``evaluation.json`` with ``attack``, ``settings``, ``accuracy``,
            ``interval`` and ``samples``.
        measured: what they rest on: ``from`` which file, ``split``, ``samples``, ``seed``,
            ``batch_size``, ``data_digest``.
        versions: of the libraries that trained it.
        license: as given; empty where none was.
        date: of the day it was put there, as 2026-11-28.
    """

    name: str
    file: str
    card: str
    size: int
    sha256: str
    which: str
    epoch: int
    data: str
    method: str
    model: str
    input_shape: tuple[int | None, ...]
    classes: int
    seed: int
    settings: dict[str, Any]
    figures: list[dict[str, Any]]
    measured: dict[str, Any]
    versions: dict[str, str]
    license: str
    date: str

    def figure(self, attack: str) -> dict[str, Any] | None:
        """The row of an attack; None if it was not measured."""
        return next((row for row in self.figures if row["attack"] == attack), None)


def check_name(name: str) -> None:
    """Raise :class:`UserError` unless it can be the name of a network on a shelf."""
    if not NAME.fullmatch(name):
        raise UserError(
            f"expected a name on a shelf, as cifar10-1k-slr (50 letters, digits, . _ - at most), "
            f"received {name!r}"
        )


def config_of(entry: Entry, values: dict[str, Any] | None = None) -> configs.RunConfig:
    """The settings it was trained with; ``values`` win over them.

    Raises:
        UserError: they are of another version of this package, or of a plug-in that is not there.
    """
    table = configs.as_before(entry.settings)
    try:
        return configs.load(values=configs.merge(table, values or {}))
    except UserError as error:
        raise UserError(f"{entry.name}: its settings cannot be read: {error}") from None


def read(content: bytes, where: str) -> dict[str, Entry]:
    """``{name: entry}`` of an index.

    Args:
        content: of ``shelf.json``.
        where: it was found, for messages.

    Raises:
        UserError: it is damaged, or of a newer version of this package.
    """
    try:
        table = texts.from_json(content)
    except ValueError as error:
        raise _damaged(where, f"no JSON: {error}") from None
    if not isinstance(table, dict) or not isinstance(table.get("networks"), dict):
        raise _damaged(where, "expected a table with networks")
    if table.get("format") != FORMAT:
        raise UserError(
            f"{where}: expected a shelf of format {FORMAT}, received {table.get('format')!r}: "
            "another version of slr_keras wrote it"
        )
    return {name: _entry(name, row, where) for name, row in table["networks"].items()}


def written(entries: Mapping[str, Entry]) -> bytes:
    """The content of an index; the inverse of :func:`read`."""
    rows = {name: dataclasses.asdict(entry) for name, entry in sorted(entries.items())}
    for row in rows.values():
        del row["name"]
    return (json.dumps({"format": FORMAT, "networks": rows}, indent=2) + "\n").encode()


def _entry(name: str, row: Any, where: str) -> Entry:
    if not NAME.fullmatch(name):
        raise _damaged(where, f"{name!r} is no name")
    fields = [field for field in dataclasses.fields(Entry) if field.name != "name"]
    if not isinstance(row, dict):
        raise _damaged(where, f"{name}: expected a table, received {type(row).__name__}")
    row = row | {"input_shape": _tuple(row.get("input_shape"))}
    for field in fields:
        kind = str(field.type).partition("[")[0]
        if type(row.get(field.name)).__name__ != kind:
            wanted = f"{name}.{field.name}: expected {KINDS[kind]}"
            raise _damaged(where, f"{wanted}, received {str(row.get(field.name))[:50]!r}")
    entry = Entry(name, **{field.name: row[field.name] for field in fields})
    wrong = next((text for text, holds in _facts(entry) if not holds), None)
    if wrong:
        raise _damaged(where, f"{name}: {wrong}")
    return entry


KINDS = {
    "str": "a text",
    "int": "a whole number",
    "dict": "a table",
    "list": "a list",
    "tuple": "a list",
}


def _tuple(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else None


def _facts(entry: Entry) -> list[tuple[str, bool]]:
    """What has to hold of an entry; a file of another folder is never named."""
    sizes = [size for size in entry.input_shape if size is not None]
    return [
        ("file: expected the name of a .keras file", _is_file(entry.file, ".keras")),
        ("card: expected the name of an .md file", _is_file(entry.card, ".md")),
        ("size: expected a number of bytes", 0 < entry.size <= LARGEST),
        ("sha256: expected 64 hexadecimal digits", bool(SHA256.fullmatch(entry.sha256))),
        ("which: expected best or final", entry.which in ("best", "final")),
        (
            "input_shape: expected (H, W, C)",
            len(entry.input_shape) == 3 and all(type(size) is int for size in sizes),
        ),
        ("figures: expected rows with attack, accuracy and samples", _are_rows(entry.figures)),
        ("versions: expected texts", all(isinstance(v, str) for v in entry.versions.values())),
    ]


def _is_file(name: str, suffix: str) -> bool:
    return name.endswith(suffix) and bool(STEM.fullmatch(name.removesuffix(suffix)))


def _are_rows(rows: list[Any]) -> bool:
    return all(
        isinstance(row, dict)
        and isinstance(row.get("attack"), str)
        and isinstance(row.get("settings"), dict)
        and _is_share(row.get("accuracy"))
        and isinstance(row.get("interval"), list)
        and len(row["interval"]) == 2
        and all(map(_is_share, row["interval"]))
        and type(row.get("samples")) is int
        and row["samples"] > 0
        for row in rows
    )


def _is_share(value: Any) -> bool:
    return type(value) in (int, float) and math.isfinite(value) and 0 <= value <= 1


def _damaged(where: str, what: str) -> UserError:
    return UserError(f"{where} is damaged ({what}): take it anew from where the shelf is from")
