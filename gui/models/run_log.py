"""Follows an events.jsonl that another process is writing."""

from __future__ import annotations

import operator
import os
import pathlib
import re
from typing import Any

from slr_keras import texts
from slr_keras.protocol import events, wire

from .epochs import NAMES, Epochs

CHUNK = 1 << 20  # bytes read at a time, so that a window can breathe in between
_MARK = 64  # bytes before the place reached; when they change, somebody rewrote the file
_NAME = re.compile(rb'"event"\s*:\s*"(\w+)"')
_VERSION = re.compile(rb'"v"\s*:\s*(\d+)')
_EPOCH = events.EpochEnded.name.encode()
_FIGURES = operator.itemgetter(*NAMES)
_NUMBERS = {int, float, type(None)}
_KEPT: dict[bytes, type[events.Event]] = {
    kind.name.encode(): kind
    for kind in (
        events.EpochEnded,
        events.RunStarted,
        events.Warned,
        events.CatastrophicOverfitting,
        events.Diagnosed,
        events.NonFiniteLoss,
        events.Failed,
    )
}


class RunLog:
    """What an events.jsonl says, read from where the last look ended.

    Attributes:
        epochs: finished epochs in order.
        warnings: what the run warned of, each sentence once.
        catastrophe: where catastrophic overfitting was told; None if it was not.
        diagnoses: what was told to go wrong, in order.
        failure: why the run cannot go on; empty while it can.
        started: time of the first line, seconds since 1970.
        device: where the run computes.
        bad_lines: lines that are no events.
        newer: the protocol version, where it is newer than ours.
    """

    def __init__(self, path: str | os.PathLike[str]):
        self.path = pathlib.Path(path)
        self.epochs = Epochs()
        self._forget()

    def _forget(self) -> None:
        self.epochs.clear()  # in place: others hold them
        self.warnings: list[str] = []
        self.catastrophe: events.CatastrophicOverfitting | None = None
        self.diagnoses: list[events.Diagnosed] = []
        self.failure = self.device = ""
        self.started: float | None = None
        self.bad_lines = self.newer = 0
        self._rows: list[tuple[Any, ...]] = []  # epochs of the lines that are being taken in
        self._offset, self._mark = 0, b""
        self._inode = self._mtime = -1

    def read(self, limit: int = CHUNK) -> bool:
        """Take in up to ``limit`` new bytes; True when there are more.

        Raises:
            OSError: the file cannot be read; one that is gone counts as empty.
        """
        try:
            file = open(self.path, "rb")  # noqa: SIM115
        except FileNotFoundError:
            self._forget()
            return False
        with file:
            stat = os.fstat(file.fileno())
            if self._replaced(stat) or not self._continues(file):
                self._forget()
            self._inode, self._mtime = stat.st_ino, stat.st_mtime_ns
            file.seek(self._offset)
            data = file.read(limit)
            while data and b"\n" not in data and len(data) >= limit:  # a line longer than that
                limit *= 2
                file.seek(self._offset)
                data = file.read(limit)
            self._take(data)
            return len(data) >= limit

    def _replaced(self, stat: os.stat_result) -> bool:
        """Whether this is another file than last time, or was edited in its place."""
        edited = stat.st_size == self._offset and stat.st_mtime_ns != self._mtime
        return stat.st_ino != self._inode or stat.st_size < self._offset or edited

    def _continues(self, file: object) -> bool:
        file.seek(self._offset - len(self._mark))  # type: ignore[attr-defined]
        return bool(file.read(len(self._mark)) == self._mark)  # type: ignore[attr-defined]

    def _take(self, data: bytes) -> None:
        *lines, rest = data.split(b"\n")
        if _complete(rest):  # the last line of an edited file may lack its line break
            lines.append(rest)
            rest = b""
        for line in lines:
            if line.strip():
                self._line(line)
        self._add_epochs()
        taken = data[: len(data) - len(rest)]
        self._offset += len(taken)
        self._mark = (self._mark + taken)[-_MARK:]

    def _line(self, line: bytes) -> None:
        name, version = _NAME.search(line), _VERSION.search(line)
        if version and int(version[1]) > wire.VERSION:
            self.newer = max(self.newer, int(version[1]))
        if self.started is None:
            self.started = _time(line)
        if name and name[1] not in _KEPT and line.rstrip().endswith(b"}"):
            return
        try:
            if name and name[1] == _EPOCH:
                self._epoch(texts.from_json(line))
            else:
                self._event(events.decode(line))
        except (ValueError, RecursionError):
            self.bad_lines += 1

    def _event(self, event: events.Event | None) -> None:
        if isinstance(event, events.RunStarted):
            self.device, self.failure = str(event.device), ""
        elif isinstance(event, events.Warned):
            if isinstance(event, events.CatastrophicOverfitting):
                self.catastrophe = event
            if isinstance(event, events.Diagnosed):
                self.diagnoses.append(event)
            if str(event.message) not in self.warnings:
                self.warnings.append(str(event.message))
        elif isinstance(event, (events.NonFiniteLoss, events.Failed)):
            self.failure = str(event.message)

    def _epoch(self, values: Any) -> None:
        """Keep the figures of an epoch for now; there are so many that no event is made of them."""
        if not isinstance(values, dict) or values.get(events.Event.kind) != events.EpochEnded.name:
            raise ValueError("no epoch")
        try:
            row = _FIGURES(values)
        except KeyError:  # fields that this version does not know
            return
        if not set(map(type, row)) <= _NUMBERS or not (type(row[0]) is type(row[1]) is int):
            raise ValueError("no figures")
        if row[0] < 1:
            raise ValueError("before the first epoch")
        self._rows.append(row)

    def _add_epochs(self) -> None:
        rows, self._rows = self._rows, []
        try:
            if rows:
                self.epochs.add(rows)
        except OverflowError:
            for row in rows:
                try:
                    self.epochs.add([row])
                except OverflowError:
                    self.bad_lines += 1


def _complete(line: bytes) -> bool:
    """Whether a line without a line break is all there: no beginning of an object is one."""
    if not line.rstrip().endswith(b"}"):
        return False
    try:
        texts.from_json(line)
    except (ValueError, RecursionError):
        return False
    return True


def _time(line: bytes) -> float | None:
    try:
        time = texts.from_json(line)["time"]
        return float(time) if 0 < time < 2**40 else None
    except (ValueError, TypeError, LookupError, RecursionError, OverflowError):
        return None
