"""One image, magnified pixel by pixel; zoom, and the pixel under the pointer."""

from __future__ import annotations

import numpy as np
from PySide6.QtCore import QEvent, QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
    QColor,
    QImage,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QWheelEvent,
)
from PySide6.QtWidgets import QSizePolicy, QWidget

from .. import theme

DIMMED = 0.45
MOST_ZOOM = 16.0
_ZOOMS = {Qt.Key.Key_Plus: 2.0, Qt.Key.Key_Minus: 0.5, Qt.Key.Key_0: 0.0}
_ARROWS = {
    Qt.Key.Key_Left: (0, -1),
    Qt.Key.Key_Right: (0, 1),
    Qt.Key.Key_Up: (-1, 0),
    Qt.Key.Key_Down: (1, 0),
}


def to_qimage(picture: np.ndarray) -> QImage:
    """A picture of its own from (H, W, 3) uint8.

    The length of a line is passed on: without it Qt expects lines of a multiple of four bytes.
    The format is the one that Qt draws fastest.
    """
    picture = np.ascontiguousarray(picture)
    height, width = picture.shape[:2]
    image = QImage(picture.data, width, height, picture.strides[0], QImage.Format.Format_RGB888)
    return image.convertToFormat(QImage.Format.Format_RGB32)


