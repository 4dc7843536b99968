"""The run folders below a folder: what the table, the charts and the lab know of runs.

A scan looks at the dates of a few files and reads only what is new. Whatever is in a folder,
it never raises: what is wrong stands in ``problem``, a sentence.
"""

from __future__ import annotations

import dataclasses
import json
import math
import os
import pathlib
import time
from collections.abc import Iterator

from slr_keras import run_folder

from .run_reader import FILES, RunReader, read_json
from .run_record import RunRecord

OF_A_RUN = frozenset(FILES[:3])  # a folder with one of these is a run, whole or not
AT_ONCE = 50  # folders that are looked into without a glance at the clock
LONG = 0.2  # seconds of looking for runs after which to rest
REST = 5  # times as long as it took
DEPTH = 3  # runs/demo/first: folders are searched this deep


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
        problem: why ``runs_dir`` itself cannot be read, a sentence; empty when it can.
    """

    def __init__(self, runs_dir: pathlib.Path):
        self.runs_dir = pathlib.Path(runs_dir).absolute()
        self.records: dict[str, RunRecord] = {}
        self.problem = ""
        self._outside: list[str] = []
        self._readers: dict[str, RunReader] = {}
        self._left: list[str] = []  # folders that the last scan had no time for
        self._walk: Iterator[str] | None = None  # through the folders; goes on with each scan
        self._listed: dict[str, None] = {}
        self._walked = self._rested = 0.0  # seconds of it; when the next may begin

    def get(self, path: str | os.PathLike[str]) -> RunRecord | None:
        """The run of a folder; None when it is not (or no longer) there."""
        return self.records.get(_key(path))

    def add_outside(self, path: str | os.PathLike[str]) -> RunRecord | None:
        """List a run folder from elsewhere as well; None when there is no run in it."""
        key = _key(path)
        if key not in self.records and _safely_a_run(key):
            if key not in self._outside:
                self._outside.append(key)
            self._look(key)
        return self.records.get(key)

    def scan(self, budget: float = math.inf) -> Changes:
        """Take in what changed on disk.

        Args:
            budget: seconds of reading after which to leave the rest to the next scan.
        """
        gone: tuple[str, ...] = ()
        deadline = time.perf_counter() + budget
        if budget == math.inf:
            self._walk, self._left, self._rested = None, [], 0.0
        if not self._left:
            if time.perf_counter() < self._rested:
                return Changes()
            keys = self._list(deadline)
            if keys is None:
                return Changes(unfinished=True)
            gone = tuple(key for key in self.records if key not in keys)
            for key in gone:
                self._drop(key)
            self._left = list(keys)
        found: dict[str, list[str]] = {"added": [], "changed": [], "same": [], "later": []}
        for key in self._left:
            # one run is always read in part, so that each scan gets on
            started = bool(found["added"] or found["changed"])
            late = started and time.perf_counter() > deadline
            found[self._look(key, deadline, late)].append(key)
        behind = [key for key in found["added"] + found["changed"] if self._readers[key].behind]
        self._left = behind + found["later"]
        added, changed = tuple(found["added"]), tuple(found["changed"])
        return Changes(added, changed, gone, bool(self._left))

    def folder_name(self, path: str | os.PathLike[str]) -> str:
        """What a run is called that the user gave no name: its folder below the runs folder."""
        path = pathlib.Path(_key(path))
        inside = path.is_relative_to(self.runs_dir)
        return path.relative_to(self.runs_dir).as_posix() if inside else path.name

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

    # -- inside -------------------------------------------------------------------------------

    def _write_own(self, path: str | os.PathLike[str], field: str, text: str) -> None:
        key = _key(path)
        values = read_json(os.path.join(key, "app.json"))[0] or {}
        values = {**values, field: text}
        data = json.dumps(values, indent=2, ensure_ascii=False) + "\n"
        run_folder.write_atomically(pathlib.Path(key, "app.json"), data.encode())
        if key in self._readers:
            self._readers[key].here()
            self._look(key)

    def _list(self, deadline: float) -> dict[str, None] | None:
        """The folders to list; None while there was no time to look into all of them."""
        begun = time.perf_counter()
        if self._walk is None:
            self._walk, self._listed, self._walked = self._keys(), {}, 0.0
        for key in self._walk:
            self._listed[key] = None
            if len(self._listed) % AT_ONCE == 0 and time.perf_counter() > deadline:
                self._walked += time.perf_counter() - begun
                return None
        ended, self._walk = time.perf_counter(), None
        self._walked += ended - begun
        if self._walked > LONG:
            self._rested = ended + REST * self._walked
        return self._listed

    def _keys(self) -> Iterator[str]:
        """The folders to list; those known stay while the runs folder cannot be read."""
        problem = ""
        try:
            yield from self._below(str(self.runs_dir), DEPTH)
        except FileNotFoundError:
            pass
        except OSError as error:
            problem = (
                f"The runs folder {self.runs_dir} cannot be read: {error.strerror}. "
                "Check its permissions."
            )
            yield from list(self.records)
        yield from filter(self._here, list(self._outside))
        self.problem = problem

    def _here(self, key: str) -> bool:
        return self._readers[key].here() if key in self._readers else _safely_a_run(key)

    def _below(self, folder: str, depth: int) -> Iterator[str]:
        """Run folders in a folder, newest name first, and in its folders that are no runs."""
        with os.scandir(folder) as entries:
            found = [e.path for e in entries if not e.name.startswith(".") and e.is_dir()]
        for path in sorted(found, reverse=True):
            if path in self._readers:
                if self._readers[path].here():
                    yield path
                continue
            try:
                if _is_run(path):
                    yield path
                elif depth > 1:
                    yield from self._below(path, depth - 1)
            except FileNotFoundError:
                continue
            except OSError:
                yield path  # a closed folder is listed with its problem

    def _look(self, key: str, deadline: float = math.inf, late: bool = False) -> str:
        """Bring a record up to date: ``added``, ``changed``, ``same`` or (if late) ``later``."""
        reader = self._readers.get(key)
        if reader is None:
            if late:
                return "later"
            reader = RunReader(key, self.folder_name(key))
            if not reader.here():
                return "same"  # gone before its turn came
            self._readers[key] = reader
            reader.update(deadline)
            self.records[key] = reader.record
            return "added"
        if late and reader.due():
            return "later"
        return "changed" if reader.update(deadline) else "same"

    def _drop(self, key: str) -> None:
        self.records.pop(key, None)
        self._readers.pop(key, None)


def _key(path: str | os.PathLike[str]) -> str:
    return os.path.abspath(path)


def _is_run(path: str) -> bool:
    with os.scandir(path) as entries:
        return any(entry.name in OF_A_RUN for entry in entries)


def _safely_a_run(path: str) -> bool:
    try:
        return _is_run(path)
    except OSError:
        return False
