"""A shelf as a folder or at an address: networks are found, fetched and verified."""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import os
import pathlib
import re
import sys
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from typing import Any

from slr_keras.errors import UserError, did_you_mean
from slr_keras.run_folder import replacing
from slr_keras.shelves import _index
from slr_keras.shelves._index import Entry

INDEX = "shelf.json"
PREFIX = "shelf:"  # before a name, wherever a run folder or a model file may stand
VARIABLE = "SLR_KERAS_SHELF"
ADDRESS = re.compile(r"(https?|file)://.+")
PATIENCE = 30.0  # seconds that an address may say nothing
PIECE = 2**18
INDEX_LIMIT = 2**24
TEXT_LIMIT = 2**22


def load(name: str, shelf: str | os.PathLike[str] | None = None, which: str | None = None) -> Any:
    """A trained network from a shelf, verified by size and SHA-256 before it is opened.

    Args:
        name: on the shelf, ``"cifar10-1k-slr"``.
        shelf: a folder or an address (``https://``, ``http://``, ``file://``); left out, that of
            the variable ``SLR_KERAS_SHELF``, or else ``slr_keras/shelf`` among the user's caches.
            From an address files are fetched once and kept there.
        which: ``"best"`` or ``"final"``, where it matters which epoch it is.

    Returns:
        A Keras network from images (B, H, W, C) in [0, 1] to logits (B, K).

    Raises:
        UserError: no such shelf or name, a damaged index, other bytes than the index tells of,
            or another epoch.
        ModelError: the file is no Keras classifier with logits.

    Example:
        >>> net = slr.models.load("cifar10-1k-slr", shelf="shelf/")   # doctest: +SKIP
    """
    from slr_keras import saving

    return saving.load_model(Shelf(shelf).file(name, which))


def caches() -> pathlib.Path:
    """The package's folder among the user's caches."""
    home = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return pathlib.Path(home, "slr_keras")


def sha256(path: pathlib.Path) -> str:
    """The 64 hexadecimal digits of a file's SHA-256."""
    total = hashlib.sha256()
    with open(path, "rb") as file:
        while piece := file.read(PIECE):
            total.update(piece)
    return total.hexdigest()