class ImageView(QWidget):
    """One image, as large as fits, nearest neighbour; views in ``alike`` magnify alike.

    The wheel and the keys + and - zoom to the pointer, dragging moves what is seen, a double click
    or 0 shows all of it again.

    Signals:
        pointed: row and column under the pointer or chosen by the arrow keys; (-1, -1) for none.
    """

    pointed = Signal(int, int)

    def __init__(self, name: str, parent: QWidget | None = None):
        super().__init__(parent)
        self.setAccessibleName(name)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setMouseTracking(True)
        self.setMinimumSize(72, 72)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self._image: QImage | None = None
        self._placeholder = ""
        self._dimmed = False
        self._pointer = (-1, -1)
        self.alike: list[ImageView] = [self]
        self._zoom, self._centre = 1.0, (0.5, 0.5)  # times larger than fits; the middle, as shares
        self._dragged: QPointF | None = None

    def sizeHint(self) -> QSize:
        """A square that shows 32 pixels well."""
        return QSize(180, 180)

    def set_picture(self, picture: np.ndarray | None, placeholder: str = "") -> None:
        """Show (H, W, 3) uint8, or a sentence in its place."""
        self._image = None if picture is None else to_qimage(picture)
        self._placeholder = placeholder
        self.update()

    @property
    def image(self) -> QImage | None:
        """What is shown, at its own size."""
        return self._image

    @property
    def dimmed(self) -> bool:
        """Whether it is marked as not current."""
        return self._dimmed

    def set_dimmed(self, dimmed: bool) -> None:
        """Mark what is shown as not current."""
        if dimmed != self._dimmed:
            self._dimmed = dimmed
            self.update()

    def set_pointer(self, row: int, column: int) -> None:
        """Mark a pixel; (-1, -1) for none."""
        if (row, column) != self._pointer:
            self._pointer = (row, column)
            self.update()

    # -- geometry -----------------------------------------------------------------------------

    def target(self) -> QRectF:
        """Where the image is drawn: whole pixels where it is magnified."""
        if self._image is None:
            return QRectF()
        width, height = self._image.width(), self._image.height()
        ratio = self.devicePixelRatioF()
        factor = min(min(v.width() / width, v.height() / height) for v in self.alike)
        if factor * ratio >= 2:  # pixels of the same size, on the screen's own pixels
            factor = int(factor * ratio) / ratio
        size = QPointF(width * factor * self._zoom, height * factor * self._zoom)
        left = _placed(size.x(), self.width(), self._centre[0])
        return QRectF(left, _placed(size.y(), self.height(), self._centre[1]), size.x(), size.y())

    @property
    def zoom(self) -> float:
        """How many times larger than fits."""
        return self._zoom

    def zoom_to(self, zoom: float, at: QPointF | None = None) -> None:
        """Magnify all alike; what is at ``at`` stays there."""
        zoom = min(max(zoom, 1.0), MOST_ZOOM)
        target = self.target()
        at = at or QPointF(self.width() / 2, self.height() / 2)
        if target.isEmpty():
            return
        grown = zoom / self._zoom
        middle = QPointF(self.width() / 2, self.height() / 2)
        x = (middle.x() - at.x() + (at.x() - target.left()) * grown) / (target.width() * grown)
        y = (middle.y() - at.y() + (at.y() - target.top()) * grown) / (target.height() * grown)
        self._look(zoom, x, y)

    def _look(self, zoom: float, x: float, y: float) -> None:
        """The middle at (x, y), as shares of the image, no further than its border."""
        target = self.target()
        size = [side / self._zoom * zoom for side in (target.width(), target.height())]
        room = [min(place / side, 1.0) / 2 for place, side in zip(_sides(self), size, strict=True)]
        centre = tuple(min(max(v, r), 1 - r) for v, r in zip((x, y), room, strict=True))
        for view in self.alike:
            view._zoom, view._centre = zoom, (centre[0], centre[1])
            view.update()

    def pixel_at(self, position: QPointF) -> tuple[int, int]:
        """Row and column at a place of the widget; (-1, -1) outside of the image."""
        target = self.target()
        if self._image is None or not target.contains(position):
            return -1, -1
        row = int((position.y() - target.top()) / target.height() * self._image.height())
        column = int((position.x() - target.left()) / target.width() * self._image.width())
        return min(row, self._image.height() - 1), min(column, self._image.width() - 1)

    # -- events -------------------------------------------------------------------------------

    def paintEvent(self, event: QPaintEvent) -> None:
        """The image, the marked pixel, the focus."""
        painter, colours = QPainter(self), theme.colours()
        if self._image is None:
            self._paint_placeholder(painter, colours)
        else:
            painter.setOpacity(DIMMED if self._dimmed else 1.0)
            self.paint_image(painter, self.target())
            painter.setOpacity(1.0)
            self._paint_pointer(painter, colours)
        if self.hasFocus():
            painter.setPen(QPen(QColor(colours.accent), 1, Qt.PenStyle.DotLine))
            painter.drawRect(self.rect().adjusted(0, 0, -1, -1))

    def paint_image(self, painter: QPainter, target: QRectF) -> None:
        """The image alone."""
        painter.drawImage(target, self._image)

    def _paint_placeholder(self, painter: QPainter, colours: theme.Colours) -> None:
        side = min(self.width(), self.height())
        box = QRectF((self.width() - side) / 2, (self.height() - side) / 2, side, side)
        painter.setPen(QPen(QColor(colours.border), 1, Qt.PenStyle.DashLine))
        painter.drawRoundedRect(box.adjusted(1, 1, -1, -1), 4, 4)
        painter.setPen(QColor(colours.muted))
        flags = Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap
        painter.drawText(box.adjusted(8, 8, -8, -8), int(flags), self._placeholder)

    def _paint_pointer(self, painter: QPainter, colours: theme.Colours) -> None:
        row, column = self._pointer
        image = self._image
        if image is None or not (0 <= row < image.height() and 0 <= column < image.width()):
            return
        target = self.target()
        side = target.width() / image.width()
        box = QRectF(target.left() + column * side, target.top() + row * side, side, side)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        for colour, grow in (("#000000", 1.0), (colours.accent, 0.0)):
            painter.setPen(QPen(QColor(colour), 1.5))
            painter.drawRect(box.adjusted(-grow, -grow, grow, grow))

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Zoom to the pointer."""
        self.zoom_to(self._zoom * 2 ** (event.angleDelta().y() / 240), event.position())
        event.accept()

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        """All of it again."""
        self.zoom_to(1.0)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Take what is seen, to move it."""
        if self._zoom > 1 and event.button() == Qt.MouseButton.LeftButton:
            self._dragged = event.position()
        super().mousePressEvent(event)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """Let go."""
        self._dragged = None
        super().mouseReleaseEvent(event)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Report the pixel under the pointer; move what is seen while it is held."""
        if self._dragged is not None:
            by, target = event.position() - self._dragged, self.target()
            self._dragged = event.position()
            x, y = self._centre
            self._look(self._zoom, x - by.x() / target.width(), y - by.y() / target.height())
        self.pointed.emit(*self.pixel_at(event.position()))

    def leaveEvent(self, event: QEvent) -> None:
        """Report that none is."""
        self.pointed.emit(-1, -1)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Arrows go from pixel to pixel, Escape leaves; plus, minus and 0 zoom."""
        if event.key() in _ZOOMS:
            times = _ZOOMS[Qt.Key(event.key())]
            return self.zoom_to(self._zoom * times, self._pointed_place())
        step = _ARROWS.get(Qt.Key(event.key()))
        if self._image is None or (step is None and event.key() != Qt.Key.Key_Escape):
            return super().keyPressEvent(event)
        if step is None:
            self.pointed.emit(-1, -1)
            return None
        row, column = (max(0, at + by) for at, by in zip(self._pointer, step, strict=True))
        row, column = min(row, self._image.height() - 1), min(column, self._image.width() - 1)
        self.pointed.emit(row, column)
        return None

    def _pointed_place(self) -> QPointF | None:
        """The middle of the marked pixel."""
        target, (row, column) = self.target(), self._pointer
        if row < 0 or self._image is None:
            return None
        wide, high = target.width() / self._image.width(), target.height() / self._image.height()
        return QPointF(target.left() + (column + 0.5) * wide, target.top() + (row + 0.5) * high)

    def focusInEvent(self, event: QEvent) -> None:
        """Show the focus."""
        self.update()

    def focusOutEvent(self, event: QEvent) -> None:
        """Show that it is gone."""
        self.update()


def _placed(size: float, place: int, middle: float) -> float:
    """Where an image begins: in the middle if it fits, else with ``middle`` of it there."""
    if size <= place:
        return int((place - size) / 2)
    return min(0.0, max(place - size, place / 2 - middle * size))


def _sides(widget: QWidget) -> tuple[int, int]:
    return widget.width(), widget.height()
