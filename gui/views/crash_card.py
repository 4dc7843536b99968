"""A run that ended badly: what happened, the last lines it wrote, what can be done."""

from __future__ import annotations

import pathlib

from PySide6.QtCore import QEvent, Signal
from PySide6.QtGui import QFontDatabase, QGuiApplication
from PySide6.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QLabel,
    QPlainTextEdit,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from .. import theme
from ..models.ending import Ending

LINES = 8


class CrashCard(QFrame):
    """Hidden until :meth:`show_ending` is called with a bad end.

    Signals:
        resume: go on with this :class:`~gui.models.queue.Job`.
        copied: the details are on the clipboard.
        toggled: it appeared (True) or went away.
    """

    resume = Signal(object)
    copied = Signal()
    toggled = Signal(bool)

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("crash")
        self._ending: Ending | None = None
        self.title = QLabel()
        self.sentence = QLabel(wordWrap=True)
        for label in (self.title, self.sentence):
            theme.role(label, "bad")
        font = self.title.font()
        font.setBold(True)
        self.title.setFont(font)
        self.lines = QPlainTextEdit(readOnly=True, tabChangesFocus=True)
        self.lines.setAccessibleName("Last lines of the trainer")
        self.lines.setFont(QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont))
        self.lines.setLineWrapMode(QPlainTextEdit.LineWrapMode.NoWrap)
        layout = QVBoxLayout(self)
        for widget in (self.title, self.sentence, self.lines, self._buttons()):
            layout.addWidget(widget)
        self._dress()
        self.hide()

    def _buttons(self) -> QWidget:
        self.again = QPushButton("Resume")
        self.again.setToolTip("Go on from the last checkpoint")
        self.again.clicked.connect(self._resume)
        self.copy = QPushButton("Copy details")
        self.copy.setToolTip("Put what happened and the last lines on the clipboard")
        self.copy.clicked.connect(self._copy)
        self.close_ = QPushButton("Dismiss")
        self.close_.clicked.connect(lambda: self.show_ending(None))
        buttons = QWidget()
        line = QHBoxLayout(buttons)
        line.setContentsMargins(0, 0, 0, 0)
        for button in (self.again, self.copy, self.close_):
            line.addWidget(button)
        line.addStretch(1)
        return buttons

    def show_ending(self, ending: Ending | None) -> None:
        """Show a bad end; hide for any other."""
        bad = ending is not None and ending.kind in ("crashed", "failed")
        self._ending = ending if bad else None
        self.setVisible(bad)
        self.toggled.emit(bad)
        if not bad or ending is None:
            return
        verb = "crashed" if ending.kind == "crashed" else "failed"
        self.title.setText(f"{ending.job.name} {verb}")
        self.sentence.setText(ending.sentence)
        lines = ending.death.stderr
        self.lines.setPlainText("\n".join(lines))
        height = self.lines.fontMetrics().lineSpacing() * min(len(lines), LINES)
        self.lines.setFixedHeight(height + 2 * self.lines.frameWidth() + 16)
        self.lines.setVisible(bool(lines))
        self.lines.verticalScrollBar().setValue(self.lines.verticalScrollBar().maximum())
        begun = (pathlib.Path(ending.job.path) / "config.toml").is_file()
        self.again.setVisible(begun or not ending.job.trains)
        self.again.setText("Resume" if ending.job.trains else "Try again")

    def details(self) -> str:
        """Everything that is known of the end, as text."""
        if self._ending is None:
            return ""
        ending = self._ending
        facts = [
            f"run: {ending.job.path}",
            f"what happened: {ending.sentence}",
            f"cause: {ending.death.cause}, code {ending.death.code}",
            "last lines:",
            *ending.death.stderr,
        ]
        return "\n".join(facts) + "\n"

    def _resume(self) -> None:
        if self._ending is not None:
            self.resume.emit(self._ending.job)

    def _copy(self) -> None:
        QGuiApplication.clipboard().setText(self.details())
        self.copied.emit()

    def changeEvent(self, event: QEvent) -> None:
        """Take the colours of a new theme."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange:
            self._dress()

    def _dress(self) -> None:
        theme.card(self, theme.colours().bad)
