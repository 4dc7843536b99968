"""The run that goes on: name, status, progress, and what can be done with it."""

from __future__ import annotations

import pathlib

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtWidgets import (
    QFrame,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QProgressBar,
    QPushButton,
    QSizePolicy,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from .. import theme
from ..presenters.trainer import Trainer
from .no_wheel import guard

REPAINT_MS = 100
IDLE = "Choose settings on the left and press Start. The run's progress and curves appear here."
LARGEST = 2**31 - 1  # that Qt can show


class RunHeader(QFrame):
    """Shows the trainer's state; its buttons call the trainer.

    Signals:
        discard: the user wants to discard the run; nobody has asked yet whether that is meant.
        open_lab: the user wants to attack the run's newest weights.
    """

    discard = Signal()
    open_lab = Signal()

    def __init__(self, trainer: Trainer):
        super().__init__()
        self._trainer = trainer
        self.name = QLabel()
        theme.role(self.name, "title")
        self.name.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.name.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.device = QLabel()
        theme.role(self.device, "muted")
        self.status = QLabel(wordWrap=True)
        self.status.setAccessibleName("Status of the run")
        self.numbers = QLabel()
        self.numbers.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        theme.role(self.numbers, "muted")
        self.bars = self._bars()
        self.warnings = QLabel(wordWrap=True)
        self.warnings.setAccessibleName("Warnings of the run")
        theme.role(self.warnings, "warn")
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Maximum)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(6)
        layout.addLayout(_line(self.name, self.device))
        layout.addLayout(_line(self.status, self.numbers))
        layout.addWidget(self.bars)
        layout.addWidget(self.warnings)
        layout.addWidget(self._buttons())
        trainer.changed.connect(self.refresh)
        self._soon = QTimer(self, singleShot=True, interval=REPAINT_MS)
        self._soon.timeout.connect(self._show_progress)
        trainer.event.connect(self._progressed)
        self.refresh()

    # -- building -----------------------------------------------------------------------------

    def _bars(self) -> QWidget:
        bars = QWidget()
        grid = QGridLayout(bars)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setVerticalSpacing(4)
        grid.setColumnStretch(1, 1)
        self.epochs, self.batches = QProgressBar(), QProgressBar()
        rows = (("Epochs", self.epochs), ("Batches", self.batches))
        for line, (name, bar) in enumerate(rows):
            bar.setAccessibleName(name)
            bar.setFixedHeight(16)
            bar.setFormat("%v of %m")
            label = QLabel(name)
            theme.role(label, "muted")
            grid.addWidget(label, line, 0)
            grid.addWidget(bar, line, 1)
        return bars

    def _buttons(self) -> QWidget:
        self.pause = _button("Pause", "Wait after this batch; the model stays loaded (Ctrl+P)")
        self.pause.clicked.connect(self.toggle_pause)
        self.after = QSpinBox(prefix="epoch ")
        self.after.setMinimumWidth(96)
        self.after.setAccessibleName("Epoch after which to pause")
        self.after.setToolTip("The run waits at the end of this epoch")
        self.set_after = _button("Pause after", "Wait at the end of the epoch at the right")
        self.set_after.clicked.connect(lambda: self._trainer.pause_after_epoch(self.after.value()))
        self.stop = _button("Stop and save", "Save the state and end; the run can be resumed")
        self.stop.clicked.connect(self._trainer.stop)
        self.drop = _button("Discard…", "End without saving anything more")
        self.drop.clicked.connect(self.discard)
        self.lab = _button("Open in lab", "Attack images on the newest weights of this run")
        self.lab.clicked.connect(self.open_lab)
        self.kill = _button("Kill", "End the process at once; the last checkpoint stays")
        self.kill.clicked.connect(self._trainer.kill)
        guard(self.after)
        self.controls = QWidget()
        line = QHBoxLayout(self.controls)
        line.setContentsMargins(0, 0, 0, 0)
        order = (self.pause, self.set_after, self.after, self.stop, self.drop, self.lab, self.kill)
        for widget in order:
            line.addWidget(widget)
        line.addStretch(1)
        return self.controls

    def _progressed(self) -> None:
        if not self._soon.isActive():
            self._soon.start()

    # -- showing ------------------------------------------------------------------------------

    def refresh(self) -> None:
        """Show the trainer as it is."""
        trainer, last = self._trainer, self._trainer.last
        job = trainer.current or (last.job if last else None)
        self.name.setText(job.name if job else "No run is going on")
        self.name.setToolTip(str(pathlib.Path(job.path)) if job else "")
        self.status.setText(self._status())
        theme.role(self.status, self._role())
        trains = trainer.current is not None and trainer.current.trains
        self.bars.setVisible(trains)
        for widget in (self.set_after, self.after, self.lab):
            widget.setVisible(trains)
        self.controls.setVisible(trainer.busy)
        self.numbers.setVisible(trainer.busy)
        self._show_buttons()
        self._show_progress()

    def _status(self) -> str:
        if self._trainer.busy:
            pause = self._trainer.progress.pause_at
            return self._trainer.status_text + (f". Pauses after epoch {pause}." if pause else "")
        last = self._trainer.last
        return last.sentence if last else IDLE

    def _role(self) -> str:
        last = self._trainer.last
        if self._trainer.silent:
            return "bad"
        if self._trainer.busy:
            return "warn" if self._trainer.state in ("pausing", "paused", "stopping") else ""
        if last is None:
            return "muted"
        return {"done": "good", "failed": "bad", "crashed": "bad"}.get(last.kind, "")

    def _show_buttons(self) -> None:
        state, stuck = self._trainer.state, self._trainer.silent or self._trainer.deaf
        can_pause = state in ("starting", "running", "paused", "pausing")
        waits = state in ("pausing", "paused")
        self.pause.setText("Continue" if waits else "Pause")
        self.pause.setEnabled(can_pause)
        self.stop.setEnabled(state != "stopping")
        self.drop.setEnabled(state != "stopping")
        self.kill.setVisible(stuck or state == "stopping")
        progress = self._trainer.progress
        first, last = progress.after(0), min(progress.epochs - 1, LARGEST)
        some = can_pause and 1 <= first <= last
        self.set_after.setEnabled(some)
        self.after.setEnabled(some)
        if some:
            self.after.setRange(first, last)
        self.lab.setEnabled(progress.saved)

    def _show_progress(self) -> None:
        trainer, progress = self._trainer, self._trainer.progress
        self.device.setText(progress.device if trainer.busy else "")
        self._show_warnings()
        if not trainer.busy:
            return
        _fill(self.epochs, progress.finished, progress.epochs)
        _fill(self.batches, progress.batch, progress.batches)
        facts = [progress.speed(), progress.time_left() if trainer.state != "paused" else ""]
        self.numbers.setText("  ·  ".join(fact for fact in facts if fact))

    def _show_warnings(self) -> None:
        """What the run warns of; the remarks on its settings stand in the form already."""
        job, found = self._trainer.current, self._trainer.progress.warnings
        known = job.config.warnings() if job and job.config else []
        new = [text for text in dict.fromkeys(found) if job and text not in known]
        self.warnings.setText("\n".join(new[-3:]))
        self.warnings.setVisible(bool(new))

    # -- what a user can ask ------------------------------------------------------------------

    def toggle_pause(self) -> None:
        """Pause, or go on."""
        if self._trainer.state in ("paused", "pausing"):
            self._trainer.resume_run()
        else:
            self._trainer.pause()


def _fill(bar: QProgressBar, value: int, maximum: int) -> None:
    bar.setRange(0, min(max(maximum, 1), LARGEST))
    bar.setValue(min(value, LARGEST))
    bar.setTextVisible(bool(maximum))


def _line(left: QWidget, right: QWidget) -> QHBoxLayout:
    line = QHBoxLayout()
    line.addWidget(left, 1)
    line.addWidget(right, 0)
    return line


def _button(text: str, help: str) -> QPushButton:
    button = QPushButton(text)
    button.setToolTip(help)
    return button
