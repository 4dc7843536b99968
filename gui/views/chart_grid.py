"""The four charts over the same epochs: their places, ranges and crosshair."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from PySide6.QtCore import QPoint, QRect, Qt, Signal
from PySide6.QtWidgets import QSplitter

from ..models.curves import GAP
from ..models.shown import ShownRun, ShownRuns
from . import readout
from .chart_drawing import Drawing
from .chart_looks import Looks
from .plots import Chart

LOWEST = 190  # pixels that the accuracies need to be read
HARD = "Hard labels: nothing softens them."
ENTROPY = ("Label entropy (nats)", "Label entropy", "Entropy")
SOFTNESS = (
    "Label entropy (nats), agreement dashed",
    "Entropy (nats), – – agreement",
    "Entropy, – – agreement",
    "Label entropy",
    "Entropy",
)


class ChartGrid(QSplitter):
    """Accuracy above the gap, the softness of the labels, and the loss.

    Signals:
        by_hand: the user panned or zoomed.
        moved: other epochs are in sight.
        menu_wanted: a right click, at a global position.
    """

    by_hand = Signal()
    moved = Signal()
    menu_wanted = Signal(object)

    def __init__(self, runs: ShownRuns, looks: Looks):
        super().__init__(Qt.Orientation.Vertical)
        self._runs, self._looks = runs, looks
        self._syncing = False
        self.crossed: int | None = None
        self.accuracy = Chart("Accuracy", percent=True)
        self.gap = Chart("Robust generalisation gap (points)", "Robust gap (points)", "Robust gap")
        self.softness = Chart(*SOFTNESS, right_percent=True)
        self.loss = Chart("Training loss", "Loss")
        self.charts = (self.accuracy, self.gap, self.softness, self.loss)
        self.readout = readout.Readout(self.accuracy)
        self._arrange()
        for chart in self.charts:
            chart.hovered.connect(self._hover)
            chart.left.connect(self.leave)
            chart.stepped.connect(self._step)
            chart.by_hand.connect(self.by_hand)
            chart.menu_wanted.connect(self.menu_wanted)
            chart.view.sigXRangeChanged.connect(self._align)

    def _arrange(self) -> None:
        self._columns = QSplitter(Qt.Orientation.Horizontal)
        for chart in self.charts[1:]:
            self._columns.addWidget(chart)
        self.addWidget(self.accuracy)
        self.addWidget(self._columns)
        for splitter in (self, self._columns):
            splitter.setChildrenCollapsible(False)
            splitter.setHandleWidth(6)
        self.accuracy.setMinimumHeight(LOWEST)
        self.setSizes([480, 260])
        self.setStretchFactor(0, 5)
        self.setStretchFactor(1, 3)

    def dress(self, pen_scale: float = 1.0) -> None:
        """Take the colours of the looks."""
        for chart in self.charts:
            chart.dress(self._looks.colours, pen_scale)
        self.readout.dress(self._looks.colours)

    def places(self) -> list[tuple[Chart, QRect]]:
        """Each chart and where it stands."""
        return [
            (chart, chart.rect().translated(chart.mapTo(self, QPoint(0, 0))))
            for chart in self.charts
        ]

    def state(self) -> dict[str, Any]:
        """Plain values that restore the sizes of the charts."""
        return {"rows": self.sizes(), "columns": self._columns.sizes()}

    def restore(self, state: Mapping[str, Any]) -> None:
        """The inverse of ``state``; passes over what it cannot use."""
        for name, splitter in (("rows", self), ("columns", self._columns)):
            saved = state.get(name)
            sizes = [s for s in saved if isinstance(s, int)] if isinstance(saved, list) else []
            if len(sizes) == splitter.count() and sum(sizes) > 0:
                splitter.setSizes(sizes)

    # -- drawing ------------------------------------------------------------------------------

    def draw(self, window: int) -> None:
        """Draw the visible runs, the mean over so many evaluations."""
        for chart in self.charts:
            chart.begin()
        runs, many = self._runs.visible, self._runs.many
        (left, right), _ = self.accuracy.view.viewRange()
        drawing = Drawing(runs, self._looks, many, (left, right), window)
        drawing.accuracies(self.accuracy)
        drawing.gaps(self.gap)
        drawing.softness(self.softness)
        drawing.losses(self.loss)
        self.softness.show_right(not many, *(ENTROPY if many else SOFTNESS))
        _, softest = _limits(runs, ["label_entropy"], (0, 1))
        self.softness.say(HARD if softest < 1e-6 else "")
        for chart in self.charts:
            chart.end(run.path for run in self._runs)
        if self.crossed is not None:
            self.cross(self.crossed)

    # -- ranges -------------------------------------------------------------------------------

    def fit(self) -> None:
        """Show everything that is visible; hidden curves do not count."""
        runs = self._runs.visible
        last = max([2.0, *(run.curves.last_epoch for run in runs), *_ends_of_batches(runs)])
        self._syncing = True
        for chart in self.charts:
            chart.view.setLimits(xMin=-0.02 * last, xMax=1.5 * last, minXRange=2)
            chart.setXRange(0, 1.01 * last, padding=0)
        self._syncing = False
        low, high = _limits(runs, [s.key for s in self._looks.series], (0, 1))
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
        self.moved.emit()

    # -- crosshair ----------------------------------------------------------------------------

    def _hover(self, epoch: float) -> None:
        """Put the crosshair at the nearest evaluation of the main run."""
        runs = self._runs.visible
        nearest = runs[0].curves.nearest(epoch) if runs else None
        if nearest is not None and nearest != self.crossed:
            self.cross(nearest)

    def _step(self, by: int) -> None:
        """To the next epoch with an evaluation; from the last one at first."""
        runs = self._runs.visible
        if not runs or not len(runs[0].curves):
            return
        curves = runs[0].curves
        if self.crossed is None:
            self._hover(curves.last_epoch)
        else:
            self._hover(curves.neighbour(self.crossed, by))

    def leave(self) -> None:
        """Take the crosshair away."""
        self.crossed = None
        for chart in self.charts:
            chart.cross(None)
        self.readout.hide()

    def cross(self, epoch: int) -> None:
        """Put the crosshair at an epoch, with the figures there."""
        runs, looks = self._runs.visible, self._looks
        if not runs:
            self.leave()
            return
        self.crossed = epoch
        for chart in self.charts:
            chart.cross(epoch)
        c = looks.colours
        if self._runs.many:
            table = readout.table_of_many(runs, epoch, [looks.hue(run) for run in runs])
        else:
            shown = [(s.key, s.text, getattr(c, s.hue)) for s in looks.series]
            table = readout.table_of_one(runs[0], epoch, shown, c.text)
        self.readout.show_at(epoch, table)


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