class Shelf:
    """The networks at a place; see :func:`load`.

    Args:
        place: a folder, an address, or None.
    """

    def __init__(self, place: str | os.PathLike[str] | None = None):
        named = os.fspath(place) if place is not None else os.environ.get(VARIABLE, "")
        self.named = bool(named)
        self.place = named or str(caches() / "shelf")
        self.is_address = bool(ADDRESS.fullmatch(self.place))
        if "://" in self.place and not self.is_address:
            raise UserError(
                f"expected a folder or an address with https, http or file, received {self.place}"
            )
        key = hashlib.sha256(self.place.encode()).hexdigest()[:16]
        self.folder = caches() / "shelves" / key if self.is_address else pathlib.Path(self.place)

    def entries(self) -> dict[str, Entry]:
        """What is there, by names; nothing in the user's own shelf before there is one.

        Raises:
            UserError: no such shelf, or its index is damaged.
        """
        if self.is_address:
            return _index.read(self._fetched_index(), self._address(INDEX))
        path = self.folder / INDEX
        try:
            return _index.read(path.read_bytes(), str(path))
        except FileNotFoundError:
            if self.named:
                raise UserError(f"no such shelf: {self.place} has no {INDEX}") from None
            return {}
        except OSError as error:
            raise UserError(f"cannot read {path}: {error.strerror}") from None

    def entry(self, name: str) -> Entry:
        """What the index says of a network; raises :class:`UserError` with the nearest name."""
        name = name.removeprefix(PREFIX)
        _index.check_name(name)
        known = self.entries()
        if name not in known:
            hint = did_you_mean(name, known) or f" It is empty; --shelf or {VARIABLE} names one."
            raise UserError(f"the shelf {self.place} has no {name!r}.{hint}")
        return known[name]

    def check_room(self, name: str, replace: bool = False) -> None:
        """Raise :class:`UserError` unless something of this name may be put there."""
        _index.check_name(name)
        if self.is_address:
            raise UserError(f"expected a folder to add to, received {self.place}")
        if not replace and (self.folder / INDEX).exists() and name in self.entries():
            raise UserError(f"the shelf {self.place} has {name!r} already: give --replace")

    def file(self, name: str, which: str | None = None) -> pathlib.Path:
        """The ``.keras`` file of a network, whose bytes are those that the index tells of.

        Raises:
            UserError: they are not, or cannot be had.
        """
        entry = self.entry(name)
        if which not in (None, entry.which):
            raise UserError(
                f"{PREFIX}{entry.name} is the {entry.which} epoch of its run; the shelf has no "
                f"{which}"
            )
        path = self.folder / entry.file
        if not self.is_address:
            wrong = _difference(path, entry)
            if wrong:
                raise UserError(f"{path} {wrong}: it is not opened. Add it anew with --replace")
            return path
        if not path.exists() or _difference(path, entry):
            self._fetch(entry.file, entry.size, entry.name)
        wrong = _difference(path, entry)
        if wrong:
            path.unlink(missing_ok=True)
            raise UserError(f"{self._address(entry.file)} {wrong}: it is not opened, nor kept")
        return path

    def card(self, name: str) -> str:
        """The model card, as Markdown."""
        entry = self.entry(name)
        path = self.folder / entry.card
        if self.is_address and not path.exists():
            self._fetch(entry.card, TEXT_LIMIT, "")
        try:
            return path.read_text(encoding="utf-8", errors="replace")
        except OSError as error:
            raise UserError(f"cannot read {path}: {error.strerror}") from None

    # -- addresses ----------------------------------------------------------------------------

    def _address(self, file: str) -> str:
        return f"{self.place.rstrip('/')}/{urllib.parse.quote(file)}"

    def _fetched_index(self) -> bytes:
        """The index as it is now, or as it was last where the address does not answer."""
        path = self.folder / INDEX
        try:
            self._fetch(INDEX, INDEX_LIMIT, "")
        except _Silent as error:
            if not path.is_file():
                raise
            print(f"warning: {error}; taken as it was last", file=sys.stderr)
        return path.read_bytes()

    def _fetch(self, file: str, limit: int, name: str) -> None:
        """Into the cache, whole or not at all; with a bar for what has a name."""
        address = self._address(file)
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with (
                _answer(address) as answer,
                _bar(name, limit) as tell,
                replacing(self.folder / file) as kept,
            ):
                for piece in _pieces(answer, address, limit):
                    kept.write(piece)
                    tell(len(piece))
        except OSError as error:
            raise UserError(
                f"cannot write {self.folder / file}: {error.strerror}. XDG_CACHE_HOME names "
                "another folder for caches"
            ) from None


class _Silent(UserError):
    """An address that gives nothing."""


def _answer(address: str) -> Any:
    """What an address says; raises :class:`_Silent` where it says nothing."""
    try:
        return urllib.request.urlopen(address, timeout=PATIENCE)
    except urllib.error.HTTPError as error:
        raise _Silent(f"cannot read {address}: {error.code} {error.reason}") from None
    except (OSError, http.client.HTTPException, ValueError) as error:
        reason = getattr(error, "reason", None) or error
        raise _Silent(f"cannot read {address}: {reason}") from None


def _pieces(answer: Any, address: str, limit: int) -> Iterator[bytes]:
    """Its bytes; raises :class:`_Silent` where it breaks off, and where there are too many."""
    count = 0
    while True:
        try:
            piece = answer.read(PIECE)
        except (OSError, http.client.HTTPException) as error:
            raise _Silent(f"cannot read {address}: {error}") from None
        if not piece:
            return
        count += len(piece)
        if count > limit:
            raise UserError(f"{address} is longer than {limit} bytes: it is not kept")
        yield piece


@contextlib.contextmanager
def _bar(name: str, size: int) -> Iterator[Callable[[int], None]]:
    """A bar on a terminal's stderr."""
    from rich.console import Console
    from rich.progress import Progress

    err = Console(stderr=True)
    with Progress(console=err, transient=True, disable=not (name and err.is_terminal)) as bar:
        task = bar.add_task(name, total=size)
        yield lambda more: bar.advance(task, more)


def _difference(path: pathlib.Path, entry: Entry) -> str:
    """In which way a file is not the one of the index; empty if it is."""
    try:
        size = path.stat().st_size
        if size != entry.size:
            return f"has {size:,} bytes, expected {entry.size:,}"
        found = sha256(path)
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from None
    if found != entry.sha256:
        return f"has the SHA-256 {found[:16]}..., expected {entry.sha256[:16]}..."
    return ""
