"""The robust curve of a run, as small as a cell of the table of runs."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QPalette, QPen, QPolygonF
from PySide6.QtWidgets import QApplication, QStyle, QStyledItemDelegate, QStyleOptionViewItem

from .. import theme
from ..models.run_record import RunRecord
from .runs_model import Index, RunsModel


class CurveDelegate(QStyledItemDelegate):
    """Paints the robust curve of a run into its cell."""

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        """The background as in other cells, then the curve with a dot at its best."""
        view = QStyleOptionViewItem(option)
        self.initStyleOption(view, index)
        style = view.widget.style() if view.widget else QApplication.style()
        style.drawControl(QStyle.ControlElement.CE_ItemViewItem, view, painter, view.widget)
        model = index.model()
        record = model.row(index) if isinstance(model, RunsModel) else None
        if not isinstance(record, RunRecord):
            return
        figures = record.figures
        if len(figures.curve) < 2:
            return
        selected = bool(view.state & QStyle.StateFlag.State_Selected)
        colour = QColor(theme.colours().robust)
        if selected:
            colour = view.palette.color(QPalette.ColorRole.HighlightedText)
        place = QRectF(view.rect).adjusted(8, 4, -8, -4)
        points = _in_place(figures.curve, place)
        best = next(i for i, (epoch, _) in enumerate(figures.curve) if epoch == figures.best_epoch)
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(colour, 1.5))
        painter.drawPolyline(QPolygonF(points))
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(colour)
        painter.drawEllipse(points[best], 2.5, 2.5)
        painter.restore()


def _in_place(curve: Sequence[tuple[int, float]], place: QRectF) -> list[QPointF]:
    """A curve in a rectangle; it starts at zero so that runs compare by eye."""
    first, last = curve[0][0], curve[-1][0]
    top = max(max(value for _, value in curve), 1e-9)
    wide, high = place.width() / max(last - first, 1), place.height() / top
    return [
        QPointF(place.left() + (epoch - first) * wide, place.bottom() - value * high)
        for epoch, value in curve
    ]
