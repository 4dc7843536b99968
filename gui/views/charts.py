"""The charts of one or more runs: accuracy, robust generalisation gap, label softness, loss."""

from __future__ import annotations

import pathlib
from collections.abc import Sequence
from functools import partial
from typing import Any

from PySide6.QtCore import QEvent, QPoint, Qt, QTimer, Signal
from PySide6.QtGui import QResizeEvent, QShowEvent
from PySide6.QtWidgets import QBoxLayout, QLabel, QMenu, QStackedWidget, QVBoxLayout, QWidget

from slr_keras.protocol.events import BatchEnded, EpochEnded
from slr_keras.run_folder import write_atomically

from .. import theme
from ..actions import Action
from ..models.curves import GAP
from ..models.curves_csv import Shown, tidy_csv
from ..models.run_record import RunRecord
from ..models.shown import ShownRuns
from . import figure, saving
from .chart_controls import ChartControls
from .chart_drawing import OWN_MARKS
from .chart_grid import ChartGrid
from .chart_headline import Headline, sentences
from .chart_looks import SERIES, Looks
from .diagnosis_card import DiagnosisCard
from .legend import Legend

REPAINT_MS = 100
EMPTY = "Start a run or choose one under Runs; its accuracy appears here after the first epoch."
SMALL = (GAP, "label_entropy", "label_agreement", "loss", "learning_rate")


