"""The Diagnostics screen: processes, versions, log, and a report to send along."""

from __future__ import annotations

import pathlib
import time
from typing import Any

from PySide6.QtCore import QEvent, Qt, QTimer
from PySide6.QtGui import (
    QColor,
    QFontDatabase,
    QGuiApplication,
    QHideEvent,
    QShowEvent,
    QTextCharFormat,
    QTextCursor,
)
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QFileDialog,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QLineEdit,
    QPlainTextEdit,
    QPushButton,
    QTableWidget,
    QTableWidgetItem,
    QTreeWidget,
    QTreeWidgetItem,
    QVBoxLayout,
    QWidget,
)

from .. import theme
from ..actions import Action
from ..models.log import KEPT, Entry, Filter
from ..presenters.context import Context
from ..presenters.diagnostics import WorkerState, sentence
from .no_wheel import guard
from .screen import Screen

LEVELS = {"info": "Everything", "warning": "Warnings and errors", "error": "Errors"}
HEADINGS = ("Process", "State", "Process ID", "Memory", "Up for", "Restarts")


class DiagnosticsScreen(Screen):
    """What to look at when something is wrong."""

    name = "diagnostics"
    title = "Diagnostics"

    def __init__(self, context: Context):
        super().__init__(context)
        self._facts = context.diagnostics
        self.log = LogView(context)
        self._processes = self._process_table()
        self._versions = self._facts_tree()
        self._clock = QTimer(self, interval=1000)
        self._clock.timeout.connect(self._fill_processes)
        self._facts.changed.connect(self._fill_if_visible)
        top = QHBoxLayout()
        top.addLayout(_titled("Processes", self._processes), 3)
        top.addLayout(_titled("Versions and system", self._versions), 2)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(16, 12, 16, 12)
        layout.setSpacing(12)
        layout.addLayout(self._head())
        layout.addLayout(top, 3)
        layout.addWidget(self.log, 4)

    def _head(self) -> QHBoxLayout:
        row = QHBoxLayout()
        title = QLabel(self.title)
        theme.role(title, "title")
        row.addWidget(title)
        row.addStretch()
        for action in self.actions_table():
            button = QPushButton(action.text)
            button.setToolTip(action.help)
            button.clicked.connect(lambda _=False, run=action.run: run())
            row.addWidget(button)
        return row

    def actions_table(self) -> list[Action]:
        """Report and restart."""
        return [
            Action(
                "diagnostics.restart_lab",
                "Restart the attack lab",
                self.context.lab.restart,
                menu="Attack",
                help="End the lab's process and start a new one; models and image come back.",
            ),
            Action(
                "diagnostics.copy",
                "Copy the report",
                self.copy_report,
                menu="Help",
                help="Put log, versions and settings on the clipboard.",
            ),
            Action(
                "diagnostics.save",
                "Save the report…",
                self.ask_and_save,
                menu="Help",
                help="Write log, versions and settings to a text file, to send with a question.",
            ),
        ]

    # -- report -------------------------------------------------------------------------------

    def copy_report(self) -> None:
        """Put the report on the clipboard."""
        QGuiApplication.clipboard().setText(self._facts.report())
        self.context.message.emit("The report is on the clipboard. It holds no images or weights.")

    def ask_and_save(self) -> None:
        """Ask for a file and write the report."""
        name = f"slr-keras-report-{time.strftime('%Y%m%d-%H%M%S')}.txt"
        path, _ = QFileDialog.getSaveFileName(self, "Save the report", name, "Text (*.txt)")
        if path:
            self.save_report(pathlib.Path(path))

    def save_report(self, path: pathlib.Path) -> None:
        """Write the report, copy it, and say where it is."""
        report = self._facts.report()
        QGuiApplication.clipboard().setText(report)
        try:
            path.write_text(report, encoding="utf-8")
        except OSError as error:
            self.context.message.emit(
                f"The report could not be written to {path}: {error.strerror}. "
                "It is on the clipboard instead."
            )
        else:
            self.context.message.emit(f"The report is in {path} and on the clipboard.")

    # -- processes and versions ---------------------------------------------------------------

    def _process_table(self) -> QTableWidget:
        table = QTableWidget(0, len(HEADINGS))
        table.setHorizontalHeaderLabels(HEADINGS)
        table.setAccessibleName("Processes of the app")
        table.setEditTriggers(QTableWidget.EditTrigger.NoEditTriggers)
        table.setSelectionBehavior(QTableWidget.SelectionBehavior.SelectRows)
        table.verticalHeader().hide()
        table.verticalHeader().setDefaultSectionSize(28)
        table.setShowGrid(False)
        header = table.horizontalHeader()
        header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        header.setHighlightSections(False)
        header.setDefaultAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        return table

    def _facts_tree(self) -> QTreeWidget:
        tree = QTreeWidget()
        tree.setColumnCount(2)
        tree.setHeaderHidden(True)
        tree.setRootIsDecorated(False)
        tree.setAccessibleName("Versions, system and folders")
        tree.header().setSectionResizeMode(0, QHeaderView.ResizeMode.ResizeToContents)
        return tree

    def shown(self) -> None:
        """Read everything anew."""
        self._fill_processes()
        self._fill_facts()

    def _fill_if_visible(self) -> None:
        if self.isVisible():
            self.shown()

    def _fill_processes(self) -> None:
        states = self._facts.states()
        self._processes.setRowCount(len(states))
        for row, state in enumerate(states):
            for column, text in enumerate(_cells(state)):
                item = QTableWidgetItem(text)
                item.setForeground(QColor(_colour(state) if column == 1 else theme.colours().text))
                if column > 1:
                    item.setTextAlignment(
                        Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
                    )
                self._processes.setItem(row, column, item)

    def _fill_facts(self) -> None:
        self._versions.clear()
        for rows in (self._facts.versions(), self._facts.system(), self._facts.folders()):
            for name, value in rows.items():
                item = QTreeWidgetItem([name, value])
                item.setForeground(0, QColor(theme.colours().muted))
                item.setToolTip(1, value)
                self._versions.addTopLevelItem(item)

    def showEvent(self, event: QShowEvent) -> None:
        """The clock of the table runs while it is seen."""
        super().showEvent(event)
        self._clock.start()

    def hideEvent(self, event: QHideEvent) -> None:
        """See ``showEvent``."""
        super().hideEvent(event)
        self._clock.stop()

    def changeEvent(self, event: QEvent) -> None:
        """Take up the theme's colours."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange:
            self._fill_if_visible()

    def state(self) -> dict[str, Any]:
        """The filter's level."""
        return {"level": self.log.level()}

    def restore(self, state: dict[str, Any]) -> None:
        """See ``state``."""
        self.log.set_level(str(state.get("level", "info")))


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


