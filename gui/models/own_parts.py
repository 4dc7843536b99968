"""Which plug-ins the window knows of, by their digest, and which a user has agreed to run."""

from __future__ import annotations

import contextlib
import hashlib
import json
import pathlib
from collections.abc import Iterable
from typing import Any

from slr_keras import texts
from slr_keras.settings import descriptions


class OwnParts:
    """Descriptions of plug-ins that somebody agreed to run once.

    Args:
        kept: what :meth:`text` gave in another session.

    Attributes:
        described: ``{key: description}``; the key of a file is the digest of its content.
        names: the plug-ins that stand in the registry now.
    """

    def __init__(self, kept: str = ""):
        self.described: dict[str, dict[str, Any]] = {}
        self.names: tuple[str, ...] = ()
        with contextlib.suppress(ValueError, AttributeError):  # damaged: it is asked for anew
            found = texts.from_json(kept.encode()) if kept else {}
            self.described = {k: v for k, v in found.items() if isinstance(v, dict)}

    def text(self) -> str:
        """What is kept for the next session."""
        return json.dumps(self.described)

    def unknown(self, names: Iterable[str]) -> list[str]:
        """Those that nobody has agreed to run as they are now."""
        return [name for name in names if key(name) not in self.described]

    def learn(self, name: str, told: dict[str, Any]) -> None:
        """Take what a worker said of a plug-in."""
        self.described[key(name)] = told

    def stand(self, names: Iterable[str]) -> list[str]:
        """Let what is known of these stand for their parts; what is wrong, a sentence each."""
        self.names = tuple(name for name in names if key(name) in self.described)
        return descriptions.stand_for([self.described[key(name)] for name in self.names])

    def flags(self) -> list[str]:
        """For a worker that is to know the same parts."""
        return _flags(self.names)

    def flags_of(self, path: str) -> list[str]:
        """For a worker on a run: its plug-ins, as far as a user has agreed to run them."""
        try:
            rows = texts.from_json(pathlib.Path(path, "plugins", "plugins.json").read_bytes())
            names = [str(row["name"]) for row in rows]
        except (OSError, ValueError, TypeError, KeyError):
            return []
        return _flags(name for name in names if key(name) in self.described)


def _flags(names: Iterable[str]) -> list[str]:
    return [word for name in names for word in ("--plugin", name)]


def key(name: str) -> str:
    """What tells one version of a plug-in from another; a module's is its name."""
    try:
        return hashlib.sha256(pathlib.Path(name).read_bytes()).hexdigest()
    except OSError:
        return name
