"""Decides on the Export screen: what is written where, and what came of it."""

from __future__ import annotations

import dataclasses
import pathlib
from typing import Any

from PySide6.QtCore import QObject, Signal

from slr_keras.export_formats import FORMATS
from slr_keras.protocol import events

from ..models.queue import Job
from .context import Context


@dataclasses.dataclass(frozen=True)
class Written:
    """An export of this session: of what, the sentence of its verification, and its files."""

    source: str
    sentence: str
    paths: tuple[str, ...]


class ExportPresenter(QObject):
    """Exports through the queue.

    Signals:
        changed: one began, or ended.

    Attributes:
        done: what was written in this session, the newest first.
    """

    changed = Signal()

    def __init__(self, context: Context, parent: QObject | None = None):
        super().__init__(parent)
        self._context, self.trainer = context, context.trainer
        self.done: list[Written] = []
        self.trainer.event.connect(self._take)
        self.trainer.changed.connect(self.changed)

    @staticmethod
    def place(source: str, kind: str, out: str) -> pathlib.Path:
        """Where an export goes: what was chosen, else beside the model."""
        home = pathlib.Path(source)
        folder = home.parent if home.suffix == ".keras" else home
        place = pathlib.Path(out).expanduser() if out else folder / FORMATS[kind].place
        return place.absolute()  # the worker stands in another folder than the user

    def start(self, source: str, which: str, kind: str, out: str, overwrite: bool) -> bool:
        """Export, now or when its turn comes; says why not if it cannot."""
        if not source:
            self._context.message.emit("Choose a run, or a .keras file.")
            return False
        place = self.place(source, kind, out)
        if place.exists() and not overwrite:
            text = f"{place} exists: choose another place, or “Replace what is there”."
            self._context.message.emit(text)
            return False
        flags = [source, "--format", kind, "--out", str(place)]
        flags += ["--which", which] if which and not source.endswith(".keras") else []
        flags += ["--overwrite"] if overwrite else []
        self.trainer.add(Job(source, task="export", arguments=tuple(flags)))
        return True

    @property
    def exports(self) -> bool:
        """Whether an export goes on."""
        return self.trainer.current is not None and self.trainer.current.task == "export"

    def _take(self, event: Any) -> None:
        if isinstance(event, events.TaskEnded) and self.exports:
            source = self.trainer.current.path
            self.done.insert(0, Written(source, event.message, event.paths))
            self.changed.emit()
