"""Decides what the lab is asked for and what of its answers is shown."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QObject, Signal

from gui.worker import Worker


class LabPresenter(QObject):
    """Owns the lab worker and the bench.

    Signals:
        changed: something that is shown changed.
    """

    changed = Signal()

    def __init__(self, command: Sequence[str], parent: QObject | None = None):
        super().__init__(parent)
        self.command = list(command)
        self.worker = Worker("attack lab", self)
        self.state = "off"

    def start(self) -> None:
        """Start the worker; it imports TensorFlow in the background."""
        if not self.worker.running:
            self.worker.start(self.command)
            self.state = "importing"
            self.changed.emit()
