"""What closing the window means for a run that goes on."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import (
    QDialog,
    QHBoxLayout,
    QLabel,
    QProgressBar,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from .. import theme
from ..presenters.trainer import Trainer


class CloseDialog(QDialog):
    """Asks, then sees to it that what was chosen has happened before the window goes.

    Signals:
        leave: the window may close.
    """

    leave = Signal()

    def __init__(self, trainer: Trainer, parent: QWidget | None = None):
        super().__init__(parent)
        self.setWindowTitle("A run is going on")
        self._trainer = trainer
        self._chosen = ""
        self._text = QLabel(wordWrap=True)
        self._detail = QLabel(wordWrap=True)
        theme.role(self._detail, "muted")
        self._bar = QProgressBar(maximum=0, textVisible=False)
        self._bar.setAccessibleName("Waiting for the trainer")
        self._bar.hide()
        self.keep = QPushButton("&Keep training in the background")
        self.stop = QPushButton("&Stop and save", default=True)
        self.now = QPushButton("Close &now")
        self.cancel = QPushButton("Cancel")
        self.keep.clicked.connect(self._keep)
        self.stop.clicked.connect(self._stop)
        self.now.clicked.connect(self._go)
        self.cancel.clicked.connect(self.reject)
        self._arrange()
        self._ask()
        trainer.changed.connect(self._look)
        trainer.message.connect(self._trainer_says)

    def _arrange(self) -> None:
        buttons = QHBoxLayout()
        buttons.addWidget(self.cancel)
        buttons.addStretch()
        for button in (self.keep, self.stop, self.now):
            buttons.addWidget(button)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(20, 18, 20, 14)
        layout.setSpacing(10)
        layout.addWidget(self._text)
        layout.addWidget(self._detail)
        layout.addWidget(self._bar)
        layout.addSpacing(6)
        layout.addLayout(buttons)
        self.setMinimumWidth(560)

    def text(self) -> str:
        """What the dialog says now."""
        return f"{self._text.text()}\n{self._detail.text()}"

    # -- the question -------------------------------------------------------------------------

    def _ask(self) -> None:
        job = self._trainer.current
        name = job.name if job else "The run"
        self._text.setText(f"{name} is not finished. What should happen to it?")
        trains = job is None or job.trains
        on = "trains on" if trains else "goes on"
        self._detail.setText(
            f"In the background it {on} without a window and appears in the list again. "
            "Stopped, it can be resumed where it is now." + self._queue_sentence()
        )
        self._show_buttons(asking=True)

    def _queue_sentence(self) -> str:
        count = len(self._trainer.queue)
        if not count:
            return ""
        runs = "The run in the queue waits" if count == 1 else f"The {count} runs in the queue wait"
        kept = self._trainer.keeps_queue
        return f" {runs} for the next time the app is open." if kept else f" {runs} no longer."

    def _show_buttons(self, asking: bool) -> None:
        self.keep.setVisible(asking)
        self.stop.setVisible(asking)
        self.now.setVisible(self._chosen == "stop")
        self._bar.setVisible(not asking)
        self.cancel.setText("Cancel" if asking else "Leave the window open")

    # -- what is done -------------------------------------------------------------------------

    def _keep(self) -> None:
        self._chosen = "keep"
        self._text.setText("Waiting until the trainer knows that it goes on alone…")
        self._detail.setText("While it imports or compiles, this can take some seconds.")
        self._show_buttons(asking=False)
        self._trainer.detach()

    def _stop(self) -> None:
        self._chosen = "stop"
        self._text.setText("The run stops after this batch and saves its state…")
        self._detail.setText("If you close now, the trainer saves and ends without the window.")
        self._show_buttons(asking=False)
        self._trainer.stop()

    def _look(self) -> None:
        """Leave once no run goes on; what was asked for has happened then."""
        trainer = self._trainer
        if not self.isVisible():
            return
        if not trainer.busy and (trainer.held or not trainer.queue):
            self._go()
        elif self._chosen == "stop" and trainer.state != "stopping":  # it was refused
            self._show_buttons(asking=True)

    def _trainer_says(self, sentence: str) -> None:
        """A refusal, or that no answer came: say so, and let the user choose again."""
        if self.isVisible() and self._chosen and self._trainer.busy:
            self._detail.setText(sentence)
            self._show_buttons(asking=self._chosen == "keep")

    def _go(self) -> None:
        self.accept()
        self.leave.emit()
