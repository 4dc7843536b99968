"""The Diagnostics screen: processes, versions, log, and a report to send along."""

from __future__ import annotations

import pathlib
import time
from typing import Any

from PySide6.QtCore import QEvent, Qt, QTimer
from PySide6.QtGui import QColor, QGuiApplication, QHideEvent, QShowEvent
from PySide6.QtWidgets import (
    QFileDialog,
    QHBoxLayout,
    QHeaderView,
    QLabel,
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
from ..presenters.context import Context
from ..presenters.diagnostics import WorkerState, sentence
from .log_view import LogView
from .screen import Screen

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


def _titled(title: str, widget: QWidget) -> QVBoxLayout:
    heading = QLabel(title)
    theme.role(heading, "heading")
    heading.setBuddy(widget)
    column = QVBoxLayout()
    column.addWidget(heading)
    column.addWidget(widget)
    return column


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
