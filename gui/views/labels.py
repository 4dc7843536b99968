"""The Labels screen: which labels moved, how each one did over the epochs, and a data map."""

from __future__ import annotations

import functools
import pathlib
from html import escape
from typing import Any

import numpy as np
from PySide6.QtCore import QEvent, Qt
from PySide6.QtGui import QPixmap
from PySide6.QtWidgets import (
    QFileDialog,
    QHBoxLayout,
    QLabel,
    QMessageBox,
    QPushButton,
    QSplitter,
    QTabWidget,
    QVBoxLayout,
    QWidget,
)

from slr_keras.run_folder import write_atomically

from .. import theme
from ..actions import Action
from ..models import label_history, pictures
from ..models.comparison import Line
from ..models.label_history import History
from ..models.run_words import percent
from ..presenters.context import Context
from ..presenters.labels import LabelsPresenter
from .compare_charts import ClassChart, CurvesChart, Shown
from .image_view import to_qimage
from .label_charts import MapChart, MatrixChart
from .run_box import DATED, RunBox
from .screen import Screen
from .text_table import TextTable

SIDE = 160
SUSPECT = (
    "Ranked by how far the label bank has moved each label from the given one. The network has "
    "trained on these very samples, so this says “suspect”, not “wrong”."
)
HEADER = ("", "sample", "given", "next", "left to given", "before noise")


