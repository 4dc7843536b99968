"""Keeps the record of one run up to date with the files in its folder."""

from __future__ import annotations

import os
import pathlib
import time
from typing import Any

from slr_keras import run_folder, texts
from slr_keras.protocol import wire

from .run_config import read_config
from .run_log import RunLog
from .run_record import LIVE, RunRecord

FILES = ("config.toml", "events.jsonl", "summary.json", "app.json", "run.lock")
_Signature = tuple[object, ...]


class RunReader:
    """Reads of a run's files what is new since the last look."""

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
            self.record.summary, self._problems["summary"] = self._json(2)
        if own:
            self._read_own()
        self.record.problem = " ".join(filter(None, self._problems.values()))
        self._work_out()

    def _work_out(self) -> None:
        """What the table asks of every run at once, when it sorts or searches, is known by then."""
        if not self.behind:
            _ = self.record.figures, self.record.words

    def _read_config(self) -> None:
        record = self.record
        record.config, record.values, self._problems["config"] = read_config(self._paths[0])
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
        values, problem = self._json(3)
        name, notes = (values or {}).get("name"), (values or {}).get("notes")
        self.record.name = name if isinstance(name, str) and name.strip() else self.folder_name
        self.record.notes = notes if isinstance(notes, str) else ""
        self._problems["own"] = problem

    def _json(self, place: int) -> tuple[dict[str, Any] | None, str]:
        there = self._now[place] or not any(self._now)  # of a closed folder, reading tells why
        return read_json(self._paths[place]) if there else (None, "")


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
        return run_folder.RunFolder(record.path).status(readable=bool(record.values))
    except (OSError, ValueError, RecursionError):
        return "damaged"


def read_json(path: str) -> tuple[dict[str, Any] | None, str]:
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
