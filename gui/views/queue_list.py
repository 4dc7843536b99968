"""The runs that wait, with what can be done about their order."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import Qt
from PySide6.QtGui import QAction, QKeySequence
from PySide6.QtWidgets import QHBoxLayout, QLabel, QListWidget, QPushButton, QVBoxLayout, QWidget

from .. import theme
from ..models.queue import Job
from ..presenters.trainer import Trainer

ROWS = 4


class QueueList(QWidget):
    """Hidden while nobody waits."""

    def __init__(self, trainer: Trainer):
        super().__init__()
        self._trainer = trainer
        self._jobs: list[Job] = []
        self.title = QLabel()
        theme.role(self.title, "muted")
        self.list = QListWidget()
        self.list.setAccessibleName("Runs in the queue")
        self.list.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        self.list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.list.setFixedHeight(ROWS * (self.list.fontMetrics().lineSpacing() + 6))
        self.start = self._button("Start the queue", trainer.start_next, "Let waiting runs begin")
        self.up = self._button("Up", lambda: self._move(-1), "Start the chosen run earlier")
        self.down = self._button("Down", lambda: self._move(1), "Start the chosen run later")
        self.out = self._button("Remove", self._remove, "Take the chosen run out (Delete)")
        delete = QAction("Remove", self.list)
        delete.setShortcut(QKeySequence.StandardKey.Delete)
        delete.setShortcutContext(Qt.ShortcutContext.WidgetShortcut)
        delete.triggered.connect(self._remove)
        self.list.addAction(delete)
        self.list.currentRowChanged.connect(lambda _: self._enable())
        line = QHBoxLayout()
        for button in (self.start, self.up, self.down, self.out):
            line.addWidget(button)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.title)
        layout.addWidget(self.list)
        layout.addLayout(line)
        trainer.changed.connect(self.refresh)
        self.refresh()

    def _button(self, text: str, run: Callable[[], object], help: str) -> QPushButton:
        button = QPushButton(text)
        button.setToolTip(help)
        button.clicked.connect(lambda: run())
        return button

    def refresh(self) -> None:
        """Show who waits."""
        jobs = self._trainer.queue
        self.setVisible(bool(jobs))
        held = self._trainer.held and not self._trainer.busy
        self.start.setVisible(held)
        what = "run" if all(job.trains for job in jobs) else "job"
        count = f"1 {what} waits" if len(jobs) == 1 else f"{len(jobs)} {what}s wait"
        self.title.setText(f"{count} {'until you start the queue' if held else 'in the queue'}")
        if jobs != self._jobs:
            self._fill(jobs)
        self._enable()

    def _fill(self, jobs: list[Job]) -> None:
        chosen = self._chosen()
        self._jobs = jobs
        self.list.clear()
        for job in jobs:
            self.list.addItem(f"{job.name} (goes on)" if job.resumes else job.name)
            self.list.item(self.list.count() - 1).setToolTip(job.path)
        if chosen in jobs:
            self.list.setCurrentRow(jobs.index(chosen))

    def _enable(self) -> None:
        row = self.list.currentRow()
        self.up.setEnabled(row > 0)
        self.down.setEnabled(0 <= row < len(self._jobs) - 1)
        self.out.setEnabled(row >= 0)

    def _chosen(self) -> Job | None:
        row = self.list.currentRow()
        return self._jobs[row] if 0 <= row < len(self._jobs) else None

    def _move(self, by: int) -> None:
        job = self._chosen()
        if job is not None:
            self._trainer.move(job, by)

    def _remove(self) -> None:
        job = self._chosen()
        if job is not None:
            self._trainer.remove(job)
