"""Where in a study file a setting stands, so that an error can name its line."""

from __future__ import annotations

import pathlib
import re
from collections.abc import Iterator

HEADER = re.compile(r"\s*\[+([^\]=]+)\]+\s*(?:#.*)?$")
KEY = re.compile(r"""\s*((?:[\w-]+|"[^"]*"|'[^']*')(?:\s*\.\s*(?:[\w-]+|"[^"]*"|'[^']*'))*)\s*=""")
TOP = ("", 0)
Place = tuple[str, int]  # a table's name, and which one of that name it is, from 0


def where(path: pathlib.Path, key: str, *places: Place) -> str:
    """``"mine.toml, line 7"`` for a dotted key in the first of these places that holds it.

    The file's name alone where it cannot be found, in an inline table over several lines say.
    """
    found = list(_keys(path.read_text(encoding="utf-8", errors="replace")))
    for exact in (True, False):  # itself, or else the table that holds it
        for place in places or (TOP,):
            for number, at, name in found:
                named = key == (name or at[0]) if exact else key.startswith(f"{name}.")
                if at == place and named:
                    return f"{path}, line {number}"
    return str(path)


def _keys(text: str) -> Iterator[tuple[int, Place, str]]:
    """Line, place and dotted key, counted within its table, of everything that is set."""
    place, before, seen = TOP, "", -1
    for number, line in enumerate(text.splitlines(), 1):
        header, key = HEADER.match(line), KEY.match(line)
        if header:
            table, _, inner = _plain(header[1]).partition(".")
            new = line.lstrip().startswith("[[")
            seen += new
            place, before = (table, max(seen, 0) if table == "arm" else 0), inner and f"{inner}."
            yield number, place, inner
        elif key:
            yield number, place, before + _plain(key[1])


def _plain(key: str) -> str:
    return re.sub(r"""["'\s]""", "", key)
