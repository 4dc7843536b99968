"""What charts are made of: pens, marks, bands, points and axes."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import Any

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor

# of a label over its point, best first
HEIGHTS = (1.25, -0.25, 2.35, -1.35, 3.45, -2.45, 4.55, -3.55, 5.65, -4.65)
DOT = QPointF(4, 4)  # half of a point's, in pixels


@dataclasses.dataclass(frozen=True)
class Pen:
    """How a curve is drawn."""

    colour: str
    width: float = 2.0
    dash: Qt.PenStyle = Qt.PenStyle.SolidLine
    alpha: float = 1.0

    def make(self, scale: float) -> Any:
        """For pyqtgraph: as wide on screen at any zoom, so a sharper picture needs ``scale``."""
        colour = QColor(self.colour)
        colour.setAlphaF(self.alpha)
        return pg.mkPen(colour, width=scale * self.width, style=self.dash)


@dataclasses.dataclass(frozen=True)
class Mark:
    """A vertical line with a small text beside it.

    ``at`` says how high the text stands: 0 at the axis, 1 at the top.
    """

    epoch: float
    text: str
    colour: str
    at: float = 0.97
    dash: Qt.PenStyle = Qt.PenStyle.DotLine


class PercentAxis(pg.AxisItem):
    """Ticks of 0 to 100 percent; the strip above 100 that holds the labels has none."""

    def tickStrings(self, values: Any, scale: float, spacing: float) -> list[str]:
        """``60 %``."""
        digits = 0 if spacing >= 1 else 1
        return [f"{value:.{digits}f} %" for value in values]

    def tickValues(self, minVal: float, maxVal: float, size: float) -> list[Any]:
        """No ticks outside."""
        levels = super().tickValues(minVal, maxVal, size)
        return [(step, [v for v in ticks if -1e-9 <= v <= 100 + 1e-9]) for step, ticks in levels]


class EpochAxis(pg.AxisItem):
    """Whole epochs only."""

    def tickSpacing(self, minVal: float, maxVal: float, size: float) -> list[Any]:
        """Nothing between two epochs."""
        levels = super().tickSpacing(minVal, maxVal, size)
        return [level for level in levels if level[0] >= 1] or [(1, 0)]


class Band(pg.FillBetweenItem):
    """A tinted band behind the curves."""

    def __init__(self) -> None:
        self._edges = pg.PlotCurveItem(), pg.PlotCurveItem()
        super().__init__(*self._edges)
        self.setZValue(-20)

    def draw(self, x: np.ndarray, low: np.ndarray, high: np.ndarray, hue: str) -> None:
        """Take these edges and this colour."""
        self.curves = None  # one path for both edges, not one each
        for edge, y in zip(self._edges, (low, high), strict=True):
            edge.setData(x, y)
        self.curves = list(self._edges)
        self.updatePath()
        colour = QColor(hue)
        colour.setAlphaF(0.16)
        self.setBrush(colour)


class Points(pg.ScatterPlotItem):
    """The dots of all curves as one item: twenty items cost as much as the curves."""

    def __init__(self) -> None:
        super().__init__(size=9, useCache=False)
        self.setZValue(20)
        self._wanted: list[tuple[float, float, str]] = []
        self._shown: object = None

    def begin(self) -> None:
        """A new picture begins."""
        self._wanted.clear()

    def add(self, x: float, y: float, hue: str) -> None:
        """One more dot."""
        self._wanted.append((x, y, hue))

    def end(self, edge: str) -> None:
        """Show the dots, edged in a colour, if they are others than before."""
        wanted = (*self._wanted,), edge
        if wanted != self._shown:
            self._shown = wanted
            x, y, hues = zip(*self._wanted, strict=True) if self._wanted else ((), (), ())
            brushes = [pg.mkBrush(hue) for hue in hues]
            self.setData(x, y, brush=brushes, pen=pg.mkPen(edge, width=1.5))


def stand_apart(labels: Iterable[pg.TextItem], view: Any, taken: list[QRectF]) -> None:
    """Labels above their points or where none stands yet, inside the picture if there is room.

    Args:
        labels: the most important first.
        view: where they are.
        taken: places where other words stand, in the scene; those of the labels are added.
    """
    room = view.sceneBoundingRect()
    points = {words: view.mapViewToScene(words.pos()) for words in labels}
    for words, point in points.items():
        size = words.textItem.boundingRect().size()
        dots = [QRectF(at - DOT, at + DOT) for at in points.values() if at != point]
        over = point.x() + size.width() / 2 - room.right()
        under = point.x() - size.width() / 2 - room.left()
        across = 0.5 + (max(over, 0) + min(under, 0)) / max(1, size.width())
        across = min(max(across, 0.0), 1.0)
        places = {
            up: QRectF(point - QPointF(across * size.width(), up * size.height()), size)
            for up in HEIGHTS
        }
        free = [
            up for up, place in places.items() if not any(map(place.intersects, [*taken, *dots]))
        ]
        inside = [up for up in free if _is_within(places[up], room)]
        up = (inside or free or HEIGHTS)[0]
        taken.append(places[up])
        words.setAnchor(QPointF(across, up))


def _is_within(place: QRectF, room: QRectF) -> bool:
    return room.top() <= place.top() and place.bottom() <= room.bottom()