class LabelsScreen(Screen):
    """How labels were softened, and which of them are suspected."""

    name = "labels"
    title = "Labels"

    def __init__(self, context: Context):
        super().__init__(context)
        self.presenter = LabelsPresenter(context, self)
        self._order = np.zeros(0, int)
        self._build()
        self.presenter.changed.connect(self._show)
        self.presenter.marked.connect(self._fill_table)
        context.runs_changed.connect(lambda _: self._offer())
        context.show_labels.connect(self._show_run)
        self._dress()
        self._show()

    # -- building -----------------------------------------------------------------------------

    def _build(self) -> None:
        self.about = QLabel(wordWrap=True)
        theme.role(self.about, "muted")
        self.table = TextTable("Samples, the most suspected first")
        self.table.setSelectionBehavior(TextTable.SelectionBehavior.SelectRows)
        self.table.setSelectionMode(TextTable.SelectionMode.SingleSelection)
        self.table.selectionModel().currentRowChanged.connect(lambda *_: self._show_sample())
        self.table.doubleClicked.connect(lambda _: self._mark())
        self.map, self.matrix = MapChart(), MatrixChart()
        self.map.chosen.connect(self._choose)
        self.tabs = QTabWidget()
        self.tabs.setDocumentMode(True)
        for text, page in (
            ("Suspects", self.table), ("Data map", self.map), ("Class to class", self.matrix)
        ):  # fmt: skip
            self.tabs.addTab(page, text)
        self.tabs.currentChanged.connect(lambda _: self._draw())
        self.splitter = QSplitter(Qt.Orientation.Horizontal)
        self.splitter.addWidget(self.tabs)
        self.splitter.addWidget(self._sample())
        self.splitter.setSizes([640, 460])
        self.splitter.setChildrenCollapsible(False)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(16, 12, 16, 12)
        layout.setSpacing(8)
        layout.addLayout(self._head())
        layout.addWidget(self.about)
        layout.addWidget(self.splitter, 1)
        layout.addStretch()  # takes the room of what is hidden

    def _head(self) -> QHBoxLayout:
        title = QLabel(self.title)
        theme.role(title, "title")
        self.run = RunBox("Run whose labels are shown")
        self.run.setMinimumContentsLength(DATED)
        self.run.activated.connect(lambda _: self.presenter.show(self.run.path))
        self.mark = QPushButton("Mark")
        self.mark.setToolTip("Mark the chosen sample, or take the mark away (double click)")
        self.mark.clicked.connect(self._mark)
        self.export = QPushButton("Export marks…")
        self.export.setToolTip("Save the marked samples as CSV: index, given, suggested, suspicion")
        self.export.clicked.connect(self._ask_export)
        row = QHBoxLayout()
        row.setSpacing(8)
        row.addWidget(title)
        row.addWidget(self.run)
        row.addStretch(1)
        row.addWidget(self.mark)
        row.addWidget(self.export)
        return row

    def _sample(self) -> QWidget:
        self.picture = QLabel(alignment=Qt.AlignmentFlag.AlignCenter)
        self.picture.setFixedSize(SIDE, SIDE)
        self.picture.setAccessibleName("Picture of the chosen sample")
        self.words = QLabel(wordWrap=True)
        self.words.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        top = QHBoxLayout()
        top.addWidget(self.picture)
        top.addWidget(self.words, 1)
        self.history = CurvesChart()
        self.bars = ClassChart()
        side = QWidget()
        column = QVBoxLayout(side)
        column.setContentsMargins(8, 0, 0, 0)
        column.addLayout(top)
        column.addWidget(self.history, 1)
        column.addWidget(self.bars, 1)
        return side

    # -- what is shown ------------------------------------------------------------------------

    def _show(self) -> None:
        found = self.presenter.history
        self.splitter.setVisible(found is not None)
        for button in (self.mark, self.export):
            button.setVisible(found is not None)
        self._order = found.ranking if found else np.zeros(0, int)
        text = f"{SUSPECT} {found.self_test()}" if found else ""
        problem = self.presenter.problem
        self.about.setText(f"{problem} {text}".strip())
        self._fill_table()
        if found and not self.table.currentIndex().isValid():
            self.table.selectRow(0)
        self._draw()
        self._show_sample()

    def _fill_table(self) -> None:
        found = self.presenter.history
        if found is None:
            self.table.show_rows((), [])
            return
        planted = bool(found.wrong.any())
        row = functools.partial(_row, found, found.suggested, 1 - found.suspicion, planted)
        chosen = self.table.currentIndex().row()
        makers = [
            functools.partial(row, int(sample), self.presenter.marks) for sample in self._order
        ]
        self.table.show_rows(HEADER if planted else HEADER[:-1], makers)
        if chosen >= 0:
            self.table.selectRow(chosen)
        self.export.setEnabled(bool(self.presenter.marks))

    def _draw(self) -> None:
        """The tab in front."""
        found = self.presenter.history
        if found is None:
            return
        if self.tabs.currentWidget() is self.map:
            self.map.show_samples(found)
        elif self.tabs.currentWidget() is self.matrix:
            self.matrix.show_table(found)

    @property
    def sample(self) -> int | None:
        """The chosen one."""
        row = self.table.currentIndex().row()
        return int(self._order[row]) if 0 <= row < len(self._order) else None

    def _choose(self, sample: int) -> None:
        places = np.flatnonzero(self._order == sample)
        if len(places):
            self.table.selectRow(int(places[0]))

    def _show_sample(self) -> None:
        found, sample = self.presenter.history, self.sample
        if found is None or sample is None:
            return
        given, next_ = int(found.given[sample]), int(found.suggested[sample])
        self._show_picture(found, sample)
        said = f"<b>Sample {int(found.index[sample])}</b><br>given: {escape(found.name(given))}"
        if found.wrong.any():
            said += f"<br>before noise: {escape(found.name(int(found.true[sample])))}"
        self.words.setText(said)
        c, rows = theme.colours(), found.rows[:, sample].astype("float32")
        lines = [
            (Shown("given", f"given: {found.name(given)}", c.clean), given),
            (Shown("next", f"next: {found.name(next_)}", c.robust), next_),
        ]
        epochs = found.epochs.astype(float)
        drawn = [(shown, Line(epochs, 100 * rows[:, label])) for shown, label in lines]
        self.history.whole = True
        title = f"Soft label: {found.name(given)} (blue), {found.name(next_)} (orange)"
        self.history.show_over(drawn, "epoch", title, " %")
        one_hot = np.eye(rows.shape[-1])[given]
        bars = [
            (Shown("given", "given", c.clean), [100 * float(p) for p in one_hot]),
            (Shown("soft", "refined", c.robust), [100 * float(p) for p in rows[-1]]),
        ]
        names = [found.name(label) for label in range(rows.shape[-1])]
        long = "Given (blue) and refined distribution (orange)"
        self.bars.show_bars(bars, names, long, "Refined distribution")

    def _show_picture(self, found: History, sample: int) -> None:
        if sample >= len(found.images):
            self.picture.setText("no picture kept")
            return
        image = to_qimage(pictures.to_bytes(found.images[sample] / np.float32(255)))
        mode = Qt.AspectRatioMode.KeepAspectRatio
        self.picture.setPixmap(QPixmap.fromImage(image.scaled(SIDE, SIDE, mode)))

    # -- marks --------------------------------------------------------------------------------

    def _mark(self) -> None:
        if self.sample is not None:
            self.presenter.toggle(self.sample)

    def _ask_export(self) -> None:
        chosen, _ = QFileDialog.getSaveFileName(self, "Export marks", "marks.csv", "CSV (*.csv)")
        if chosen:
            self.save_marks(pathlib.Path(chosen))

    def save_marks(self, path: pathlib.Path) -> None:
        """Write the marked samples as a table; says why not if it cannot."""
        found = self.presenter.history
        if found is None:
            return
        try:
            write_atomically(path, label_history.marks_csv(found, self.presenter.marks).encode())
        except OSError as error:
            text = f"{path} could not be saved: {error.strerror}. Choose another place."
            QMessageBox.warning(self, "Not saved", text)
        else:
            self.context.message.emit(f"Saved {path}.")

    # -- the window's part --------------------------------------------------------------------

    def _offer(self) -> None:
        if not self.isVisible():
            return
        runs = self.presenter.runs()
        self.run.offer((record.name, record.key) for record in runs)
        self.run.setVisible(bool(runs))
        if self.presenter.path:
            self.run.choose(self.presenter.path)
            self.presenter.look()
        elif runs:
            self.presenter.show(self.run.path)

    def _show_run(self, path: str) -> None:
        self.presenter.show(path)
        self.context.go_to.emit(self.name)

    def actions_table(self) -> list[Action]:
        """What can be done with the chosen sample."""
        chosen = lambda: self.isVisible() and self.sample is not None  # noqa: E731
        some = lambda: self.isVisible() and bool(self.presenter.marks)  # noqa: E731
        return [
            Action("labels.mark", "Mark the sample", self._mark, "View", "Ctrl+M", chosen,
                   "Remember a suspected label, or take its mark away."),
            Action("labels.export", "Export marked samples…", self._ask_export, "View", "", some,
                   "Save index, given and suggested class of the marked samples as CSV."),
        ]  # fmt: skip

    def shown(self) -> None:
        """Offer the runs that are there now."""
        self._offer()

    def state(self) -> dict[str, Any]:
        """The run and the tab."""
        return {"path": self.presenter.path, "tab": self.tabs.currentIndex()}

    def restore(self, state: dict[str, Any]) -> None:
        """The inverse of ``state``; passes over what it cannot use."""
        path, tab = state.get("path"), state.get("tab")
        if isinstance(path, str) and path:
            self.presenter.show(path)
        if isinstance(tab, int) and 0 <= tab < self.tabs.count():
            self.tabs.setCurrentIndex(tab)

    def changeEvent(self, event: QEvent) -> None:
        """Follow the theme."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange and hasattr(self, "bars"):
            self._dress()
            self._draw()
            self._show_sample()

    def _dress(self) -> None:
        for chart in (self.map, self.matrix, self.history, self.bars):
            chart.dress(theme.colours())


def _row(
    found: History,
    suggested: np.ndarray,
    left: np.ndarray,
    planted: bool,
    sample: int,
    marks: set[int],
) -> list[str]:
    given, true = int(found.given[sample]), int(found.true[sample])
    cells = [
        "★" if sample in marks else "",
        str(int(found.index[sample])),
        found.name(given),
        found.name(int(suggested[sample])),
        percent(float(left[sample])),
    ]
    return [*cells, "" if true == given else found.name(true)] if planted else cells
