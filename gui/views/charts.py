"""The charts of one or more runs: accuracy, robust generalisation gap, label softness, loss."""

from __future__ import annotations

import dataclasses
import math
import pathlib
from collections.abc import Callable, Iterable, Sequence
from html import escape
from typing import Any

import numpy as np
from PySide6.QtCore import QEvent, QPoint, Qt, QTimer, Signal
from PySide6.QtGui import QColor, QResizeEvent, QShowEvent
from PySide6.QtWidgets import (
    QBoxLayout,
    QFileDialog,
    QLabel,
    QMenu,
    QMessageBox,
    QSplitter,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from slr_keras.analysis import onset
from slr_keras.protocol.events import BatchEnded, EpochEnded
from slr_keras.run_folder import write_atomically

from .. import theme
from ..actions import Action
from ..models.curves import GAP, Shown, tidy_csv
from ..models.run_store import RunRecord
from ..models.shown import ShownRun, ShownRuns
from . import figure, readout
from .chart_controls import ChartControls
from .diagnosis_card import DiagnosisCard
from .legend import Entry, Legend
from .plots import Chart, Mark, Pen

REPAINT_MS = 100
FINE = 3000  # so many points on screen are drawn antialiased and two pixels wide
POINTS = 20_000  # points on screen, all curves together
OWN_MARKS = ("robust_overfitting",)  # the charts say it themselves
BANDS = 4  # with more runs, bands and onset lines cover each other
EMPTY = "Start a run or choose one under Runs; its accuracy appears here after the first epoch."
HARD = "Hard labels: nothing softens them."
ENTROPY = ("Label entropy (nats)", "Label entropy", "Entropy")
SOFTNESS = (
    "Label entropy (nats), agreement dashed",
    "Entropy (nats), – – agreement",
    "Entropy, – – agreement",
    "Label entropy",
    "Entropy",
)
_SOLID, _DASH = Qt.PenStyle.SolidLine, Qt.PenStyle.DashLine
_DOT, _DASH_DOT = Qt.PenStyle.DotLine, Qt.PenStyle.DashDotLine


@dataclasses.dataclass(frozen=True)
class Series:
    """One of the four accuracies: hue and dash with one run, dash alone with several."""

    key: str
    text: str
    hue: str
    dash: Qt.PenStyle
    dash_of_many: Qt.PenStyle


SERIES = (
    Series("val_robust_accuracy", "Robust, validation", "robust", _SOLID, _SOLID),
    Series("train_robust_accuracy", "Robust, training", "robust", _DASH, _DASH),
    Series("val_accuracy", "Clean, validation", "clean", _SOLID, _DOT),
    Series("train_accuracy", "Clean, training", "clean", _DASH, _DASH_DOT),
)
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
        self._hidden_of_one: set[str] = set()
        self._hidden_of_many = {series.key for series in SERIES[1:]}
        self._colours = theme.colours()
        self._dirty = True
        self._syncing = False
        self._epoch: int | None = None
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
            self._leave()
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
        self._hidden.symmetric_difference_update({key})
        self._repaint_now()

    def state(self) -> dict[str, Any]:
        """Plain values that restore the looks of the panel."""
        return {
            "hidden": sorted(self._hidden_of_one),
            "hidden_of_many": sorted(self._hidden_of_many),
            "smoothing": self.controls.smoothing.value(),
            "rows": self._rows.sizes(),
            "columns": self._columns.sizes(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """The inverse of ``state``; passes over what it cannot use."""
        known = {series.key for series in SERIES}
        hidden = {"hidden": self._hidden_of_one, "hidden_of_many": self._hidden_of_many}
        for name, keys in hidden.items():
            saved = state.get(name)
            if isinstance(saved, list):
                keys.clear()
                keys.update(known.intersection(map(str, saved)))
        if isinstance(state.get("smoothing"), int):
            self.controls.smoothing.setValue(state["smoothing"])
        for name, splitter in (("rows", self._rows), ("columns", self._columns)):
            saved = state.get(name)
            sizes = [s for s in saved if isinstance(s, int)] if isinstance(saved, list) else []
            if len(sizes) == splitter.count() and sum(sizes) > 0:
                splitter.setSizes(sizes)
        self._repaint_now()

    def actions_table(self) -> list[Action]:
        """What can be done with the charts."""

        def action(name: str, text: str, keys: str, run: Callable[[], object], help: str) -> Action:
            return Action(
                f"charts.{name}", text, run, "Charts", keys, lambda: bool(self.runs), help
            )

        slider = self.controls.smoothing
        hide = [
            action(
                f"series_{number}",
                f"Show or hide “{series.text}”",
                f"Alt+{number}",
                lambda key=series.key: self.toggle_series(key),  # type: ignore[misc]
                "Of all shown runs; a hidden series is not exported either.",
            )
            for number, series in enumerate(SERIES, 1)
        ]
        return [
            action(
                "export_data",
                "Export chart data…",
                "Ctrl+Shift+D",
                self.ask_csv,
                "Save all visible series of all shown runs as one CSV table.",
            ),
            action(
                "export_figure",
                "Export figure…",
                "Ctrl+Shift+G",
                self.ask_figure,
                "Save the charts with legend and labels as PNG or SVG.",
            ),
            action(
                "follow",
                "Follow new epochs",
                "Ctrl+Shift+F",
                self.controls.follow.toggle,
                "Show all epochs and keep up with new ones; panning switches it off.",
            ),
            *hide,
            action(
                "smoother",
                "Smooth curves more",
                "Ctrl+Shift+Up",
                lambda: slider.setValue(slider.value() + 1),
                "Draw the mean over more evaluations; the measured values stay visible.",
            ),
            action(
                "rougher",
                "Smooth curves less",
                "Ctrl+Shift+Down",
                lambda: slider.setValue(slider.value() - 1),
                "Draw the mean over fewer evaluations.",
            ),
        ]

    # -- export -------------------------------------------------------------------------------

    def export_csv(self, path: str | pathlib.Path) -> None:
        """Write all visible series of all shown runs as one table; raises OSError."""
        keys = [*(series.key for series in self._shown_series), *SMALL]
        runs = (Shown(run.label, run.path, run.curves, keys) for run in self.runs.visible)
        write_atomically(pathlib.Path(path), tidy_csv(runs).encode())

    def export_figure(self, path: str | pathlib.Path) -> None:
        """Write the charts as they stand, on white, as .png or .svg.

        Raises:
            ValueError: another suffix.
            OSError: it cannot be written.
        """
        target, crossed = pathlib.Path(path), self._epoch
        self._leave()
        self._change_colours(theme.LIGHT, figure.pen_scale(target))
        try:
            figure.save(self._figure(), target, self._colours, self.font())
        finally:
            self._change_colours(theme.colours())
            if crossed is not None:
                self._cross(crossed)

    def _figure(self) -> figure.Figure:
        title = self.runs[0].label if len(self.runs) == 1 else ""
        legend = [self._series_legend.entries]
        if self.runs.many:
            legend.append(self._runs_legend.entries)
        places = []
        for chart in self.charts:
            corner = chart.mapTo(self._rows, QPoint(0, 0))
            places.append((chart, chart.rect().translated(corner)))
        told = [text for text, _ in self._headlines(self.runs.visible)]
        return figure.Figure(title, "\n".join(told), legend, places, self._rows.size())

    def ask_csv(self) -> None:
        """Ask for a file and write the data there."""
        chosen, _ = QFileDialog.getSaveFileName(
            self, "Export chart data", self._proposal(".csv"), "CSV table (*.csv)"
        )
        self._save(self.export_csv, chosen, ".csv")

    def ask_figure(self) -> None:
        """Ask for a file and write the figure there."""
        chosen, kind = QFileDialog.getSaveFileName(
            self,
            "Export figure",
            self._proposal(".png"),
            "PNG image (*.png);;SVG drawing (*.svg)",
        )
        self._save(self.export_figure, chosen, ".svg" if "svg" in kind else ".png")

    def _proposal(self, suffix: str) -> str:
        return (pathlib.Path(self.runs[0].path).name if self.runs else "charts") + suffix

    def _save(self, write: Callable[[str], None], chosen: str, suffix: str) -> None:
        if not chosen:
            return
        path = chosen if pathlib.Path(chosen).suffix else chosen + suffix
        try:
            write(path)
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            text = f"{path} could not be saved: {reason.rstrip('.')}. Choose another place or name."
            QMessageBox.warning(self, "Not saved", text)
        else:
            self.message.emit(f"Saved {path}.")

    # -- parts --------------------------------------------------------------------------------

    def _build(self) -> None:
        self._headline = QLabel(wordWrap=True)
        self._headline.setAccessibleName("Robust overfitting")
        self._headline.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self._headline.setContentsMargins(4, 2, 4, 0)
        self.diagnosis = DiagnosisCard()
        self._series_legend = Legend("Series")
        self._runs_legend = Legend("Runs")
        self._series_legend.toggled.connect(self._series_toggled)
        self._runs_legend.toggled.connect(self._run_toggled)
        self.controls = ChartControls()
        self.controls.changed.connect(self._repaint_now)
        self.controls.data_wanted.connect(self.ask_csv)
        self.controls.figure_wanted.connect(self.ask_figure)
        self._build_charts()
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
        inner.addWidget(self._rows, 1)
        self._empty = QLabel(EMPTY, alignment=Qt.AlignmentFlag.AlignCenter, wordWrap=True)
        self._pages = QStackedWidget()
        self._pages.addWidget(self._empty)
        self._pages.addWidget(page)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.addWidget(self._pages)

    def _build_charts(self) -> None:
        self.accuracy = Chart("Accuracy", percent=True)
        self.gap = Chart("Robust generalisation gap (points)", "Robust gap (points)", "Robust gap")
        self.softness = Chart(*SOFTNESS, right_percent=True)
        self.loss = Chart("Training loss", "Loss")
        self.charts = (self.accuracy, self.gap, self.softness, self.loss)
        for chart in self.charts:
            chart.hovered.connect(self._hover)
            chart.left.connect(self._leave)
            chart.stepped.connect(self._step)
            chart.by_hand.connect(lambda: self.controls.follow.setChecked(False))
            chart.menu_wanted.connect(self._menu)
            chart.view.sigXRangeChanged.connect(self._align)
        self._readout = readout.Readout(self.accuracy)
        self._columns = QSplitter(Qt.Orientation.Horizontal)
        for chart in self.charts[1:]:
            self._columns.addWidget(chart)
        self._rows = QSplitter(Qt.Orientation.Vertical)
        self._rows.addWidget(self.accuracy)
        self._rows.addWidget(self._columns)
        for splitter in (self._rows, self._columns):
            splitter.setChildrenCollapsible(False)
            splitter.setHandleWidth(6)
        self._rows.setSizes([480, 260])
        self._rows.setStretchFactor(0, 5)
        self._rows.setStretchFactor(1, 3)

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
            action.setChecked(series.key not in self._hidden)
            action.triggered.connect(lambda _=False, key=series.key: self.toggle_series(key))
        menu.addSeparator()
        menu.addAction("Export data as CSV…", self.ask_csv)
        menu.addAction("Export figure as PNG or SVG…", self.ask_figure)
        menu.popup(position)

    def _series_toggled(self, key: str, shown: bool) -> None:
        (self._hidden.discard if shown else self._hidden.add)(key)
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
        if event.type() == QEvent.Type.PaletteChange and hasattr(self, "_timer"):
            self._change_colours(theme.colours())

    def _change_colours(self, colours: theme.Colours, pen_scale: float = 1.0) -> None:
        self._colours = colours
        self._dress(pen_scale)
        self._draw()

    def _dress(self, pen_scale: float = 1.0) -> None:
        for chart in self.charts:
            chart.dress(self._colours, pen_scale)
        self._readout.dress(self._colours)
        theme.role(self._empty, "muted")

    def _repaint_if_dirty(self) -> None:
        if self._dirty and self.isVisible():
            self._draw()

    def _repaint_now(self) -> None:
        self._dirty = True
        self._repaint_if_dirty()

    # -- drawing ------------------------------------------------------------------------------

    @property
    def _hidden(self) -> set[str]:
        return self._hidden_of_many if self.runs.many else self._hidden_of_one

    @property
    def _shown_series(self) -> list[Series]:
        return [series for series in SERIES if series.key not in self._hidden]

    def _draw(self) -> None:
        self._dirty = False
        self._pages.setCurrentIndex(1 if self.runs.started else 0)
        self._empty.setText(self._why_empty())
        if not self.runs.started:
            return
        if self.controls.follow.isChecked():
            self._fit()
        for chart in self.charts:
            chart.begin()
        self._draw_curves()
        self._draw_marks()
        self._show_headline()
        self._show_legends()
        for chart in self.charts:
            chart.end(run.path for run in self.runs)
        if self._epoch is not None:
            self._cross(self._epoch)

    def _why_empty(self) -> str:
        problems = [run.record.problem for run in self.runs if run.record.problem]
        waiting = "The first epoch has not ended yet; accuracy appears here after it."
        return EMPTY if not self.runs else problems[0] if problems else waiting

    def _draw_curves(self) -> None:
        runs = self.runs.visible
        per_run = len(self._shown_series) + (3 if self.runs.many else 4)
        most = max(100, min(800, POINTS // max(1, len(runs) * per_run)))
        points = per_run * sum(min(most, len(run.curves)) for run in runs)
        (left, right), _ = self.accuracy.view.viewRange()
        draw = _Drawing(most, (left, right), self.controls.averaged, points <= FINE)
        for run in runs:
            for series in self._shown_series:
                draw.curve(self.accuracy, run, series.key, self._pen(run, series), 100)
            self._draw_best(run, draw)
            self._draw_small(run, draw)
        self.softness.show_right(not self.runs.many, *(ENTROPY if self.runs.many else SOFTNESS))
        _, softest = _limits(runs, ["label_entropy"], (0, 1))
        self.softness.say(HARD if softest < 1e-6 else "")

    def _hue(self, run: ShownRun, alone: str) -> str:
        """With one run its own, else one for each run; after eight, darker and lighter ones."""
        if not self.runs.many:
            return alone
        turn, place = divmod(run.number, len(self._colours.series))
        colour = QColor(self._colours.series[place])
        return (colour, colour.darker(150), colour.lighter(140))[turn % 3].name()

    def _pen(self, run: ShownRun, series: Series) -> Pen:
        hue = self._hue(run, getattr(self._colours, series.hue))
        return Pen(hue, dash=series.dash_of_many if self.runs.many else series.dash)

    def _draw_small(self, run: ShownRun, draw: _Drawing) -> None:
        c = self._colours
        draw.curve(self.gap, run, GAP, Pen(self._hue(run, c.robust)), 100)
        draw.curve(self.softness, run, "label_entropy", Pen(self._hue(run, c.series[2])), 1)
        if not self.runs.many:
            agreement = Pen(c.series[2], 1.5, _DASH)
            draw.curve(self.softness, run, "label_agreement", agreement, 100)
        hue = self._hue(run, c.series[6])
        if len(run.batches):
            x, y = run.batches.points(draw.most)
            self.loss.draw(
                ("batches", run.path, "loss"), x, y, Pen(hue, 1, alpha=0.5), smooth=False
            )
        draw.curve(self.loss, run, "loss", Pen(hue), 1)

    def _draw_best(self, run: ShownRun, draw: _Drawing) -> None:
        """Band and best point of the robust validation curve."""
        best = _recorded_best(run) or run.curves.best
        if "val_robust_accuracy" in self._hidden or best is None:
            return
        few = len(self.runs.visible) <= BANDS
        hue = self._hue(run, self._colours.robust)
        x, y = run.curves.points("val_robust_accuracy", draw.most, draw.between)
        band = run.curves.band(x, y)
        if band is not None and few:
            self.accuracy.band(run.path, x, 100 * band[0], 100 * band[1], hue)
        text = f"best {onset.percent(best[1])}, epoch {best[0]}" if few else ""
        self.accuracy.point(run.path, best[0], 100 * best[1], hue, text)

    def _draw_marks(self) -> None:
        c, runs = self._colours, self.runs.visible
        marks: list[Mark] = []
        if runs:
            main = runs[0].curves
            marks += [Mark(e, f"lr {rate:.3g}", c.muted) for e, rate in main.drops[:12]]
            start = main.start_epoch
            if start is not None and start <= main.last_epoch:
                marks.append(Mark(start, "refinement starts", c.muted, at=0.03))
        for run in runs[:BANDS] if len(runs) <= BANDS else ():
            since, told = run.curves.onset.since, run.record.catastrophe
            if told is not None:
                hue = self._hue(run, c.bad)
                marks.append(Mark(told.epoch, "catastrophic", hue, at=0.915, dash=_SOLID))
            elif since is not None:
                text = f"overfitting since {since}"
                marks.append(Mark(since, text, self._hue(run, c.bad), at=0.915, dash=_SOLID))
            marks += [
                Mark(one.epoch, one.title, self._hue(run, c.warn), at=0.83, dash=_SOLID)
                for one in run.record.diagnoses
                if one.epoch and one.diagnosis not in OWN_MARKS
            ]
        self.accuracy.mark(marks)

    def _show_headline(self) -> None:
        c, shown = self._colours, self.runs.visible
        told = shown[0].record.diagnoses if len(shown) == 1 else []
        self.diagnosis.show_diagnoses([d for d in told if d.diagnosis not in OWN_MARKS])
        hues = {onset.SINCE: c.bad, onset.WATCH: c.warn}
        sentences = self._headlines(shown)
        self._headline.setText(
            "<br>".join(
                f"<span style='color:{hues.get(state, c.text)}'>{_bold_head(text)}</span>"
                for text, state in sentences
            )
        )
        self._headline.setAccessibleDescription(" ".join(text for text, _ in sentences))

    def _headlines(self, runs: list[ShownRun]) -> list[tuple[str, str]]:
        """Sentences about overfitting, each with its state."""
        found = [(run.label, *_told(run)) for run in runs]
        if len(found) == 1:
            return [found[0][1:]]
        if len(found) <= 3:
            return [(f"{label}: {_inside(text)}", state) for label, text, state in found]
        names = [label for label, _, state in found if state == onset.SINCE]
        if not names:
            return [(f"None of the {len(found)} runs overfits robustly so far.", onset.NONE)]
        some = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
        return [(f"{len(names)} of {len(found)} runs overfit robustly: {some}.", onset.SINCE)]

    def _show_legends(self) -> None:
        c, many = self._colours, self.runs.many
        self._series_legend.show_entries(
            [
                Entry(
                    s.key,
                    s.text,
                    c.muted if many else getattr(c, s.hue),
                    s.dash_of_many if many else s.dash,
                    s.key not in self._hidden,
                )
                for s in SERIES
            ],
            c,
        )
        self._runs_legend.setVisible(many)
        if many:
            entries = [
                Entry(run.path, run.label, self._hue(run, ""), shown=not run.hidden)
                for run in self.runs
            ]
            self._runs_legend.show_entries(entries, c)

    # -- ranges -------------------------------------------------------------------------------

    def _fit(self) -> None:
        """Show everything that is visible; hidden curves do not count."""
        runs = self.runs.visible
        last = max([2.0, *(run.curves.last_epoch for run in runs), *_ends_of_batches(runs)])
        self._syncing = True
        for chart in self.charts:
            chart.view.setLimits(xMin=-0.02 * last, xMax=1.5 * last, minXRange=2)
            chart.setXRange(0, 1.01 * last, padding=0)
        self._syncing = False
        low, high = _limits(runs, [s.key for s in self._shown_series], (0, 1))
        low, high = 100 * low, 100 * high
        step = 10 if high - low > 25 else 5
        low, high = max(0.0, step * math.floor(low / step)), step * math.ceil(high / step)
        span = max(high, min(100.0, low + 2 * step)) - low
        self.accuracy.view.setLimits(yMin=-4, yMax=118, minYRange=1)
        self.accuracy.setYRange(low - 0.03 * span, low + 1.17 * span, padding=0)
        self._fit_small(runs)

    def _fit_small(self, runs: list[ShownRun]) -> None:
        low, high = _limits(runs, [GAP], (0, 0.1))
        self.gap.setYRange(min(0, 100 * low), max(10, 100 * high), padding=0.06)
        _, high = _limits(runs, ["label_entropy"], (0, 0))
        self.softness.setYRange(0, max(0.5, high), padding=0.06)
        batches = [run.batches.points()[1] for run in runs if len(run.batches)]
        inside = (min(map(np.min, batches)), max(map(np.max, batches))) if batches else None
        low, high = _limits(runs, ["loss"], inside or (0, 1))
        if inside:
            low, high = min(low, inside[0]), max(high, inside[1])
        self.loss.setYRange(min(0, low), max(high, low + 1e-3), padding=0.06)

    def _align(self, view: object, limits: Sequence[float]) -> None:
        """All charts show the same epochs. (A link of pyqtgraph would line up pixels instead.)"""
        if self._syncing:
            return
        self._syncing = True
        for chart in self.charts:
            if chart.view is not view:
                chart.setXRange(*limits, padding=0)
        self._syncing = False
        self._dirty = True

    # -- crosshair ----------------------------------------------------------------------------

    def _hover(self, epoch: float) -> None:
        """Put the crosshair at the nearest evaluation of the main run."""
        runs = self.runs.visible
        nearest = runs[0].curves.nearest(epoch) if runs else None
        if nearest is not None and nearest != self._epoch:
            self._cross(nearest)

    def _step(self, by: int) -> None:
        """To the next epoch with an evaluation; from the last one at first."""
        runs = self.runs.visible
        if not runs or not len(runs[0].curves):
            return
        curves = runs[0].curves
        if self._epoch is None:
            self._hover(curves.last_epoch)
        else:
            self._hover(curves.neighbour(self._epoch, by))

    def _leave(self) -> None:
        self._epoch = None
        for chart in self.charts:
            chart.cross(None)
        self._readout.hide()

    def _cross(self, epoch: int) -> None:
        runs = self.runs.visible
        if not runs:
            self._leave()
            return
        self._epoch = epoch
        for chart in self.charts:
            chart.cross(epoch)
        c = self._colours
        if self.runs.many:
            table = readout.table_of_many(runs, epoch, [self._hue(run, "") for run in runs])
        else:
            shown = [(s.key, s.text, getattr(c, s.hue)) for s in self._shown_series]
            table = readout.table_of_one(runs[0], epoch, shown, c.text)
        self._readout.show_at(epoch, table)


@dataclasses.dataclass(frozen=True)
class _Drawing:
    """How curves are drawn in one repaint."""

    most: int
    between: tuple[float, float]
    window: int
    fine: bool

    def curve(self, chart: Chart, run: ShownRun, key: str, pen: Pen, scale: float) -> None:
        """Draw a series of a run; with smoothing the measured values stay, faint."""
        if not self.fine:
            pen = dataclasses.replace(pen, width=1)
        x, y = run.curves.points(key, self.most, self.between, 1, scale)
        if self.window > 1:
            raw = dataclasses.replace(pen, width=1, alpha=0.35, dash=_SOLID)
            chart.draw(("raw", run.path, key), x, y, raw, self.fine)
            x, y = run.curves.points(key, self.most, self.between, self.window, scale)
        chart.draw(("curve", run.path, key), x, y, pen, self.fine)


def _told(run: ShownRun) -> tuple[str, str]:
    """The headline of a run and its state."""
    if run.record.catastrophe is not None:
        return onset.catastrophe(run.record.catastrophe), onset.SINCE
    return onset.headline(run.curves.onset), run.curves.onset.state


def _recorded_best(run: ShownRun) -> tuple[int, float] | None:
    """The epoch that a run has kept as its best: the trainer prefers one that is not at chance."""
    epoch = (run.record.summary or {}).get("best_epoch")
    x, y = run.curves.points("val_robust_accuracy")
    return next(
        ((epoch, float(value)) for at, value in zip(x, y, strict=True) if at == epoch), None
    )


def _inside(sentence: str) -> str:
    """The headline of one run among several."""
    if sentence.startswith("No robust overfitting so far"):
        return "no robust overfitting so far."
    return sentence[0].lower() + sentence[1:]


def _bold_head(sentence: str) -> str:
    """As HTML, what stands before a colon bold."""
    head, colon, rest = sentence.partition(": ")
    return f"<b>{escape(head)}{colon}</b>{escape(rest)}" if colon else escape(sentence)


def _limits(
    runs: Iterable[ShownRun], keys: Sequence[str], otherwise: tuple[float, float]
) -> tuple[float, float]:
    """Lowest and highest value of these series of all runs."""
    found = [limits for run in runs for key in keys if (limits := run.curves.limits(key))]
    if not found:
        return otherwise
    return min(low for low, _ in found), max(high for _, high in found)


def _ends_of_batches(runs: Iterable[ShownRun]) -> list[float]:
    return [float(run.batches.points()[0][-1]) for run in runs if len(run.batches)]
