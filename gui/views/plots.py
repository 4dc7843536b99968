"""One chart: a pyqtgraph plot that keeps its curves, with marks and a crosshair."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QEvent, QPointF, QRectF, Qt, Signal
from PySide6.QtGui import QColor, QContextMenuEvent, QFontMetricsF, QKeyEvent, QResizeEvent
from PySide6.QtWidgets import QWidget

from .. import theme
from ..theme import Colours
from .plot_parts import Band, EpochAxis, Mark, Pen, PercentAxis, Points, stand_apart

RIGHT = "label_agreement"  # the series that is drawn on a chart's right scale
_STEPS = {Qt.Key.Key_Left: -1, Qt.Key.Key_Right: 1}


class Chart(pg.PlotWidget):
    """A plot over epochs, or what ``bottom`` is the axis of.

    Curves are kept by key and get new data; what is not drawn again between ``begin`` and
    ``end`` is hidden, and removed when its run is gone. Ranges are never automatic: the panel
    sets them, since pyqtgraph would count hidden curves.

    Signals:
        hovered: the epoch under the pointer.
        left: the pointer left.
        stepped: an arrow key asks for the next (1) or previous (-1) epoch.
        by_hand: the user panned or zoomed.
        menu_wanted: a right click, at a global position.
    """

    hovered = Signal(float)
    left = Signal()
    stepped = Signal(int)
    by_hand = Signal()
    menu_wanted = Signal(object)

    def __init__(
        self,
        *titles: str,
        percent: bool = False,
        right_percent: bool = False,
        bottom: Any = None,
        parent: QWidget | None = None,
    ):
        axes: dict[str, Any] = {"bottom": bottom or EpochAxis("bottom")}
        axes |= {"left": PercentAxis("left")} if percent else {}
        axes |= {"right": PercentAxis("right")} if right_percent else {}
        super().__init__(parent, axisItems=axes, enableMenu=False)
        self.titles, self.x_label = titles, "epoch"
        self.pen_scale = 1.0
        self._colours = theme.colours()
        self.setAccessibleName(f"Chart: {titles[0]}")
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setFrameShape(self.Shape.NoFrame)
        self.setMinimumSize(120, 90)
        self.view: Any = self.plotItem.getViewBox()
        self.view.disableAutoRange()
        self.plotItem.hideButtons()
        self.plotItem.setMenuEnabled(False)
        self._set_margins(right_percent)
        self.plotItem.getAxis("left").setWidth(48 if percent else 38)
        self.items_by_key: dict[tuple[str, ...], Any] = {}
        self._last: dict[tuple[str, ...], Any] = {}
        self._drawn: set[tuple[str, ...]] = set()
        self._marks: list[Any] = []
        self._labels: list[Any] = []  # of this picture
        self.points = Points()
        self.addItem(self.points)
        self.crosshair = pg.InfiniteLine(angle=90)
        self.crosshair.setZValue(50)
        self.crosshair.hide()
        self.addItem(self.crosshair, ignoreBounds=True)
        self.notice = pg.TextItem(anchor=(0.5, 0.5))
        self.notice.setParentItem(self.view)
        self.scene().sigMouseMoved.connect(self._moved)
        self.scene().sigMouseClicked.connect(self._clicked)
        self.view.sigRangeChangedManually.connect(self.by_hand)
        self.view.sigResized.connect(self._place_notice)
        self.view.sigResized.connect(self._place_labels)
        self._notice_text = ""
        self.right_view: Any = None
        if right_percent:
            self._add_right_view()

    def _add_right_view(self) -> None:
        """A second scale on the right, over the same epochs."""
        self.right_view = pg.ViewBox(enableMouse=False, enableMenu=False)
        self.right_view.setYRange(0, 100, padding=0.06)
        self.right_view.setAcceptedMouseButtons(Qt.MouseButton.NoButton)
        self.scene().addItem(self.right_view)
        axis = self.plotItem.getAxis("right")
        axis.linkToView(self.right_view)
        axis.setWidth(46)
        self.view.sigResized.connect(self._match)
        self.view.sigXRangeChanged.connect(self._match)

    def show_right(self, shown: bool, *titles: str) -> None:
        """Show the right scale or not, and the titles that go with it."""
        if titles != self.titles:
            self.titles = titles
            self.plotItem.showAxis("right", shown)
            self._set_margins(shown)
            self._fit_title()

    def _set_margins(self, right_axis: bool) -> None:
        """Half a tick label has room on the right, the axis' name below: it reaches out there."""
        self.plotItem.layout.setContentsMargins(2, 4, 2 if right_axis else 18, 6)

    def _match(self) -> None:
        self.right_view.setGeometry(self.view.sceneBoundingRect())
        self.right_view.setXRange(*self.view.viewRange()[0], padding=0)

    # -- curves -------------------------------------------------------------------------------

    def begin(self) -> None:
        """A new picture begins."""
        self._drawn.clear()
        self._labels.clear()
        self.points.begin()

    def draw(
        self, key: tuple[str, ...], x: np.ndarray, y: np.ndarray, pen: Pen, smooth: bool = True
    ) -> None:
        """Give a curve its points.

        Args:
            key: (``curve``, run, series, ...).
            x: epochs.
            y: values.
            pen: its looks.
            smooth: antialiased; switch it off for many points.
        """
        curve = self.items_by_key.get(key)
        if curve is None:
            curve = self.items_by_key[key] = self._new_curve(key)
        curve.show()
        self._drawn.add(key)
        looks = pen, self.pen_scale, smooth
        before = self._last.get(key)
        if before and before[0] is x and before[1] is y and before[2] == looks:
            return
        self._last[key] = x, y, looks
        dots: dict[str, Any] = {"symbol": None}
        if 0 < len(x) <= 30 and pen.alpha == 1 and pen.width >= 2:
            dots = {"symbol": "o", "symbolSize": 4, "symbolPen": None, "symbolBrush": pen.colour}
        curve.setData(x, y, pen=pen.make(self.pen_scale), antialias=smooth, **dots)

    def _new_curve(self, key: tuple[str, ...]) -> Any:
        """Shares of a second kind stand on the right scale, if there is one."""
        curve = pg.PlotDataItem()
        self._holder(key).addItem(curve)
        return curve

    def _holder(self, key: tuple[str, ...]) -> Any:
        right = self.right_view is not None and key[-1] == RIGHT
        return self.right_view if right else self

    def band(self, run: str, x: np.ndarray, low: np.ndarray, high: np.ndarray, hue: str) -> None:
        """A tinted band around a curve."""
        key = ("band", run)
        if key not in self.items_by_key:
            self.items_by_key[key] = Band()
            self.addItem(self.items_by_key[key])
        self.items_by_key[key].draw(x, low, high, hue)
        self.items_by_key[key].show()
        self._drawn.add(key)

    def point(self, run: str, x: float, y: float, hue: str, text: str) -> None:
        """A dot on a curve, with a text above unless it is empty."""
        self.points.add(x, y, hue)
        if text:
            self._label(("label", run), x, y, hue, text)

    def _label(self, key: tuple[str, ...], x: float, y: float, hue: str, text: str) -> None:
        words = self.items_by_key.get(key)
        if words is None:
            words = self.items_by_key[key] = pg.TextItem(anchor=(0.5, 1.25))
            words.setZValue(21)
            self.addItem(words, ignoreBounds=True)
        surface = QColor(self._colours.surface)
        surface.setAlphaF(0.75)
        words.fill = pg.mkBrush(surface)
        words.setFont(self._small())
        words.setText(text, color=hue)
        words.setPos(x, y)
        words.show()
        self._labels.append(words)
        self._drawn.add(key)

    def _place_labels(self) -> None:
        of_lines = [line.label for line in self._marks if line.isVisible()]
        taken = [label.mapRectToScene(label.boundingRect()) for label in of_lines]
        stand_apart(self._labels, self.view, taken)

    def end(self, runs: Iterable[str]) -> None:
        """Hide what was not drawn, and remove what belongs to no run."""
        self.points.end(self._colours.surface)
        self._place_labels()
        known = set(runs)
        for key, item in list(self.items_by_key.items()):
            if key[1] not in known:
                self._holder(key).removeItem(item)
                del self.items_by_key[key]
                self._last.pop(key, None)
            elif key not in self._drawn:
                item.hide()

    # -- marks, notice, crosshair -------------------------------------------------------------

    def mark(self, marks: list[Mark]) -> None:
        """Show these vertical lines; lines are used again."""
        while len(self._marks) < len(marks):
            line = pg.InfiniteLine(angle=90, label=" ", labelOpts={"position": 0.96})
            line.setZValue(-10)
            line.label.setFont(self._small())
            self.addItem(line, ignoreBounds=True)
            self._marks.append(line)
        for line, mark in zip(self._marks, marks, strict=False):
            line.setPos(mark.epoch)
            line.setPen(Pen(mark.colour, 1, mark.dash).make(self.pen_scale))
            line.show()
            line.label.setColor(mark.colour)
            line.label.setFormat(mark.text)
            line.label.setPosition(mark.at)
        for line in self._marks[len(marks) :]:
            line.hide()

    def say(self, text: str) -> None:
        """A sentence in the middle of an otherwise empty chart."""
        self._notice_text = text
        self.notice.setVisible(bool(text))
        self._place_notice()

    def _place_notice(self) -> None:
        area = self.view.boundingRect()
        self.notice.textItem.setTextWidth(max(60, area.width() - 16))
        self.notice.setHtml(f"<div style='text-align:center'>{self._notice_text}</div>")
        self.notice.setPos(area.center())

    def cross(self, epoch: float | None) -> None:
        """Put the crosshair there; None takes it away."""
        self.crosshair.setVisible(epoch is not None)
        if epoch is not None:
            self.crosshair.setPos(epoch)

    # -- looks --------------------------------------------------------------------------------

    def dress(self, colours: Colours, pen_scale: float = 1.0) -> None:
        """Take these colours; curves get theirs when they are drawn next.

        Args:
            colours: of the theme, or of a figure.
            pen_scale: pixels of the picture per pixel of the screen.
        """
        self._colours, self.pen_scale = colours, pen_scale
        self.setBackground(colours.surface)
        self._fit_title()
        small = self._small()
        for side in ("left", "bottom", "right"):
            axis = self.plotItem.getAxis(side)
            axis.setPen(Pen(colours.border, 1).make(pen_scale))
            axis.setTextPen(pg.mkPen(colours.muted))
            axis.setTickFont(small)
            axis.setStyle(tickLength=-4, tickTextOffset=4, hideOverlappingLabels=False)
        words = {"color": colours.muted, "font-size": f"{small.pointSizeF():g}pt"}
        self.plotItem.getAxis("bottom").setLabel(self.x_label, **words)
        self.plotItem.getAxis("bottom").setHeight(34)
        self.plotItem.showGrid(x=False, y=True, alpha=0.6)
        self.plotItem.getAxis("right").setGrid(False)
        self.crosshair.setPen(pg.mkPen(colours.muted, width=1))
        self.notice.setFont(small)
        self.notice.setColor(colours.muted)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """The title is as long as there is room."""
        super().resizeEvent(event)
        if hasattr(self, "titles"):  # the first comes from within the constructor of the base
            self._fit_title()

    def _fit_title(self) -> None:
        font = self.font()
        font.setBold(True)
        metrics = QFontMetricsF(font)
        room = self.width() - 72 - (46 if self.plotItem.getAxis("right").isVisible() else 0)
        fitting = [text for text in self.titles if metrics.horizontalAdvance(text) <= room]
        self.plotItem.setTitle(
            (fitting or self.titles[-1:])[0],
            color=self._colours.text,
            size=f"{font.pointSizeF():g}pt",
            bold=True,
            justify="left",
        )

    def _small(self) -> Any:
        font = self.font()
        font.setPointSizeF(max(7.0, font.pointSizeF() - 1.5))
        return font

    @property
    def area(self) -> QRectF:
        """Where curves are drawn, in the widget's pixels."""
        return self.mapFromScene(self.view.sceneBoundingRect()).boundingRect().toRectF()

    # -- mouse and keyboard -------------------------------------------------------------------

    def _moved(self, position: QPointF) -> None:
        if self.view.sceneBoundingRect().contains(position):
            self.hovered.emit(self.view.mapSceneToView(position).x())
        else:
            self.left.emit()

    def leaveEvent(self, event: QEvent) -> None:
        """The crosshair leaves with the pointer."""
        super().leaveEvent(event)
        self.left.emit()

    def _clicked(self, event: Any) -> None:
        if event.button() == Qt.MouseButton.RightButton:
            self.menu_wanted.emit(event.screenPos().toPoint())

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        """The menu key; a right click comes through the scene, since a right drag zooms."""
        if event.reason() == QContextMenuEvent.Reason.Keyboard:
            self.menu_wanted.emit(self.mapToGlobal(self.rect().center()))
        event.accept()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Arrow keys move the crosshair, Escape takes it away."""
        step = _STEPS.get(Qt.Key(event.key()))
        if step is not None:
            self.stepped.emit(step)
        elif event.key() == Qt.Key.Key_Escape and self.crosshair.isVisible():
            self.left.emit()
        else:
            super().keyPressEvent(event)
