"""The run folders below a folder: what the table, the charts and the lab know of runs.

A scan looks at the dates of a few files and reads only what is new. With very many runs it looks
at those that change, or that somebody looks at, each time, and at the others in turn. Whatever is
in a folder, it never raises: what is wrong stands in ``problem``, a sentence.
"""

from __future__ import annotations

import dataclasses
import itertools
import json
import math
import os
import pathlib
import time
from collections.abc import Iterable, Sequence

from slr_keras import run_folder

from .run_folders import Round, RunFolders, is_run
from .run_reader import RunReader, read_json
from .run_record import LIVE, RunRecord

AT_ONCE = 50  # folders that are looked into without a glance at the clock
TURN = 0.02  # seconds of each scan for runs that hardly change
FOLLOW = 1.0  # seconds between two looks at those that do, while others are read
WATCHED = 100  # runs of one place, the selection or the charts, that are watched
RECENT = 100  # runs that changed last, which are likely to change again


@dataclasses.dataclass(frozen=True)
class Changes:
    """What a scan found, as keys of ``RunStore.records``.

    ``unfinished``: it ran out of time; the next scan goes on.
    """

    added: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    unfinished: bool = False

    def __bool__(self) -> bool:
        return bool(self.added or self.changed or self.removed)


class RunStore:
    """All runs below ``runs_dir`` and those added from elsewhere.

    Attributes:
        records: by path, as a text.
        moves: how often a run came or went.
        watched: keys of runs that somebody looks at, by where, see :meth:`watch`.
    """

    def __init__(self, runs_dir: pathlib.Path):
        self.runs_dir = pathlib.Path(runs_dir).absolute()
        self.records: dict[str, RunRecord] = {}
        self.moves = 0
        self.watched: dict[str, Sequence[str]] = {}
        self._folders = RunFolders(str(self.runs_dir))
        self._readers: dict[str, RunReader] = {}
        self._round = Round(self._readers)
        self._outside: list[str] = []
        self._unread: dict[str, None] = {}  # runs with something to read
        self._live: dict[str, None] = {}
        self._recent: dict[str, None] = {}
        self._followed = 0.0  # when those that change were last looked at
        self._found = _nothing()

    @property
    def problem(self) -> str:
        """Why ``runs_dir`` itself cannot be read, a sentence; empty when it can."""
        return self._folders.problem

    def get(self, path: str | os.PathLike[str]) -> RunRecord | None:
        """The run of a folder; None when it is not (or no longer) there."""
        return self.records.get(_key(path))

    def add_outside(self, path: str | os.PathLike[str]) -> RunRecord | None:
        """List a run folder from elsewhere as well; None when there is no run in it."""
        key = _key(path)
        if key not in self.records and is_run(key):
            if key not in self._outside:
                self._outside.append(key)
            self._begin(key)
            self._read(key)
        return self.records.get(key)

    def watch(self, where: str, keys: Sequence[str]) -> None:
        """Each scan looks for changes in these, not only in their turn: somebody looks at them."""
        self.watched[where] = keys[:WATCHED]

    def scan(self, budget: float = math.inf) -> Changes:
        """Take in what changed on disk.

        Args:
            budget: seconds of reading after which to leave the rest to the next scan. Without,
                all runs are looked at, not only some in their turn.
        """
        begun = time.perf_counter()
        self._found = _nothing()
        listed = 0
        if budget == math.inf:
            self._glance(again=True)
            self._follow(self._readers)
        elif not self._unfinished:
            self._glance(begun + budget, again=self._round.ended)
            self._follow(self._changing())
            self._take_turns(min(begun + budget, time.perf_counter() + TURN))
            listed = 1
        elif begun - self._followed > FOLLOW:
            self._follow(self._changing())
        self._read_on(begun + budget, listed)
        found = {name: tuple(keys) for name, keys in self._found.items()}
        return Changes(**found, unfinished=self._unfinished)

    def folder_name(self, path: str | os.PathLike[str]) -> str:
        """What a run is called that the user gave no name: its folder below the runs folder."""
        key, root = _key(path), self._folders.root
        if key == root:
            return "."
        inside = key.startswith(root.rstrip(os.sep) + os.sep)
        return os.path.relpath(key, root).replace(os.sep, "/") if inside else os.path.basename(key)

    def folders(self) -> dict[str, list[str]]:
        """Folders with two runs or more, a study's for example: the runs' paths by its name."""
        found: dict[str, list[str]] = {}
        for key in self.records:
            found.setdefault(os.path.dirname(key), []).append(key)
        named = {self.folder_name(folder): sorted(keys) for folder, keys in found.items()}
        return {name: keys for name, keys in sorted(named.items()) if len(keys) > 1}

    def set_name(self, path: str | os.PathLike[str], name: str) -> None:
        """Keep a display name beside the run (the folder keeps its own); "" takes it away.

        Raises:
            OSError: the folder cannot be written.
        """
        self._write_own(path, "name", name.strip())

    def set_notes(self, path: str | os.PathLike[str], notes: str) -> None:
        """Keep notes beside the run.

        Raises:
            OSError: the folder cannot be written.
        """
        self._write_own(path, "notes", notes)

    def forget(self, path: str | os.PathLike[str]) -> None:
        """Drop a run whose folder was just moved away, without waiting for the next scan."""
        self._drop(_key(path))
        self._folders.forget(_key(path))

    # -- looking ------------------------------------------------------------------------------

    @property
    def _unfinished(self) -> bool:
        return bool(self._unread) or self._folders.pending

    def _glance(self, deadline: float = math.inf, again: bool = False) -> None:
        """Take in which folders came and went."""
        for key in self._folders.glance(deadline, again):
            self._lose(key)

    def _changing(self) -> dict[str, None]:
        """Runs that are likely to change, and those whose changes are waited for."""
        watched = itertools.chain.from_iterable(self.watched.values())
        return dict.fromkeys([*self._outside, *watched, *self._live, *self._recent])

    def _follow(self, keys: Iterable[str]) -> None:
        self._followed = time.perf_counter()
        for key in dict.fromkeys([*self._outside, *keys]):
            self._check(key)

    def _take_turns(self, deadline: float) -> None:
        """Look at the others too, as many as there is time for."""
        looked = self._changing()
        for key in self._round.until(deadline):
            if key not in looked:
                self._check(key)

    def _check(self, key: str) -> None:
        """Note whether there is something to read in a run; those at work are asked how it goes."""
        reader = self._readers.get(key)
        if reader is None:
            if key in self._outside and is_run(key):
                self._begin(key)
        elif self.problem and key not in self._outside:
            return  # what is known stays while the runs folder cannot be read
        elif not reader.here():
            self._lose(key)
            self._folders.forget(key)
        elif reader.due():
            self._unread[key] = None
        elif reader.record.status in LIVE:
            self._read(key)

    # -- reading ------------------------------------------------------------------------------

    def _read_on(self, deadline: float, looked: int) -> None:
        """Read what there is to read; one run in any case, if only in part."""
        read = False
        while self._unfinished:
            if (read or looked >= AT_ONCE) and time.perf_counter() > deadline:
                break
            if self._unread:
                self._read(next(iter(self._unread)), deadline)
                read = True
            else:
                key, run = self._folders.look()
                looked += 1
                if run:
                    self._begin(key)
                else:
                    self._lose(key)

    def _begin(self, key: str) -> None:
        """Know of a run, or that its folder was replaced."""
        reader = self._readers.get(key) or RunReader(key, self.folder_name(key))
        if reader.here():  # it may have gone before its turn came
            self._readers[key] = reader
            self._unread[key] = None

    def _read(self, key: str, deadline: float = math.inf) -> None:
        reader = self._readers[key]
        changed = reader.update(deadline)
        if not reader.behind:
            self._unread.pop(key, None)
        if key not in self.records:
            self.records[key] = reader.record
            self.moves += 1
            self._note("added", key)
        elif changed:
            self._note("changed", key)
        if reader.record.status in LIVE:
            self._live[key] = None
        else:
            self._live.pop(key, None)

    def _note(self, what: str, key: str) -> None:
        if key not in self._found["added"]:
            self._found[what][key] = None
        self._recent.pop(key, None)
        self._recent[key] = None
        if len(self._recent) > RECENT:
            del self._recent[next(iter(self._recent))]

    def _lose(self, key: str) -> None:
        if key in self.records:
            self._found["removed"][key] = None
        self._drop(key)

    def _drop(self, key: str) -> None:
        self.moves += key in self.records
        for known in (self.records, self._readers, self._unread, self._live, self._recent):
            known.pop(key, None)  # type: ignore[attr-defined]

    def _write_own(self, path: str | os.PathLike[str], field: str, text: str) -> None:
        key = _key(path)
        values = read_json(os.path.join(key, "app.json"))[0] or {}
        values = {**values, field: text}
        data = json.dumps(values, indent=2, ensure_ascii=False) + "\n"
        run_folder.write_atomically(pathlib.Path(key, "app.json"), data.encode())
        if key in self._readers:
            self._readers[key].here()
            self._read(key)


def _nothing() -> dict[str, dict[str, None]]:
    return {"added": {}, "changed": {}, "removed": {}}


def _key(path: str | os.PathLike[str]) -> str:
    return os.path.abspath(path)
