"""The adversarial image beside the clean one: by turns, with a divider, or their difference."""

from __future__ import annotations

import numpy as np
from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QFont, QImage, QKeyEvent, QMouseEvent, QPainter, QPen
from PySide6.QtWidgets import QWidget

from .. import theme
from .image_view import ImageView, to_qimage

MODES = {
    "adversarial": "Adversarial",
    "clean": "Clean",
    "swipe": "Swipe",
    "difference": "Difference",
}


class CompareView(ImageView):
    """The adversarial image beside the clean one: by turns, with a divider, or their difference.

    ``set_pictures`` gives all three; ``mode`` is one of :data:`MODES`. In mode ``swipe`` the
    divider follows the mouse button, or the comma and full stop keys.
    """

    def __init__(self, name: str, parent: QWidget | None = None):
        super().__init__(name, parent)
        self.mode = "adversarial"
        self.share = 0.5
        self._pictures: dict[str, QImage] = {}

    def set_pictures(self, pictures: dict[str, np.ndarray] | None, placeholder: str = "") -> None:
        """The pictures of modes ``clean``, ``adversarial`` and ``difference``."""
        self._pictures = {name: to_qimage(p) for name, p in (pictures or {}).items()}
        self._placeholder = placeholder
        self._choose()

    def set_mode(self, mode: str) -> None:
        """Which of them is seen."""
        self.mode = mode
        self._choose()

    def _choose(self) -> None:
        name = "adversarial" if self.mode == "swipe" else self.mode
        self._image = self._pictures.get(name)
        self.update()

    def paint_image(self, painter: QPainter, target: QRectF) -> None:
        """One of the pictures, or two with a divider."""
        super().paint_image(painter, target)
        clean = self._pictures.get("clean")
        if self.mode != "swipe" or clean is None:
            return
        painter.save()
        painter.setClipRect(
            QRectF(target.left(), target.top(), target.width() * self.share, target.height())
        )
        painter.drawImage(target, clean)
        painter.restore()
        at = target.left() + target.width() * self.share
        accent = QColor(theme.colours().accent)
        painter.setPen(QPen(accent, 2))
        painter.drawLine(QPointF(at, target.top()), QPointF(at, target.bottom()))
        self._paint_tag(painter, target, "clean", Qt.AlignmentFlag.AlignLeft)
        self._paint_tag(painter, target, "adversarial", Qt.AlignmentFlag.AlignRight)

    def _paint_tag(
        self, painter: QPainter, target: QRectF, text: str, side: Qt.AlignmentFlag
    ) -> None:
        font = QFont(self.font())
        font.setPointSizeF(max(font.pointSizeF() - 2, 6))
        painter.setFont(font)
        metrics = painter.fontMetrics()
        box = QRectF(0, 0, metrics.horizontalAdvance(text) + 8, metrics.height() + 2)
        left = side == Qt.AlignmentFlag.AlignLeft
        box.moveTopLeft(QPointF(target.left(), target.top()))
        if not left:
            box.moveTopRight(QPointF(target.right(), target.top()))
        if box.width() > target.width() / 2:
            return
        painter.fillRect(box, QColor(0, 0, 0, 150))
        painter.setPen(QColor("#ffffff"))
        painter.drawText(box, int(Qt.AlignmentFlag.AlignCenter), text)

    def _move_divider(self, position: QPointF) -> None:
        target = self.target()
        if target.width() > 0:
            share = (position.x() - target.left()) / target.width()
            self.share = min(max(share, 0.0), 1.0)
            self.update()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Take the divider."""
        if self.mode == "swipe":
            self._move_divider(event.position())
            return
        super().mousePressEvent(event)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Move the divider while the button is down."""
        if self.mode == "swipe" and event.buttons() & Qt.MouseButton.LeftButton:
            self._move_divider(event.position())
        super().mouseMoveEvent(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Comma and full stop move the divider."""
        by = {Qt.Key.Key_Comma: -0.05, Qt.Key.Key_Period: 0.05}.get(Qt.Key(event.key()))
        if self.mode == "swipe" and by is not None:
            self.share = min(max(self.share + by, 0.0), 1.0)
            self.update()
            return
        super().keyPressEvent(event)
