"""Decides on the Runs screen: when to look at the disk, and what can be done with which run."""

from __future__ import annotations

import gc
import os
import pathlib
import time
from collections.abc import Callable, Iterable, Sequence

from PySide6.QtCore import QObject, QTimer, QUrl, Signal
from PySide6.QtGui import QDesktopServices, QUndoStack

from slr_keras.run_folder import RunFolder

from ..models.run_record import LIVE, RunRecord
from ..models.run_store import Changes
from ..models.run_words import RESUMABLE, count, names
from .context import Context
from .trash import Moved, Trashed, called, move_to_trash, restore

POLL_MS = 1000
SHOWING = 0.25  # seconds between two looks at a list that is still being read
READING = 0.03  # seconds of reading at a time, so that the window never stands still
MANY = 500  # runs whose settings stay for good: looking for what can go would take ever longer


class RunsPresenter(QObject):
    """Keeps the store up to date and carries out what the user asks of runs.

    Signals:
        changed: :class:`~gui.models.run_store.Changes`, after each scan that found some.
        scanned: a scan is over, whether it found anything or not.

    Attributes:
        wanted: asked at each tick: does anybody look? Live runs are followed in any case.
        loading: whether runs are still being read.
        undo: what can be undone; only moves to the trash so far.
        open_url: opens a folder in the file manager.
    """

    changed = Signal(object)
    scanned = Signal()

    def __init__(self, context: Context, parent: QObject | None = None):
        super().__init__(parent)
        self._context = context
        self.store = context.store
        self.undo = QUndoStack(self)
        self.wanted: Callable[[], bool] = lambda: True
        self.open_url: Callable[[QUrl], bool] = QDesktopServices.openUrl
        self.loading = True
        self._timer = QTimer(self, interval=POLL_MS)
        self._timer.timeout.connect(self._tick)
        self._soon = QTimer(self, interval=0, singleShot=True)
        self._soon.timeout.connect(self.scan)
        context.trainer.changed.connect(self._trainer_changed)
        context.trainer.ended.connect(lambda *_: self._soon.start())
        context.chart_runs.connect(lambda keys: self.store.watch("charts", keys))
        context.compare_runs.connect(lambda keys: self.store.watch("comparison", keys))
        self._trained: object = None
        self._known, self._moves = dict(self.store.records), self.store.moves
        self._changed: dict[str, None] = {}
        self._announced = -SHOWING
        self._settled = 0  # runs that the garbage collector passes over

    def start(self) -> None:
        """Begin to look at the disk, the first time as soon as the window is painted."""
        self._timer.start()
        self._soon.start()

    # -- looking ------------------------------------------------------------------------------

    def scan(self) -> None:
        """Take in what changed on disk; goes on by itself when there is much to read."""
        changes = self.store.scan(READING)
        self.loading = changes.unfinished
        self._changed |= dict.fromkeys(changes.changed)
        if changes.unfinished:
            self._soon.start()
            if time.monotonic() - self._announced < SHOWING:
                return
        self._say_gone(self._announce())
        self.scanned.emit()
        if not changes.unfinished:
            self._context.runs_read.emit()

    def _announce(self) -> list[RunRecord]:
        """Tell of what is there now and was not, and the other way round; returns what is gone.

        Others may have added to the store, so that its own changes are not all.
        """
        now, gone, added = self.store.records, [], ()
        if self._moves != self.store.moves:
            gone = [record for key, record in self._known.items() if now.get(key) is not record]
            added = tuple(key for key, record in now.items() if self._known.get(key) is not record)
            self._known, self._moves = dict(now), self.store.moves
        changed = tuple(key for key in self._changed if key in now and key not in added)
        self._changed, self._announced = {}, time.monotonic()
        removed = tuple(record.key for record in gone)
        changes = Changes(added, changed, removed)
        self._settle(len(now))
        if changes:
            self.changed.emit(changes)
            self._context.runs_changed.emit(changes)
        return [record for record in gone if record.key not in now]

    def _settle(self, runs: int) -> None:
        """Spare the collector of garbage what stays as long as the window."""
        if runs >= self._settled + MANY:
            self._settled = runs
            gc.freeze()

    @property
    def live(self) -> bool:
        """Whether a process works on any of the runs."""
        return any(record.status in LIVE for record in self.store.records.values())

    def _tick(self) -> None:
        if self.wanted() or self.live:
            self.scan()

    def _trainer_changed(self) -> None:
        """A run that begins is to appear at once, not at the next tick."""
        now = (self._context.trainer.current, self._context.trainer.state)
        if now != self._trained:
            self._trained = now
            self._soon.start()

    def _say_gone(self, records: Sequence[RunRecord]) -> None:
        if len(records) == 1:
            self._say(f"The run {records[0].name} is gone: its folder was removed or moved.")
        elif records:
            self._say(f"{count(len(records), 'run')} are gone: {names(records)}.")

    def _say(self, sentence: str) -> None:
        self._context.message.emit(sentence)

    # -- going elsewhere ----------------------------------------------------------------------

    def overlay(self, records: Sequence[RunRecord]) -> None:
        """Show runs in the charts, the first as the main one."""
        if records:
            self._context.chart_runs.emit([record.key for record in records])
            self._context.go_to.emit("train")

    def compare(self, records: Sequence[RunRecord]) -> None:
        """Show runs side by side, the first as the one that others are compared with."""
        if records:
            self._context.compare_runs.emit([record.key for record in records])
            self._context.go_to.emit("compare")

    def export(self, record: RunRecord) -> None:
        """Open the Export screen on a run's best weights, or on what there is of it."""
        which = weights(record)
        if which not in ("best", "final"):
            self._say(f"{record.name} has no model to export yet: it is written at the end.")
            return
        self._context.export_model.emit(record.key, which)

    def labels(self, record: RunRecord) -> None:
        """Show how a run's labels were softened."""
        self._context.show_labels.emit(record.key)
        self._context.go_to.emit("labels")

    def evaluate(self, record: RunRecord) -> None:
        """Open the Evaluate screen on a run's best weights, or on what there is of it."""
        which = weights(record)
        if which not in ("best", "final"):
            self._say(f"{record.name} has no model to evaluate yet: it is written at the end.")
            return
        self._context.evaluate_model.emit(record.key, which)
        self._context.go_to.emit("evaluate")

    def attack(self, record: RunRecord) -> None:
        """Open the lab on a run's best weights, or on what there is of it."""
        which = weights(record)
        if not which:
            self._say(f"{record.name} has no weights yet: its first checkpoint is not written.")
            return
        self._context.attack_model.emit(record.key, which)
        self._context.go_to.emit("lab")

    def use_settings(self, record: RunRecord) -> None:
        """Fill the form with a run's settings."""
        if record.config is None:
            self._say(f"The settings of {record.name} cannot be used. {record.problem}")
            return
        self._context.edit_config.emit(record.key)
        self._context.go_to.emit("train")

    def new_run(self) -> None:
        """Go where runs are configured."""
        self._context.go_to.emit("train")

    def show_folder(self, record: RunRecord) -> None:
        """Open the file manager in the run folder."""
        if not self.open_url(QUrl.fromLocalFile(record.key)):
            self._say(f"No file manager answered. The run is in {record.path}.")

    # -- resuming -----------------------------------------------------------------------------

    def can_resume(self, record: RunRecord) -> bool:
        """Whether a run can go on."""
        return record.status in RESUMABLE and not self._waits(record)

    def resume(self, record: RunRecord) -> None:
        """Let a run go on: now, or when its turn in the queue comes."""
        trainer = self._context.trainer
        if not self.can_resume(record):
            self._say(self._why_not(record))
        elif self._is_current(record):
            trainer.resume_run()
        elif record.status == "paused":
            self._say(
                f"{record.name} is paused in another window or terminal; go on with it there."
            )
        else:
            queued = trainer.busy
            trainer.resume(record.key)
            self._say(f"{record.name} waits in the queue." if queued else f"{record.name} goes on.")

    def _why_not(self, record: RunRecord) -> str:
        if self._waits(record):
            return f"{record.name} waits in the queue already."
        reasons = {
            "done": "is complete; use its settings for a longer run",
            "running": "is running",
            "new": "has not begun; use its settings for a new run",
        }
        return f"{record.name} {reasons.get(record.status, 'cannot be resumed')}."

    def _is_current(self, record: RunRecord) -> bool:
        current = self._context.trainer.current
        return current is not None and os.path.abspath(current.path) == record.key

    def _waits(self, record: RunRecord) -> bool:
        jobs = (job for job in self._context.trainer.queue if job.trains)
        return any(os.path.abspath(job.path) == record.key for job in jobs)

    # -- what the user writes -----------------------------------------------------------------

    def rename(self, record: RunRecord, name: str) -> None:
        """Give a run a name to show; its folder keeps its own, which others may refer to."""
        folder_name = self.store.folder_name(record.path)
        self._write(record, lambda: self.store.set_name(record.path, _other(name, folder_name)))

    def set_notes(self, record: RunRecord, notes: str) -> None:
        """Keep notes with a run."""
        if notes != record.notes:
            self._write(record, lambda: self.store.set_notes(record.path, notes))

    def _write(self, record: RunRecord, write: Callable[[], None]) -> None:
        try:
            write()
        except OSError as error:
            self._say(
                f"{error.filename or record.path} cannot be written: {error.strerror}. "
                "Check the folder's permissions and the free space."
            )
        self._changed[record.key] = None
        self._announce()

    # -- the trash ----------------------------------------------------------------------------

    def trash(self, records: Sequence[RunRecord]) -> None:
        """Move runs to the trash, those at work excepted; can be undone."""
        kept = [record for record in records if self._at_work(record)]
        moved = self._move_to_trash([record for record in records if record not in kept])
        if kept:
            has = "has" if len(kept) == 1 else "have"
            self._say(f"{names(kept)} {has} work to do and stayed; stop or unqueue first.")
        if moved:
            self.undo.push(Trashed(self, moved))
            if not kept:
                self._say_moved(moved)

    def _at_work(self, record: RunRecord) -> bool:
        """Whether a process writes in the folder or is about to, asked afresh."""
        try:
            status = RunFolder(record.path).status()
        except (OSError, ValueError, RecursionError):
            status = record.status
        return status in LIVE or self._is_current(record) or self._waits(record)

    def _move_to_trash(self, records: Iterable[RunRecord]) -> list[Moved]:
        moved = []
        for record in records:
            place, why = move_to_trash(record.path)
            if place is None:
                self._say(
                    f"{record.name} could not be moved to the trash ({why}). "
                    f"Delete the folder {record.path} by hand."
                )
                continue
            moved.append((record.path, place))
            self.store.forget(record.path)
        self._announce()
        return moved

    def _say_moved(self, moved: Sequence[Moved]) -> None:
        self._say(f"{called(moved)} moved to the trash. Undo (Ctrl+Z) brings it back.")

    def put_back(self, moved: Sequence[Moved]) -> list[Moved]:
        """Bring runs back from the trash; returns those that are back."""
        back, problems = [], []
        for old, place in moved:
            problem = restore(old, place)
            if problem:
                problems.append(problem)
            else:
                back.append((old, place))
        self.scan()
        if problems:
            self._say(" ".join(problems))
        elif back:
            self._say(f"{called(back)} {'is' if len(back) == 1 else 'are'} back.")
        return back

    def trash_again(self, paths: Sequence[pathlib.Path]) -> list[Moved]:
        """Move runs to the trash that were brought back before."""
        records = [record for path in paths if (record := self.store.get(path))]
        moved = self._move_to_trash(r for r in records if not self._at_work(r))
        if moved:
            self._say_moved(moved)
        return moved


def _other(name: str, folder_name: str) -> str:
    """A name to keep: none when it is the folder's own."""
    return "" if name.strip() == folder_name else name


def weights(record: RunRecord) -> str:
    """Which weights of a run the lab can load, the best first; empty for none."""
    if (record.path / "best.keras").exists():
        return "best"
    if (record.path / "final.keras").exists():
        return "final"
    checkpoints = record.path / "checkpoints"
    try:
        return "current" if any(checkpoints.iterdir()) else ""
    except OSError:
        return ""
