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
from collections.abc import Iterator, Mapping
from typing import Any

from slr_keras import config as configs
from slr_keras import run_folder, texts
from slr_keras.config import RunConfig
from slr_keras.errors import UserError
from slr_keras.protocol import wire
from slr_keras.protocol.events import CatastrophicOverfitting, Diagnosed, EpochEnded
from slr_keras.settings import schema

from .run_log import RunLog

FILES = ("config.toml", "events.jsonl", "summary.json", "app.json", "run.lock")
OF_A_RUN = frozenset(FILES[:3])  # a folder with one of these is a run, whole or not
LIVE = ("running", "paused")  # a process is there: its state is asked at each scan
DEPTH = 3  # runs/demo/first: folders are searched this deep
CURVE_POINTS = 200

_Signature = tuple[object, ...]


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


@dataclasses.dataclass(frozen=True)
class Figures:
    """What is derived from the epochs; shares of 1, differences in percentage points."""

    best_epoch: int | None = None
    best_robust: float | None = None
    final_robust: float | None = None
    drop: float | None = None
    gap: float | None = None
    clean: float | None = None
    final_clean: float | None = None
    curve: tuple[tuple[int, float], ...] = ()


@dataclasses.dataclass
class RunRecord:
    """One run. The store keeps it up to date: the object stays the same while the run grows.

    Attributes:
        path: the run folder.
        name: what the user calls it; the folder's name below the runs folder otherwise.
        status: see :meth:`slr_keras.run_folder.RunFolder.status`.
        config: the configuration; None where it cannot be read.
        values: the settings by dotted name, as TOML writes them (``"8/255"``).
        epochs: finished epochs in order.
        summary: content of summary.json, the figures on the test set.
        started: seconds since 1970.
        notes: the user's own.
        problem: what could not be read, a sentence; empty when all is well.
        warnings: what the run warned of.
        catastrophe: where catastrophic overfitting was told; None if it was not.
        diagnoses: what was told to go wrong, in order.
        failure: why it cannot go on; empty while it can.
        device: where it computes.
    """

    path: pathlib.Path
    name: str = ""
    status: str = "new"
    config: RunConfig | None = None
    values: dict[str, Any] = dataclasses.field(default_factory=dict)
    epochs: list[EpochEnded] = dataclasses.field(default_factory=list)
    summary: dict[str, Any] | None = None
    started: float | None = None
    notes: str = ""
    problem: str = ""
    warnings: list[str] = dataclasses.field(default_factory=list)
    catastrophe: CatastrophicOverfitting | None = None
    diagnoses: list[Diagnosed] = dataclasses.field(default_factory=list)
    failure: str = ""
    device: str = ""
    _cache: tuple[tuple[object, ...], Figures] | None = dataclasses.field(
        default=None, repr=False, compare=False
    )

    @property
    def key(self) -> str:
        """The path as a text: the key in ``RunStore.records``."""
        return str(self.path)

    @property
    def figures(self) -> Figures:
        """All derived figures, computed once for each state of the epochs."""
        state = (len(self.epochs), self.epochs[-1] if self.epochs else None, self.summary)
        known = self._cache[0] if self._cache else None
        if known is None or any(a is not b for a, b in zip(known, state, strict=True)):
            self._cache = (state, _figures(self))
        return self._cache[1]

    @property
    def best_epoch(self) -> int | None:
        """Epoch of the best robust accuracy on the validation split."""
        return self.figures.best_epoch

    @property
    def best_robust(self) -> float | None:
        """The best robust accuracy on the validation split."""
        return self.figures.best_robust

    @property
    def final_robust(self) -> float | None:
        """Robust accuracy at the last evaluation (on the test set where no split was made)."""
        return self.figures.final_robust

    @property
    def drop(self) -> float | None:
        """Best minus final robust accuracy in percentage points: what overfitting took."""
        return self.figures.drop

    @property
    def gap(self) -> float | None:
        """Train minus validation robust accuracy at the last evaluation, percentage points."""
        return self.figures.gap

    @property
    def clean(self) -> float | None:
        """Clean accuracy at the best epoch (of the test set where no split was made)."""
        return self.figures.clean

    @property
    def last_epoch(self) -> int:
        """Number of the last finished epoch; 0 before the first ends."""
        return self.epochs[-1].epoch if self.epochs else 0

    @property
    def planned_epochs(self) -> int | None:
        """How many epochs the run is to have."""
        if self.config is not None:
            return self.config.train.epochs
        return self.epochs[-1].epochs if self.epochs else None

    def test(self, which: str, figure: str) -> float | None:
        """A figure on the test set: ``test("best", "robust_accuracy")``; None without one."""
        part = (self.summary or {}).get(which)
        value = part.get(figure) if isinstance(part, dict) else None
        return float(value) if type(value) in (int, float) else None  # type: ignore[arg-type]