class ChartsPanel(QWidget):
    """Charts of runs, live or finished.

    Signals:
        message: a sentence for the window's foot, as "Saved ...".
    """

    message = Signal(str)

    def __init__(self, parent: QWidget | None = None):
        super().__init__(parent)
        self.setAccessibleName("Charts")
        self.runs = ShownRuns()
        self.looks = Looks(self.runs)
        self._dirty = True
        self._build()
        self._dress()
        self._timer = QTimer(self)
        self._timer.setInterval(REPAINT_MS)
        self._timer.timeout.connect(self._repaint_if_dirty)
        self._timer.start()
        self._draw()

    # -- what others call ---------------------------------------------------------------------

    def set_runs(self, records: Sequence[RunRecord]) -> None:
        """Show these runs, the first as main; what is shown already keeps its live epochs."""
        if self.runs.show(records):
            self.grid.leave()
            self.controls.follow.setChecked(True)
        self._repaint_now()

    def refresh(self) -> None:
        """Take what the records have gained, and draw."""
        self.runs.take()
        self._repaint_now()

    def epoch(self, path: str, event: EpochEnded) -> None:
        """An epoch of a run ended; passed over if the run is not shown."""
        self._dirty |= self.runs.epoch(path, event)

    def batch(self, event: BatchEnded, path: str = "") -> None:
        """A batch ended, of the main run unless a path is given."""
        self._dirty |= self.runs.batch(event, path)

    def toggle_series(self, key: str) -> None:
        """Hide an accuracy of all runs, or show it again."""
        self.looks.toggle(key)
        self._repaint_now()

    def state(self) -> dict[str, Any]:
        """Plain values that restore the looks of the panel."""
        smoothing = {"smoothing": self.controls.smoothing.value()}
        return {**self.looks.state(), **smoothing, **self.grid.state()}

    def restore(self, state: dict[str, Any]) -> None:
        """The inverse of ``state``; passes over what it cannot use."""
        self.looks.restore(state)
        if isinstance(state.get("smoothing"), int):
            self.controls.smoothing.setValue(state["smoothing"])
        self.grid.restore(state)
        self._repaint_now()

    def actions_table(self) -> list[Action]:
        """What can be done with the charts."""
        slider = self.controls.smoothing
        some = lambda: bool(self.runs)  # noqa: E731
        hide = [
            Action(f"charts.series_{number}", f"Show or hide “{series.text}”",
                   partial(self.toggle_series, series.key), "Charts", f"Alt+{number}", some,
                   "Of all shown runs; a hidden series is not exported either.")
            for number, series in enumerate(SERIES, 1)
        ]  # fmt: skip
        return [
            Action("charts.export_data", "Export chart data…", self.ask_csv,
                   "Charts", "Ctrl+Shift+D", some,
                   "Save all visible series of all shown runs as one CSV table."),
            Action("charts.export_figure", "Export figure…", self.ask_figure,
                   "Charts", "Ctrl+Shift+G", some,
                   "Save the charts with legend and labels as PNG or SVG."),
            Action("charts.follow", "Follow new epochs", self.controls.follow.toggle,
                   "Charts", "Ctrl+Shift+F", some,
                   "Show all epochs and keep up with new ones; panning switches it off."),
            *hide,
            Action("charts.smoother", "Smooth curves more",
                   lambda: slider.setValue(slider.value() + 1), "Charts", "Ctrl+Shift+Up", some,
                   "Draw the mean over more evaluations; the measured values stay visible."),
            Action("charts.rougher", "Smooth curves less",
                   lambda: slider.setValue(slider.value() - 1), "Charts", "Ctrl+Shift+Down", some,
                   "Draw the mean over fewer evaluations."),
        ]  # fmt: skip

    # -- export -------------------------------------------------------------------------------

    def export_csv(self, path: str | pathlib.Path) -> None:
        """Write all visible series of all shown runs as one table; raises OSError."""
        keys = [*(series.key for series in self.looks.series), *SMALL]
        runs = (Shown(run.label, run.path, run.curves, keys) for run in self.runs.visible)
        write_atomically(pathlib.Path(path), tidy_csv(runs).encode())

    def export_figure(self, path: str | pathlib.Path) -> None:
        """Write the charts as they stand, on white, as .png or .svg.

        Raises:
            ValueError: another suffix.
            OSError: it cannot be written.
        """
        target, crossed = pathlib.Path(path), self.grid.crossed
        self.grid.leave()
        self._change_colours(theme.LIGHT, figure.pen_scale(target))
        try:
            figure.save(self._figure(), target, self.looks.colours, self.font())
        finally:
            self._change_colours(theme.colours())
            if crossed is not None:
                self.grid.cross(crossed)

    def _figure(self) -> figure.Figure:
        title = self.runs[0].label if len(self.runs) == 1 else ""
        legend = [self._series_legend.entries]
        if self.runs.many:
            legend.append(self._runs_legend.entries)
        told = "\n".join(text for text, _ in sentences(self.runs.visible))
        return figure.Figure(title, told, legend, self.grid.places(), self.grid.size())

    def ask_csv(self) -> None:
        """Ask for a file and write the data there."""
        self._ask("Export chart data", ".csv", "CSV table (*.csv)", self.export_csv)

    def ask_figure(self) -> None:
        """Ask for a file and write the figure there."""
        self._ask("Export figure", ".png", saving.FIGURES, self.export_figure)

    def _ask(self, title: str, suffix: str, kinds: str, write: saving.Write) -> None:
        name = pathlib.Path(self.runs[0].path).name if self.runs else "charts"
        saving.ask(self, title, name + suffix, kinds, write, self.message.emit)

    # -- parts --------------------------------------------------------------------------------

    def _build(self) -> None:
        self._headline = Headline()
        self.diagnosis = DiagnosisCard()
        self._series_legend = Legend("Series")
        self._runs_legend = Legend("Runs")
        self._series_legend.toggled.connect(self._series_toggled)
        self._runs_legend.toggled.connect(self._run_toggled)
        self.controls = ChartControls()
        self.controls.changed.connect(self._repaint_now)
        self.controls.data_wanted.connect(self.ask_csv)
        self.controls.figure_wanted.connect(self.ask_figure)
        self.grid = ChartGrid(self.runs, self.looks)
        self.grid.by_hand.connect(lambda: self.controls.follow.setChecked(False))
        self.grid.moved.connect(self._moved)
        self.grid.menu_wanted.connect(self._menu)
        bar = self._bar = QBoxLayout(QBoxLayout.Direction.LeftToRight)
        bar.setSpacing(8)
        bar.addWidget(self._series_legend, 1)
        bar.addWidget(self.controls, 0, Qt.AlignmentFlag.AlignTop | Qt.AlignmentFlag.AlignLeft)
        page = QWidget()
        inner = QVBoxLayout(page)
        inner.setContentsMargins(0, 0, 0, 0)
        inner.setSpacing(4)
        inner.addWidget(self.diagnosis)
        inner.addWidget(self._headline)
        inner.addLayout(bar)
        inner.addWidget(self._runs_legend)
        inner.addWidget(self.grid, 1)
        self._empty = QLabel(EMPTY, alignment=Qt.AlignmentFlag.AlignCenter, wordWrap=True)
        self._pages = QStackedWidget()
        self._pages.addWidget(self._empty)
        self._pages.addWidget(page)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.addWidget(self._pages)

    def _moved(self) -> None:
        self._dirty = True

    def _menu(self, position: QPoint) -> None:
        """What a right click offers."""
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        follow = menu.addAction("Show all epochs and follow")
        follow.triggered.connect(lambda: self.controls.follow.setChecked(True))
        follow.setEnabled(not self.controls.follow.isChecked())
        menu.addSeparator()
        for series in SERIES:
            action = menu.addAction(series.text)
            action.setCheckable(True)
            action.setChecked(series.key not in self.looks.hidden)
            action.triggered.connect(lambda _=False, key=series.key: self.toggle_series(key))
        menu.addSeparator()
        menu.addAction("Export data as CSV…", self.ask_csv)
        menu.addAction("Export figure as PNG or SVG…", self.ask_figure)
        menu.popup(position)

    def _series_toggled(self, key: str, shown: bool) -> None:
        if shown == (key in self.looks.hidden):
            self.looks.toggle(key)
        self._repaint_now()

    def _run_toggled(self, path: str, shown: bool) -> None:
        run = self.runs.find(path)
        if run is not None:
            run.hidden = not shown
        self._repaint_now()

    # -- when to draw -------------------------------------------------------------------------

    def showEvent(self, event: QShowEvent) -> None:
        """What happened while it was hidden is drawn now."""
        super().showEvent(event)
        self._repaint_if_dirty()

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Where the legend would need three rows beside the controls, it stands above them."""
        super().resizeEvent(event)
        two_rows = 0.6 * self._series_legend.one_row()
        narrow = self.width() < self.controls.sizeHint().width() + two_rows
        way = QBoxLayout.Direction.TopToBottom if narrow else QBoxLayout.Direction.LeftToRight
        self._bar.setDirection(way)

    def changeEvent(self, event: QEvent) -> None:
        """Follow the theme."""
        super().changeEvent(event)
        ready = event.type() == QEvent.Type.PaletteChange and hasattr(self, "_timer")
        if ready and self.looks.colours is not theme.colours():  # it comes more than once
            self.looks.colours = theme.colours()
            self._dress()
            self._repaint_now()

    def _change_colours(self, colours: theme.Colours, pen_scale: float = 1.0) -> None:
        self.looks.colours = colours
        self._dress(pen_scale)
        self._draw()

    def _dress(self, pen_scale: float = 1.0) -> None:
        self.grid.dress(pen_scale)
        theme.role(self._empty, "muted")

    def _repaint_if_dirty(self) -> None:
        if self._dirty and self.isVisible():
            self._draw()

    def _repaint_now(self) -> None:
        self._dirty = True
        self._repaint_if_dirty()

    def _draw(self) -> None:
        self._dirty = False
        self._pages.setCurrentIndex(1 if self.runs.started else 0)
        self._empty.setText(self._why_empty())
        if not self.runs.started:
            return
        if self.controls.follow.isChecked():
            self.grid.fit()
        self.grid.draw(self.controls.averaged)
        self._show_words()

    def _why_empty(self) -> str:
        problems = [run.record.problem for run in self.runs if run.record.problem]
        waiting = "The first epoch has not ended yet; accuracy appears here after it."
        return EMPTY if not self.runs else problems[0] if problems else waiting

    def _show_words(self) -> None:
        """Headline, diagnoses and legends."""
        shown, colours = self.runs.visible, self.looks.colours
        told = shown[0].record.diagnoses if len(shown) == 1 else []
        self.diagnosis.show_diagnoses([d for d in told if d.diagnosis not in OWN_MARKS])
        self._headline.show_runs(shown, colours)
        self._series_legend.show_entries(self.looks.entries(), colours)
        self._runs_legend.setVisible(self.runs.many)
        if self.runs.many:
            self._runs_legend.show_entries(self.looks.entries_of_runs(self.runs), colours)
