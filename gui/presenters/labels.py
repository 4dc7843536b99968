"""Decides on the Labels screen: whose labels are shown, and which samples are marked."""

from __future__ import annotations

import pathlib

from PySide6.QtCore import QObject, Signal

from ..models import label_history
from ..models.label_history import History
from ..models.run_record import RunRecord
from .context import Context


class LabelsPresenter(QObject):
    """The label history of a run.

    Signals:
        changed: another run, or another state of it.
        marked: other samples are marked.

    Attributes:
        path: the run folder that is shown; empty for none.
        history: its history; None without one.
        problem: why there is none, or what of it could not be read.
        marks: the samples that are marked.
    """

    changed = Signal()
    marked = Signal()

    def __init__(self, context: Context, parent: QObject | None = None):
        super().__init__(parent)
        self._context = context
        self.path, self.problem = "", label_history.NONE
        self.history: History | None = None
        self.marks: set[int] = set()
        self._read_at = 0  # epochs of the run when it was read

    def runs(self) -> list[RunRecord]:
        """Those that have recorded a history."""
        records = self._context.store.records.values()
        return [record for record in records if label_history.has_history(record.path)]

    def show(self, path: str) -> None:
        """Show the labels of a run."""
        if path != self.path:
            self.marks.clear()
        self.path = path
        self._read()

    def look(self) -> None:
        """Read again what has grown."""
        record = self._context.store.get(self.path) if self.path else None
        if record is None and self.path:
            self.path = ""
            self._read()
        elif record is not None and record.last_epoch != self._read_at:
            self._read()

    def _read(self) -> None:
        record = self._context.store.get(self.path) if self.path else None
        self._read_at = record.last_epoch if record else 0
        if self.path:
            self.history, self.problem = label_history.read(pathlib.Path(self.path))
        else:
            self.history, self.problem = None, label_history.NONE
        self.changed.emit()

    def toggle(self, sample: int) -> None:
        """Mark a sample, or take its mark away."""
        self.marks.symmetric_difference_update({sample})
        self.marked.emit()