def _figures(record: RunRecord) -> Figures:
    curve = [
        (epoch.epoch, epoch.val_robust_accuracy)
        for epoch in record.epochs
        if epoch.val_robust_accuracy is not None
    ]
    if not curve:
        return Figures(
            final_robust=record.test("final", "robust_accuracy"),
            clean=record.test("final", "accuracy"),
            final_clean=record.test("final", "accuracy"),
        )
    best_epoch, best = max(curve, key=lambda point: point[1])
    at_best, last = _epoch(record, best_epoch), _epoch(record, curve[-1][0])
    train = last.train_robust_accuracy
    return Figures(
        best_epoch=best_epoch,
        best_robust=best,
        final_robust=curve[-1][1],
        drop=100 * (best - curve[-1][1]),
        gap=None if train is None else 100 * (train - curve[-1][1]),
        clean=at_best.val_accuracy,
        final_clean=last.val_accuracy,
        curve=_thinned(curve, best_epoch),
    )


def _epoch(record: RunRecord, number: int) -> EpochEnded:
    return next(epoch for epoch in reversed(record.epochs) if epoch.epoch == number)


def _thinned(curve: list[tuple[int, float]], keep: int) -> tuple[tuple[int, float], ...]:
    """At most some hundred points for a small picture; the ends and the best one stay."""
    step = max(1, len(curve) // CURVE_POINTS)
    last = len(curve) - 1
    return tuple(p for i, p in enumerate(curve) if i % step == 0 or i == last or p[0] == keep)


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
        self._readers: dict[str, _Reader] = {}
        self._left: list[str] = []  # folders that the last scan had no time for

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
        if not self._left or budget == math.inf:
            keys = self._keys()
            gone = tuple(key for key in self.records if key not in keys)
            for key in gone:
                self._drop(key)
            self._left = list(keys)
        found: dict[str, list[str]] = {"added": [], "changed": [], "same": [], "later": []}
        deadline = time.perf_counter() + budget
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
        for key, record in self.records.items():
            found.setdefault(self.folder_name(record.path.parent), []).append(key)
        return {name: sorted(keys) for name, keys in sorted(found.items()) if len(keys) > 1}

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
        values = _read_json(os.path.join(key, "app.json"))[0] or {}
        values = {**values, field: text}
        data = json.dumps(values, indent=2, ensure_ascii=False) + "\n"
        run_folder.write_atomically(pathlib.Path(key, "app.json"), data.encode())
        if key in self._readers:
            self._readers[key].here()
            self._look(key)

    def _keys(self) -> dict[str, None]:
        """The folders to list; those known stay while the runs folder cannot be read."""
        self.problem = ""
        try:
            keys = dict.fromkeys(self._below(str(self.runs_dir), DEPTH))
        except FileNotFoundError:
            keys = {}
        except OSError as error:
            self.problem = (
                f"The runs folder {self.runs_dir} cannot be read: {error.strerror}. "
                "Check its permissions."
            )
            return dict.fromkeys(self.records)
        return keys | dict.fromkeys(filter(self._here, self._outside))

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
            reader = _Reader(key, self.folder_name(key))
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


class _Reader:
    """Keeps one record up to date."""

    def __init__(self, key: str, folder_name: str):
        self.folder_name = folder_name
        self.log = RunLog(os.path.join(key, "events.jsonl"))
        self.record = RunRecord(
            pathlib.Path(key), folder_name, epochs=self.log.epochs, warnings=self.log.warnings
        )
        self.behind = False
        self._paths = [f"{key}{os.sep}{name}" for name in FILES]
        self._seen: _Signature = (None,) * len(FILES)
        self._fresh = True
        self._problems: dict[str, str] = {}
        self._now: _Signature = self._seen

    def here(self) -> bool:
        """Look at the dates of the files; whether there is a run at all."""
        self._now = tuple(map(_stat, self._paths))
        return any(self._now[:3]) or self._closed()

    def _closed(self) -> bool:
        """Whether the folder is there and closed to us (then no file can be looked at)."""
        try:
            with os.scandir(self.record.path):
                return False
        except FileNotFoundError:
            return False
        except OSError:
            return True

    def due(self) -> bool:
        """Whether there is something to read."""
        return self._fresh or self._now != self._seen or self.behind

    def update(self, deadline: float) -> bool:
        """Read what :meth:`here` found new; whether the user may see a difference."""
        changed = self.due()
        if changed:
            self._read(deadline)
        elif self.record.status not in LIVE:
            return False
        status = _status(self.record)
        changed = changed or status != self.record.status
        self.record.status = status
        return changed

    def _read(self, deadline: float) -> None:
        config, log, summary, own, _ = (
            self._fresh or now != seen for now, seen in zip(self._now, self._seen, strict=True)
        )
        self._seen, self._fresh = self._now, False
        if config:
            self._read_config()
        if log or self.behind:
            self._read_log(deadline)
        if summary:
            self.record.summary, problem = _read_json(self._paths[2])
            self._problems["summary"] = problem
        if own:
            self._read_own()
        self.record.problem = " ".join(filter(None, self._problems.values()))

    def _read_config(self) -> None:
        record = self.record
        record.config, record.values, self._problems["config"] = _load_config(self._paths[0])
        record.started = self.log.started or _date(self._now[0])

    def _read_log(self, deadline: float) -> None:
        log, record = self.log, self.record
        problem = ""
        try:
            self.behind = log.read()
            while self.behind and time.perf_counter() < deadline:
                self.behind = log.read()
        except OSError as error:
            self.behind = False
            problem = f"events.jsonl cannot be read: {error.strerror}. Check its permissions."
        if log.newer:
            problem = (
                f"This run was written by a newer version of the program (protocol {log.newer}), "
                "some of its events may be missing here. Update the app to see them."
            )
        elif log.bad_lines:
            lines = "1 line" if log.bad_lines == 1 else f"{log.bad_lines} lines"
            problem = f"{lines} of events.jsonl could not be read and were passed over."
        self._problems["events"] = problem
        record.warnings, record.failure, record.device = log.warnings, log.failure, log.device
        record.catastrophe, record.diagnoses = log.catastrophe, log.diagnoses
        record.started = log.started or _date(self._now[0]) or _date(self._now[1])

    def _read_own(self) -> None:
        values, problem = _read_json(self._paths[3])
        name, notes = (values or {}).get("name"), (values or {}).get("notes")
        self.record.name = name if isinstance(name, str) and name.strip() else self.folder_name
        self.record.notes = notes if isinstance(notes, str) else ""
        self._problems["own"] = problem


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


def _stat(path: str) -> tuple[int, int, int] | None:
    try:
        stat = os.stat(path)
    except (OSError, ValueError):
        return None
    return stat.st_mtime_ns, stat.st_size, stat.st_ino


def _date(stat: Any) -> float | None:
    return stat[0] / 1e9 if stat else None


def _status(record: RunRecord) -> str:
    try:
        return run_folder.RunFolder(record.path).status()
    except (OSError, ValueError, RecursionError):
        return "damaged"


def _load_config(path: str) -> tuple[RunConfig | None, dict[str, Any], str]:
    """The configuration, its flat settings, and what is wrong with it."""
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


def flat(tables: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Nested tables as ``("attack.eps", "8/255")`` pairs; lists become tuples."""
    for key, value in tables.items():
        if isinstance(value, Mapping):
            yield from flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", tuple(value) if isinstance(value, list) else value


def _read_json(path: str) -> tuple[dict[str, Any] | None, str]:
    """A JSON object, and what is wrong with the file; (None, "") where there is none."""
    name = os.path.basename(path)
    try:
        with open(path, encoding="utf-8") as file:
            values = texts.from_json(file.read())
    except FileNotFoundError:
        return None, ""
    except OSError as error:
        return None, f"{name} cannot be read: {error.strerror}. Check its permissions."
    except (ValueError, RecursionError):
        return None, f"{name} is no JSON and was passed over."
    if not isinstance(values, dict):
        return None, f"{name} is no JSON object and was passed over."
    return wire.finite(values), ""
