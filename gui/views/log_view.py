"""The log of the Diagnostics screen, with its filter."""

from __future__ import annotations

import time

from PySide6.QtCore import QEvent, QTimer
from PySide6.QtGui import QColor, QFontDatabase, QShowEvent, QTextCharFormat, QTextCursor
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPlainTextEdit,
    QVBoxLayout,
    QWidget,
)

from .. import theme
from ..models.log import KEPT, Entry, Filter
from ..presenters.context import Context
from .no_wheel import guard

LEVELS = {"info": "Everything", "warning": "Warnings and errors", "error": "Errors"}


class LogView(QWidget):
    """The log with its filter. New lines are added five times a second while it is visible."""

    def __init__(self, context: Context):
        super().__init__()
        self._log = context.diagnostics.log
        self._seen = 0
        self._level = QComboBox(accessibleName="Level of the log lines shown")
        for key, text in LEVELS.items():
            self._level.addItem(text, key)
        self._source = QComboBox(accessibleName="Process whose log lines are shown")
        self._source.addItem("All processes", "")
        self._search = QLineEdit(placeholderText="Search in the log", clearButtonEnabled=True)
        self._search.setAccessibleName("Search in the log")
        self._follow = QCheckBox("Follow", checked=True)
        self._follow.setToolTip("Keep the newest line in sight.")
        self._text = _text_area()
        guard(self._level, self._source)
        self._arrange()
        self._level.currentIndexChanged.connect(self.rebuild)
        self._source.currentIndexChanged.connect(self.rebuild)
        self._search.textChanged.connect(self.rebuild)
        self._timer = QTimer(self, interval=200, singleShot=True)
        self._timer.timeout.connect(self._append)
        context.diagnostics.logged.connect(self._soon)

    def _arrange(self) -> None:
        heading = QLabel("Log")
        theme.role(heading, "heading")
        row = QHBoxLayout()
        row.addWidget(heading)
        row.addStretch()
        for widget in (self._level, self._source, self._search, self._follow):
            row.addWidget(widget)
        self._search.setMinimumWidth(220)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addLayout(row)
        layout.addWidget(self._text)

    def level(self) -> str:
        """The lowest level shown."""
        return str(self._level.currentData())

    def set_level(self, level: str) -> None:
        """Show this level and what is graver."""
        self._level.setCurrentIndex(max(self._level.findData(level), 0))

    def text(self) -> str:
        """What is shown."""
        return self._text.toPlainText()

    def rebuild(self) -> None:
        """Filter the whole log anew."""
        self._text.clear()
        self._seen = 0
        self._append()

    def _soon(self) -> None:
        if self.isVisible() and not self._timer.isActive():
            self._timer.start()

    def _append(self) -> None:
        self._add_sources()
        wanted = Filter(self.level(), self._source.currentData() or "", self._search.text())
        new = [entry for entry in self._log.since(self._seen) if wanted.wants(entry)]
        self._seen = self._log.written
        if not new:
            return
        cursor = QTextCursor(self._text.document())
        cursor.movePosition(QTextCursor.MoveOperation.End)
        cursor.beginEditBlock()
        for entry in new:
            if not self._text.document().isEmpty():
                cursor.insertBlock()
            cursor.insertText(_line(entry), _format(entry.level))
        cursor.endEditBlock()
        if self._follow.isChecked():
            bar = self._text.verticalScrollBar()
            bar.setValue(bar.maximum())

    def _add_sources(self) -> None:
        for source in self._log.sources():
            if self._source.findData(source) < 0:
                self._source.addItem(source.capitalize(), source)

    def showEvent(self, event: QShowEvent) -> None:
        """Catch up."""
        super().showEvent(event)
        self._append()

    def changeEvent(self, event: QEvent) -> None:
        """Take up the theme's colours."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange:
            self.rebuild()


def _text_area() -> QPlainTextEdit:
    text = QPlainTextEdit(readOnly=True, accessibleName="Log")
    text.setMaximumBlockCount(KEPT)
    text.setLineWrapMode(QPlainTextEdit.LineWrapMode.NoWrap)
    text.setUndoRedoEnabled(False)
    text.setTabChangesFocus(True)
    text.setFont(QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont))
    text.setPlaceholderText("Nothing to show. What the workers say appears here.")
    return text


def _line(entry: Entry) -> str:
    clock = time.strftime("%H:%M:%S", time.localtime(entry.time))
    return f"{clock}  {entry.source:10}  {entry.text}".replace("\n", "\n" + 22 * " ")


def _format(level: str) -> QTextCharFormat:
    colours = theme.colours()
    shade = {"error": colours.bad, "warning": colours.warn}.get(level, colours.text)
    style = QTextCharFormat()
    style.setForeground(QColor(shade))
    return style