def _titled(title: str, widget: QWidget) -> QVBoxLayout:
    heading = QLabel(title)
    theme.role(heading, "heading")
    heading.setBuddy(widget)
    column = QVBoxLayout()
    column.addWidget(heading)
    column.addWidget(widget)
    return column


def _line(entry: Entry) -> str:
    clock = time.strftime("%H:%M:%S", time.localtime(entry.time))
    return f"{clock}  {entry.source:10}  {entry.text}".replace("\n", "\n" + 22 * " ")


def _format(level: str) -> QTextCharFormat:
    colours = theme.colours()
    shade = {"error": colours.bad, "warning": colours.warn}.get(level, colours.text)
    style = QTextCharFormat()
    style.setForeground(QColor(shade))
    return style


def _cells(state: WorkerState) -> list[str]:
    memory = f"{state.memory_mb:.0f} MB" if state.memory_mb else ""
    pid = str(state.pid) if state.pid else ""
    return [
        state.name.capitalize(),
        state.state.capitalize(),
        pid,
        memory,
        sentence(state),
        str(state.restarts),
    ]


def _colour(state: WorkerState) -> str:
    colours = theme.colours()
    known = {"running": colours.good, "silent": colours.warn, "failed": colours.bad}
    return known.get(state.state, colours.muted)
