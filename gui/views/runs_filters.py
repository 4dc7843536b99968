"""The line above the table of runs: search, study, state, and which columns there are."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from PySide6.QtCore import QTimer, Signal
from PySide6.QtWidgets import QCheckBox, QComboBox, QHBoxLayout, QLineEdit, QPushButton, QWidget

from ..models import run_words as words
from ..models.run_query import Query
from . import no_wheel

EVERYWHERE = "All folders"
STATES: dict[str, tuple[str, ...]] = {
    "All states": (),
    "Running or paused": ("running", "paused"),
    "Can be resumed": words.RESUMABLE,
    **{status.word: (name,) for name, status in words.STATUS.items()},
}
SEARCH_HELP = (
    "Words look anywhere in name, notes, state and settings. Settings and figures compare: "
    "attack.eps=8/255, method.name!=at, drop>5, best>=40, seed=1."
)
TYPING_MS = 120


class RunsFilters(QWidget):
    """Says which runs are to be seen.

    Signals:
        changed: other runs are asked for.
    """

    changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.search = QLineEdit(placeholderText="Search, or compare: attack.eps=8/255  drop>5")
        self.search.setClearButtonEnabled(True)
        self.search.setAccessibleName("Search runs")
        self.search.setToolTip(SEARCH_HELP)
        self.folders = QComboBox()
        self.folders.setAccessibleName("Show runs of this study or folder")
        self.folders.setToolTip("The runs of one study, or of another folder with several runs")
        self.folders.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToContents)
        self.folders.addItem(EVERYWHERE)
        self.folders.hide()
        self.states = QComboBox()
        self.states.setAccessibleName("Show runs in this state")
        self.states.addItems(list(STATES))
        no_wheel.guard(self.folders, self.states)
        self.differing = QCheckBox("Only differing settings")
        self.differing.setToolTip(
            "Of the settings, show those that differ among the runs in the table, all of them."
        )
        self.columns = QPushButton("Columns")
        self.columns.setToolTip("Choose the columns")
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self.search, 1)
        for widget in (self.folders, self.states, self.differing, self.columns):
            row.addWidget(widget)
        self._typing = QTimer(self, interval=TYPING_MS, singleShot=True)
        self._typing.timeout.connect(self.changed)
        self.search.textChanged.connect(self._typing.start)
        self.states.currentIndexChanged.connect(self.tell)
        self.folders.currentIndexChanged.connect(self.tell)

    def asked(self) -> tuple[Query, Collection[str], Collection[str]]:
        """What is searched, the states, and the runs of the folder; all where none is named."""
        keys = self.folders.currentData() or ()
        return Query.parse(self.search.text()), STATES[self.states.currentText()], keys

    def tell(self) -> None:
        """Ask at once, without waiting for more to be typed."""
        self._typing.stop()
        self.changed.emit()

    def clear(self) -> None:
        """Ask for all runs."""
        self.search.clear()
        self.states.setCurrentIndex(0)
        self.folders.setCurrentIndex(0)
        self.tell()

    def offer(self, found: Mapping[str, list[str]]) -> None:
        """Studies come and go, and gain runs; the chosen one stays chosen."""
        wanted = [(EVERYWHERE, None), *found.items()]
        places = range(self.folders.count())
        if wanted == [(self.folders.itemText(n), self.folders.itemData(n)) for n in places]:
            return
        chosen = self.folders.currentText()
        self.folders.blockSignals(True)
        self.folders.clear()
        for name, keys in wanted:
            self.folders.addItem(name, keys)
        self.folders.setCurrentIndex(max(0, self.folders.findText(chosen)))
        self.folders.setVisible(len(found) > 1)
        self.folders.blockSignals(False)
        self.tell()

    def state(self) -> dict[str, Any]:
        """Search, state and columns; studies may be gone the next time."""
        return {
            "search": self.search.text(),
            "states": self.states.currentText(),
            "differing": self.differing.isChecked(),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """The inverse; what makes no sense is passed over."""
        self.search.setText(str(state.get("search", "")))
        self.states.setCurrentIndex(max(0, self.states.findText(str(state.get("states", "")))))
        self.differing.setChecked(state.get("differing") is True)
        self.tell()
