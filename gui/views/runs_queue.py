"""The runs that wait for the trainer, with their order in the user's hands."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import Qt
from PySide6.QtWidgets import (
    QHBoxLayout,
    QLabel,
    QListWidget,
    QListWidgetItem,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from gui.models.run_words import count

ROWS = 6  # shown without scrolling


class QueuePanel(QWidget):
    """A list and four buttons; out of sight while nothing waits."""

    def __init__(self, trainer: Any, parent: QWidget | None = None):
        super().__init__(parent)
        self._trainer = trainer
        self._shown: list[tuple[str, str]] = []
        self.title = QLabel()
        self.list = QListWidget()
        self.list.setAccessibleName("Waiting runs, the first starts next")
        self.earlier = self._button("Earlier", "Let the selected run start earlier.", -1)
        self.later = self._button("Later", "Let the selected run start later.", 1)
        self.remove = QPushButton("Remove")
        self.remove.setToolTip("Take the selected run out of the queue.")
        self.remove.clicked.connect(self._remove)
        self.start = QPushButton("Start queue")
        self.start.setToolTip("Begin with the first waiting run.")
        self.start.clicked.connect(lambda: trainer.start_next())
        self.list.currentRowChanged.connect(self._enable)
        buttons = QHBoxLayout()
        for button in (self.earlier, self.later, self.remove, self.start):
            buttons.addWidget(button)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 8, 0, 0)
        layout.addWidget(self.title)
        layout.addWidget(self.list)
        layout.addLayout(buttons)
        trainer.changed.connect(self.refresh)
        self.refresh()

    def _button(self, text: str, tip: str, by: int) -> QPushButton:
        button = QPushButton(text)
        button.setToolTip(tip)
        button.clicked.connect(lambda: self._move(by))
        return button

    def refresh(self) -> None:
        """Show the queue as it is now; the selection stays on its run."""
        jobs = list(self._trainer.queue)
        rows = [(job.path, f"{job.name}{' (goes on)' if job.resumes else ''}") for job in jobs]
        if rows != self._shown:
            self._fill(rows)
        waiting = self._trainer.held or not self._trainer.busy
        self.title.setText(f"{count(len(jobs), 'run')} waiting")
        self.start.setVisible(bool(jobs) and waiting and not self._trainer.busy)
        self.setVisible(bool(jobs))
        self._enable()

    def _fill(self, rows: list[tuple[str, str]]) -> None:
        chosen = self._chosen_path()
        self._shown = rows
        self.list.blockSignals(True)
        self.list.clear()
        for number, (path, text) in enumerate(rows, start=1):
            item = QListWidgetItem(f"{number}. {text}")
            item.setData(Qt.ItemDataRole.UserRole, path)
            item.setToolTip(path)
            self.list.addItem(item)
            if path == chosen:
                self.list.setCurrentItem(item)
        self.list.blockSignals(False)
        row = self.list.sizeHintForRow(0) if rows else 0
        self.list.setFixedHeight(
            row * min(max(len(rows), 2), ROWS) + 2 * self.list.frameWidth() + 2
        )

    def _chosen_path(self) -> str:
        item = self.list.currentItem()
        return str(item.data(Qt.ItemDataRole.UserRole)) if item else ""

    def _chosen(self) -> Any:
        path = self._chosen_path()
        return next((job for job in self._trainer.queue if job.path == path), None)

    def _move(self, by: int) -> None:
        job = self._chosen()
        if job is not None:
            self._trainer.move(job, by)

    def _remove(self) -> None:
        job = self._chosen()
        if job is not None:
            self._trainer.remove(job)

    def _enable(self) -> None:
        row, last = self.list.currentRow(), self.list.count() - 1
        self.earlier.setEnabled(row > 0)
        self.later.setEnabled(0 <= row < last)
        self.remove.setEnabled(row >= 0)
