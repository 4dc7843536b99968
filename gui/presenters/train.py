"""What the Train screen decides: the form's way to the trainer, and which runs are charted."""

from __future__ import annotations

import pathlib
from collections.abc import Sequence
from typing import Any

from PySide6.QtCore import QObject, QTimer, Signal

from slr_keras.errors import UserError
from slr_keras.protocol import events

from ..models.estimate import UNKNOWN, estimate
from ..models.form import Form
from ..models.run_record import RunRecord
from .context import Context
from .own_parts import OwnPartsPresenter

ESTIMATE_AFTER = 200  # milliseconds after the last key


class TrainPresenter(QObject):
    """Owns the form; follows the trainer.

    Signals:
        estimated: the sentence on the run's length changed.
        charted: other runs are to be shown in the charts.
        message: a sentence for the window's foot.

    Attributes:
        form: the settings of the next run.
        own_parts: plug-ins of the form.
        estimate: how long it would take, a sentence.
        live: path of the run that goes on, or went on last; empty before the first.
        shown: paths of the runs in the charts, the first as main.
    """

    estimated = Signal()
    charted = Signal()
    message = Signal(str)

    def __init__(self, context: Context, parent: QObject | None = None):
        super().__init__(parent)
        self._context, self._trainer = context, context.trainer
        self.form = Form()
        self.own_parts = OwnPartsPresenter(self.form, context.settings, self)
        self.own_parts.message.connect(self.message)
        context.lab.flags = self.own_parts.parts.flags
        context.trainer.flags = self.own_parts.parts.flags_of
        self.estimate = UNKNOWN
        self.live = ""
        self.shown: list[str] = []
        self._live_record: RunRecord | None = None
        self._soon = QTimer(self, singleShot=True, interval=ESTIMATE_AFTER)
        self._soon.timeout.connect(self.estimate_now)
        self.form.changes.append(self._soon.start)
        self._trainer.started.connect(self._started)
        self._trainer.event.connect(self._take)
        self._trainer.ended.connect(lambda *_: self._soon.start())

    # -- form ---------------------------------------------------------------------------------

    @property
    def can_start(self) -> bool:
        """Whether the settings make a run."""
        return self.form.config is not None

    @property
    def start_text(self) -> str:
        """What the start button does now."""
        return "Add to queue" if self._trainer.busy else "Start"

    def start(self) -> bool:
        """Start the run of the form, or queue it; says what is wrong if it cannot."""
        config = self.form.config
        if config is None:
            errors = self.form.errors()
            more = f" ({len(errors) - 1} more)" if len(errors) > 1 else ""
            self.message.emit(f"The run was not started. {errors[0]}{more}")
            return False
        queued = self._trainer.busy
        path = self._trainer.enqueue(config)
        if queued:
            self.message.emit(f"{pathlib.Path(path).name} waits in the queue.")
        return True

    def use_run(self, path: str) -> bool:
        """Fill the form with the settings of a run."""
        try:
            self.form.load_run(pathlib.Path(path))
        except UserError as error:
            self.message.emit(f"The settings could not be read: {error}")
            return False
        self.message.emit(f"Settings of {pathlib.Path(path).name}. Start makes a new run of them.")
        return True

    def estimate_now(self) -> None:
        """Judge the run's length by the runs of the store, the newest first."""
        config = self.form.config
        if config is None:
            self.estimate = ""
        else:
            records = self._context.store.records.values()
            newest = sorted(records, key=lambda record: record.started or 0.0, reverse=True)
            found = estimate(config, newest)
            self.estimate = found.sentence(config.train.epochs) if found else UNKNOWN
        self.estimated.emit()

    # -- charts -------------------------------------------------------------------------------

    @property
    def shows_live(self) -> bool:
        """Whether the charts show the run that goes on, or went on last."""
        return self.shown[:1] == [self.live]

    def show_runs(self, paths: Sequence[str]) -> None:
        """Show earlier runs in the charts."""
        self.shown = list(dict.fromkeys(map(str, paths)))
        self.charted.emit()

    def show_live(self) -> None:
        """Show the run that goes on, or went on last."""
        if self.live:
            self.show_runs([self.live])

    def records(self) -> list[RunRecord]:
        """The runs to chart; a run that has just begun may not be in the store yet."""
        found = [self._record(path) for path in self.shown]
        return [record for record in found if record is not None]

    def names(self) -> str:
        """The names of the runs in the charts, as a list for people."""
        names = [record.name for record in self.records()]
        return names[0] if len(names) == 1 else f"{names[0]} and {len(names) - 1} more"

    def _record(self, path: str) -> RunRecord | None:
        record = self._context.store.get(path)
        if record is None and path == self.live:
            return self._live_record
        return record

    def _started(self, path: str) -> None:
        job = self._trainer.current
        if not job.trains:
            return
        self.live = path
        self._live_record = RunRecord(pathlib.Path(path), name=job.name, config=job.config)
        self.show_live()

    def _take(self, event: Any) -> None:
        """Charts of a run that the store has found meanwhile are drawn from its record."""
        if isinstance(event, events.RunStarted) and self.shows_live:
            self.charted.emit()
