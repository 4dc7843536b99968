"""The pictures of the Compare screen: curves, the clean-and-robust plane, accuracy by class."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Sequence
from html import escape

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import Qt
from PySide6.QtGui import QColor

from .. import theme
from ..models.comparison import AXES, SHARES, Arrow, Line
from ..models.curves import GAP, thin
from .plot_parts import Pen, PercentAxis
from .plots import Chart
from .readout import Readout, table_of_lines

POINTS = 20_000  # points on screen, all curves together
FINE = 3000  # so many are drawn antialiased and two pixels wide
UNITS = dict.fromkeys(SHARES, " %") | {GAP: " points"}
MANY = 60  # arms or runs; more are drawn by colour, without bands, names and heads
NAMED = 12  # classes whose names stand upright below their bars
_WHOLE = 100.0


@dataclasses.dataclass(frozen=True)
class Shown:
    """An arm in a picture: its identity, its name, its colour and its line."""

    key: str
    label: str
    hue: str
    dash: Qt.PenStyle = Qt.PenStyle.SolidLine


def hue(number: int, colours: theme.Colours) -> str:
    """A colour for each arm; after eight, darker and lighter ones."""
    turn, place = divmod(number, len(colours.series))
    colour = QColor(colours.series[place])
    return (colour, colour.darker(150), colour.lighter(140))[turn % 3].name()


class CurvesChart(Chart):
    """One quantity of several arms; with several seeds the mean and a band from least to most."""

    def __init__(self) -> None:
        super().__init__("Curves", bottom=pg.AxisItem("bottom"))
        self.whole = True  # the next picture shows everything
        self._lines: list[tuple[Shown, Line]] = []
        self._unit = ""
        self._readout = Readout(self)
        self.hovered.connect(self._hover)
        self.left.connect(self._leave)
        self.stepped.connect(self._step)

    def dress(self, colours: theme.Colours, pen_scale: float = 1.0) -> None:
        """Take these colours."""
        super().dress(colours, pen_scale)
        self._readout.dress(colours)

    def show_lines(
        self, lines: Sequence[tuple[Shown, Line]], axis: str, quantity: str, title: str
    ) -> None:
        """Draw; what was zoomed stays so while axis and quantity are the same."""
        self.show_over(lines, AXES[axis], title, UNITS.get(quantity, ""))

    def show_over(
        self, lines: Sequence[tuple[Shown, Line]], x_label: str, title: str, unit: str
    ) -> None:
        """Draw over any axis; ``unit`` stands behind each value, as `` %``."""
        self._unit = unit
        wanted = x_label, f"{title} ({unit.strip()})" if unit else title
        if wanted != (self.x_label, self.titles[0]):
            self.x_label, self.titles, self.whole = wanted[0], (wanted[1],), True
            self.dress(theme.colours(), self.pen_scale)
        drawn = [(arm, line) for arm, line in lines if len(line.x)]
        self.say("" if drawn else f"Nothing was recorded of this: {escape(title)}.")
        most = max(100, POINTS // max(1, len(drawn)))
        fine = sum(min(most, len(line.x)) for _, line in drawn) <= FINE
        self.begin()
        curves = [(arm, *thin(line.x, line.mean, most)) for arm, line in drawn]
        dashes = {arm.key: arm.dash for arm, _ in drawn}
        for key, colour, x, y in _joined(curves) if len(curves) > MANY else _each(curves):
            pen = Pen(colour, 2 if fine else 1, dashes.get(key, Qt.PenStyle.SolidLine))
            self.draw(("curve", key), x, y, pen, fine)
        for arm, line in drawn if len(drawn) <= MANY else ():
            if line.low is not None and line.high is not None:
                rows = np.isin(line.x, thin(line.x, line.mean, most)[0])
                self.band(arm.key, line.x[rows], line.low[rows], line.high[rows], arm.hue)
        self.end([*(arm.key for arm, _ in drawn), *{arm.hue for arm, _ in drawn}])
        self._lines = drawn
        self._leave()
        if self.whole and drawn:
            self._fit([line for _, line in drawn])

    def _fit(self, lines: Sequence[Line]) -> None:
        right = max(float(line.x[-1]) for line in lines)
        low = min(float(np.min(line.mean if line.low is None else line.low)) for line in lines)
        high = max(float(np.max(line.mean if line.high is None else line.high)) for line in lines)
        low, high = (0.0 if 0 <= low < 0.5 * high else low), max(high, low + 1e-6)
        self.setXRange(0, 1.01 * max(right, 1e-6), padding=0)
        self.setYRange(low, high + 0.05 * (high - low), padding=0)
        self.whole = False

    # -- crosshair ----------------------------------------------------------------------------

    def _places(self) -> np.ndarray:
        """Where any of the curves was measured."""
        return np.unique(np.concatenate([line.x for _, line in self._lines] or [np.array([])]))

    def _hover(self, x: float) -> None:
        places = self._places()
        if len(places):
            self._cross(float(places[np.argmin(np.abs(places - x))]))

    def _step(self, by: int) -> None:
        places = self._places()
        if len(places):
            now = self.crosshair.value() if self.crosshair.isVisible() else places[-1]
            row = int(np.searchsorted(places, now)) + by
            self._cross(float(places[min(max(row, 0), len(places) - 1)]))

    def _leave(self) -> None:
        self.cross(None)
        self._readout.hide()

    def _cross(self, x: float) -> None:
        self.cross(x)
        found = [(arm.label, arm.hue, _at(line, x)) for arm, line in self._lines]
        found.sort(key=lambda one: -math.inf if one[2] is None else one[2][0], reverse=True)
        title = f"{self.x_label.partition(',')[0].capitalize()} {x:.4g}"
        self._readout.show_at(x, table_of_lines(title, found, self._unit))


def _each(
    curves: Sequence[tuple[Shown, np.ndarray, np.ndarray]],
) -> Iterator[tuple[str, str, np.ndarray, np.ndarray]]:
    """Key, colour and points of each curve."""
    return ((arm.key, arm.hue, x, y) for arm, x, y in curves)


def _joined(
    curves: Sequence[tuple[Shown, np.ndarray, np.ndarray]],
) -> Iterator[tuple[str, str, np.ndarray, np.ndarray]]:
    """The curves of each colour as one with gaps: hundreds of items would halt the window."""
    gap = np.array([np.nan])
    for colour in dict.fromkeys(arm.hue for arm, *_ in curves):
        own = [(x, y) for arm, x, y in curves if arm.hue == colour]
        x, y = (
            np.concatenate([p for one in part for p in (one, gap)])
            for part in zip(*own, strict=True)
        )
        yield colour, colour, x, y


def _at(line: Line, x: float) -> tuple[float, float, float] | None:
    """Mean, lowest and highest at a place, between two measured ones on a straight line."""
    if not line.x[0] <= x <= line.x[-1]:
        return None
    low = line.mean if line.low is None else line.low
    high = line.mean if line.high is None else line.high
    mean, least, most = (float(np.interp(x, line.x, values)) for values in (line.mean, low, high))
    return mean, least, most


class PlaneChart(Chart):
    """Clean against robust accuracy: an arrow for each run, from its best epoch to its last.

    A long arrow down is robust overfitting.
    """

    def __init__(self) -> None:
        super().__init__(
            "Clean against robust accuracy", percent=True, bottom=PercentAxis("bottom")
        )
        self.x_label = "clean accuracy"
        self._heads: list[tuple[pg.ArrowItem, np.ndarray]] = []
        self._dots = pg.ScatterPlotItem(size=6)
        self._dots.setZValue(20)
        self.addItem(self._dots, ignoreBounds=True)
        self.view.sigRangeChanged.connect(self._turn_heads)
        self.view.sigResized.connect(self._turn_heads)

    def show_arrows(self, arrows: Sequence[tuple[Shown, Arrow]], under: str) -> None:
        """Draw runs; ``under`` says what the robust accuracy is."""
        self.titles = (f"Robust accuracy ({under}) against clean; dot: best epoch, head: last",
                       "Dot: best epoch, head: last epoch", "Best to last")  # fmt: skip
        self._fit_title()
        self.say("" if arrows else "No figures of these runs under this attack.")
        for head, _ in self._heads:
            self.removeItem(head)
        self._heads = []
        many = len(arrows) > MANY
        self.begin()
        keys = self._draw_cloud(arrows) if many else self._draw_each(arrows)
        self.end(keys)
        self._dots.setVisible(many)
        self._frame([arrow for _, arrow in arrows])

    def _draw_each(self, arrows: Sequence[tuple[Shown, Arrow]]) -> list[str]:
        labelled: set[str] = set()
        keys = [f"{arm.key}:{number}" for number, (arm, _) in enumerate(arrows)]
        for key, (arm, arrow) in zip(keys, arrows, strict=True):
            self._draw_arrow(key, arm, arrow, arm.label if arm.key not in labelled else "")
            labelled.add(arm.key)
        return keys

    def _draw_cloud(self, arrows: Sequence[tuple[Shown, Arrow]]) -> list[str]:
        """Without names and heads, which nobody could tell apart."""
        lines = [(arm, np.array([arrow.best, arrow.final or arrow.best])) for arm, arrow in arrows]
        curves = [(arm, line[:, 0], line[:, 1]) for arm, line in lines]
        keys = []
        for key, colour, x, y in _joined(curves):
            self.draw(("curve", key), x, y, Pen(colour, 1), True)
            keys.append(key)
        brushes = [pg.mkBrush(arm.hue) for arm, _ in arrows]
        self._dots.setData(*np.array([line[0] for _, line in lines]).T, brush=brushes, pen=None)
        return keys

    def _draw_arrow(self, key: str, arm: Shown, arrow: Arrow, label: str) -> None:
        (x, y), end = arrow.best, arrow.final
        if end is not None and end != arrow.best:
            line = np.array([[x, y], end])
            self.draw(("curve", key), line[:, 0], line[:, 1], Pen(arm.hue, 1.6), True)
            self._add_head(line, arm.hue)
        self.point(key, x, y, arm.hue, label)

    def _add_head(self, line: np.ndarray, colour: str) -> None:
        head = pg.ArrowItem(pos=tuple(line[1]), headLen=11, tipAngle=32, pen=None, brush=colour)
        self.addItem(head, ignoreBounds=True)
        self._heads.append((head, line[1] - line[0]))

    def _turn_heads(self, *_: object) -> None:
        """Heads point along their lines as these stand on screen."""
        width, height = self.view.viewPixelSize()
        for head, (dx, dy) in self._heads:
            angle = math.degrees(math.atan2(dy / height, -dx / width))
            head.setStyle(angle=angle)

    def _frame(self, arrows: Sequence[Arrow]) -> None:
        points = np.array([p for a in arrows for p in (a.best, a.final) if p is not None])
        if not len(points):
            points = np.array([[0.0, 0.0], [100.0, 100.0]])
        low, high = points.min(0), points.max(0)
        room = np.maximum(2.0, 0.12 * (high - low))
        (left, bottom), (right, top) = low - room, high + room
        self.setXRange(float(left), float(right), padding=0)
        self.setYRange(float(bottom), float(top), padding=0)
        self._turn_heads()
        self._place_labels()


class ClassChart(Chart):
    """Accuracy in each class, a bar for each arm."""

    def __init__(self) -> None:
        super().__init__("Accuracy by class", percent=True, bottom=pg.AxisItem("bottom"))
        self.x_label = "class"
        self._bars: list[pg.BarGraphItem] = []
        self.view.setMouseEnabled(x=True, y=False)

    def show_bars(
        self,
        bars: Sequence[tuple[Shown, Sequence[float | None]]],
        names: Sequence[str],
        title: str,
        short: str = "Accuracy by class",
    ) -> None:
        """Draw shares in percent, None where a class has no image; ``short`` if room is short."""
        self.titles = (title, short)
        self._fit_title()
        for bar in self._bars:
            self.removeItem(bar)
        drawn = [(arm, shares) for arm, shares in bars if shares]
        self.say("" if drawn else "These runs were not evaluated with this attack.")
        width = 0.8 / max(1, len(drawn))
        self._bars = []
        for number, (arm, shares) in enumerate(drawn):
            x = np.arange(len(shares)) - 0.4 + (number + 0.5) * width
            heights = [share or 0.0 for share in shares]
            bar = pg.BarGraphItem(x=x, height=heights, width=0.92 * width, pen=None, brush=arm.hue)
            self.addItem(bar)
            self._bars.append(bar)
        ticks = [list(enumerate(names))] if len(names) <= NAMED else None
        self.plotItem.getAxis("bottom").setTicks(ticks)
        self.setXRange(-0.6, max(1, len(names)) - 0.4, padding=0)
        highest = max((s or 0.0 for _, shares in drawn for s in shares), default=_WHOLE)
        self.setYRange(0, min(_WHOLE, 10 * math.ceil((highest + 3) / 10)), padding=0)
