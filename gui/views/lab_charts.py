"""The small charts of the attack lab: probabilities, the path of an attack, the sweep."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QEvent, Qt, Signal
from PySide6.QtGui import QColor, QFont, QFontMetrics, QResizeEvent
from PySide6.QtWidgets import QFrame, QWidget

from .. import theme
from ..models import pictures
from ..models.curves import thin
from ..models.lab_parts import SLOTS, Model, Result, SweepResult
from ..models.lab_words import MAX_PROBABILITIES, shown_classes

ROW_HEIGHT = 13  # pixels that a class needs in order to be read
POINTS, FINE = 1000, 100  # of a path on screen; of one that is drawn wide
WIDTHS = {"margin": 2, "loss": 1.5}
STYLES = {"a": Qt.PenStyle.SolidLine, "b": Qt.PenStyle.DashLine}


class Chart(pg.PlotWidget):
    """What the charts share: colours of the theme, no menu, no zoom by accident."""

    def __init__(self, name: str, parent: QWidget | None = None):
        super().__init__(parent, enableMenu=False)
        self.setAccessibleName(name)
        self.setMenuEnabled(False)
        self.setMouseEnabled(False, False)
        self.hideButtons()
        self.setMinimumSize(100, 60)
        self.setFrameShape(QFrame.Shape.NoFrame)
        font = QFont(self.font())
        font.setPointSizeF(max(font.pointSizeF() - 1.5, 6.5))
        self.small = QFontMetrics(font)
        for side in ("left", "bottom"):
            self.getAxis(side).setTickFont(font)
        self.getAxis("bottom").setHeight(self.small.height() + 8)
        half = self.small.height() // 2  # of a tick's label has room above and at the right
        self.plotItem.layout.setContentsMargins(0, half, 2 * half, 0)

    def add(self, *items: object) -> None:
        """Add the chart's items; from now on it follows the theme."""
        for item in items:
            self.addItem(item)
        self.complete = True
        self.dress()

    def dress(self) -> None:
        """Take the colours of the theme."""
        colours = theme.colours()
        self.setBackground(colours.surface)
        for side in ("left", "bottom"):
            axis = self.getAxis(side)
            axis.setPen(colours.border)
            axis.setTextPen(colours.muted)
            axis.setStyle(tickLength=-4, hideOverlappingLabels=False)

    def changeEvent(self, event: QEvent) -> None:
        """Follow the theme."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange and "complete" in self.__dict__:
            self.dress()


class ProbabilityBars(Chart):
    """Class probabilities of one model, clean above adversarial, the true class outlined."""

    def __init__(self, name: str, parent: QWidget | None = None):
        super().__init__(name, parent)
        self._clean = pg.BarGraphItem(x0=[], y=[], width=[], height=0.38)
        self._now = pg.BarGraphItem(x0=[], y=[], width=[], height=0.38)
        self._outline = pg.BarGraphItem(x0=[], y=[], width=[], height=0.96)
        self._shown: tuple[Model, Result, int | None, bool] | None = None
        self.getViewBox().invertY(True)
        self.setXRange(-0.01, 1.08, padding=0)
        self.getAxis("bottom").setTicks([[(0, "0 %"), (0.5, "50 %"), (1, "100 %")]])
        self.add(self._outline, self._clean, self._now)

    def dress(self) -> None:
        """Take the colours of the theme."""
        super().dress()
        if self._shown is not None:
            self.show_result(*self._shown)

    def show_result(self, model: Model, result: Result, truth: int | None, dimmed: bool) -> None:
        """Draw a result's probabilities."""
        self._shown = (model, result, truth, dimmed)
        clean, now = result.done.clean_probabilities, result.done.adversarial_probabilities
        most = max(4, (self.height() - 24) // ROW_HEIGHT)
        classes = shown_classes(clean, now, truth, min(most, MAX_PROBABILITIES))
        rows, colours = np.arange(len(classes)), theme.colours()
        for item, values, shift, colour in (
            (self._clean, clean, -0.2, colours.clean),
            (self._now, now, 0.2, colours.robust),
        ):
            widths = [values[k] for k in classes]
            item.setOpts(
                x0=np.zeros(len(rows)),
                y=rows + shift,
                width=widths,
                height=0.38,
                brush=_faded(colour, 90 if dimmed else 255),
                pen=None,
            )
        outlined = [row for row, k in enumerate(classes) if k == truth]
        self._outline.setOpts(
            x0=np.zeros(len(outlined)),
            y=outlined,
            width=np.ones(len(outlined)),
            height=0.96,
            brush=None,
            pen=pg.mkPen(colours.text, width=1.2),
        )
        names = [_short(model.class_name(k)) for k in classes]
        axis = self.getAxis("left")
        axis.setTicks([list(zip(rows.tolist(), names, strict=True))])
        axis.setWidth(12 + max(map(self.small.horizontalAdvance, names), default=0))
        self.setYRange(-0.6, len(classes) - 0.4, padding=0)
        self._say(model, clean, now, truth)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """As many classes as can be read."""
        super().resizeEvent(event)
        shown = self.__dict__.get("_shown")
        if shown is not None:
            self.show_result(*shown)

    def clear_result(self) -> None:
        """Draw nothing."""
        self._shown = None
        for item in (self._clean, self._now, self._outline):
            item.setOpts(x0=[], y=[], width=[])
        self.getAxis("left").setTicks([[]])

    def _say(
        self, model: Model, clean: Sequence[float], now: Sequence[float], truth: int | None
    ) -> None:
        """The figures as text, for the tool tip and for those who do not see the bars."""
        order = np.argsort(-np.maximum(clean, now), kind="stable")[:5]
        lines = ["class: clean → adversarial"]
        for k in (int(k) for k in order):
            mark = " (true class)" if k == truth else ""
            change = f"{pictures.percent(clean[k])} → {pictures.percent(now[k])}"
            lines.append(f"{model.class_name(k)}{mark}: {change}")
        self.setToolTip("\n".join(lines))
        self.setAccessibleDescription("; ".join(lines))


def _faded(colour: str, alpha: int) -> QColor:
    result = QColor(colour)
    result.setAlpha(alpha)
    return result


def _short(name: str) -> str:
    return name if len(name) <= 12 else name[:11] + "…"


class TrajectoryChart(Chart):
    """Loss and margin over the steps; a line marks the step that is looked at.

    Signals:
        scrubbed: the step the line was moved to.
    """

    scrubbed = Signal(int)

    def __init__(self, name: str, parent: QWidget | None = None):
        super().__init__(name, parent)
        self._curves: dict[tuple[str, str], pg.PlotDataItem] = {}
        self._fooled: dict[str, pg.ScatterPlotItem] = {}
        self._line = pg.InfiniteLine(0, angle=90, movable=True)
        self._zero = pg.InfiniteLine(0, angle=0)
        self._faded = False
        self._shown: dict[str, Result | None] = {}
        for slot in SLOTS:
            for what in ("loss", "margin"):
                self._curves[slot, what] = pg.PlotDataItem(antialias=True)
            self._fooled[slot] = pg.ScatterPlotItem(size=9, symbol="o")
        self._line.sigDragged.connect(lambda line: self.scrubbed.emit(round(line.value())))
        self._line.hide()
        self.add(self._zero, *self._curves.values(), *self._fooled.values(), self._line)

    def dress(self) -> None:
        """Take the colours of the theme."""
        super().dress()
        colours = theme.colours()
        self._line.setPen(pg.mkPen(colours.accent, width=2))
        self._line.setHoverPen(pg.mkPen(colours.text, width=2))
        self._zero.setPen(pg.mkPen(colours.border, width=1))
        for slot, what in self._curves:
            self._dress_curve(slot, what)
        for scatter in self._fooled.values():
            scatter.setBrush(pg.mkBrush(colours.bad))
            scatter.setPen(pg.mkPen(colours.surface, width=1))

    def _dress_curve(self, slot: str, what: str) -> None:
        """Wide for a few steps: a wide path of many that swings costs a tenth of a second."""
        colours, curve = theme.colours(), self._curves[slot, what]
        colour = pg.mkColor(colours.robust if what == "margin" else colours.muted)
        colour.setAlpha(90 if self._faded else 255)
        few = curve.xData is None or len(curve.xData) <= FINE
        curve.setPen(pg.mkPen(colour, width=WIDTHS[what] if few else 1, style=STYLES[slot]))

    def show_results(self, results: Mapping[str, Result], dimmed: bool) -> None:
        """Draw the paths of the slots that have a result."""
        for slot in SLOTS:
            result = results.get(slot)
            if self._shown.get(slot, self) is not result:
                self._shown[slot] = result
                self._show_result(slot, result)
        last = max((result.steps for result in results.values()), default=0)
        self._line.setBounds((0, last))
        self._line.setVisible(last > 0)
        self.setXRange(0, max(last, 1), padding=0.03)
        if dimmed != self._faded:
            self._faded = dimmed
            self.dress()

    def _show_result(self, slot: str, result: Result | None) -> None:
        """At most some thousand points of it: an attack may have a hundred thousand steps."""
        losses = _numbers(result.done.losses if result else ())
        margins = _numbers(result.done.margins if result else ())
        for what, values in (("loss", losses), ("margin", margins)):
            self._curves[slot, what].setData(*thin(np.arange(len(values)), values, POINTS))
            self._dress_curve(slot, what)
        at = result.done.fooled_at if result else None
        steps = [at] if at is not None and at < len(margins) else []
        self._fooled[slot].setData(steps, margins[steps])

    def set_step(self, step: int) -> None:
        """Move the line."""
        self._line.setValue(step)


def _numbers(values: Sequence[float | None]) -> np.ndarray:
    return np.array(values, float)  # None becomes NaN


class SweepChart(Chart):
    """Probability of the true class over epsilon; the first radius that fools is marked.

    Signals:
        chosen: a radius that was clicked.
    """

    chosen = Signal(float)

    def __init__(self, name: str, parent: QWidget | None = None):
        super().__init__(name, parent)
        self._curves: dict[str, pg.PlotDataItem] = {}
        self._marks: dict[str, pg.InfiniteLine] = {}
        self._now = pg.InfiniteLine(0, angle=90)
        self._faded = False
        self._shown: dict[str, Result | None] = {}
        for slot in SLOTS:
            self._marks[slot] = pg.InfiniteLine(0, angle=90)
            self._marks[slot].hide()
            self._curves[slot] = pg.PlotDataItem(antialias=True, symbolSize=6)
        self.setYRange(-0.08, 1.12, padding=0)
        self.getAxis("left").setTicks([[(0, "0 %"), (0.5, "50 %"), (1, "100 %")]])
        self.scene().sigMouseClicked.connect(self._clicked)
        self.add(self._now, *self._marks.values(), *self._curves.values())

    def dress(self) -> None:
        """Take the colours of the theme."""
        super().dress()
        colours = theme.colours()
        self._now.setPen(pg.mkPen(colours.accent, width=1, style=Qt.PenStyle.DotLine))
        for slot, curve in self._curves.items():
            colour = pg.mkColor(colours.robust)
            colour.setAlpha(90 if self._faded else 255)
            curve.setPen(pg.mkPen(colour, width=2, style=STYLES[slot]))
            curve.setSymbolPen(None)
            mark = _faded(colours.bad, 90 if self._faded else 255)
            self._marks[slot].setPen(pg.mkPen(mark, width=1.5, style=STYLES[slot]))

    def show_sweeps(self, sweeps: Mapping[str, SweepResult], eps: float, dimmed: bool) -> None:
        """Draw the sweeps of the slots that have one, and where the slider stands."""
        if dimmed != self._faded:
            self._faded = dimmed
            self.dress()
        self._now.setValue(eps * 255)
        colours, right = theme.colours(), eps * 255
        for slot in SLOTS:
            sweep = sweeps.get(slot)
            points = sweep.points if sweep else []
            x = [point.eps * 255 for point in points]
            right = max([right, *x])
            alpha = 90 if dimmed else 255
            marks = [_faded(colours.bad if p.fooled else colours.good, alpha) for p in points]
            self._curves[slot].setData(
                x, [point.probability for point in points], symbol="o", symbolBrush=marks
            )
            first = sweep.first_fooled if sweep else None
            self._marks[slot].setVisible(first is not None)
            self._marks[slot].setValue((first or 0) * 255)
        self.setXRange(0, max(right, 1), padding=0.03)

    def _clicked(self, event: object) -> None:
        position = event.scenePos()  # type: ignore[attr-defined]
        if self.plotItem.vb.sceneBoundingRect().contains(position):
            at = self.plotItem.vb.mapSceneToView(position).x()
            self.chosen.emit(max(round(at * 2), 0) / 510)
