"""A legend outside the chart: it covers no data, and a click or the space bar hides a curve."""

from __future__ import annotations

import dataclasses

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QPointF, QRect, QSize, Qt, Signal
from PySide6.QtGui import QColor, QFontMetrics, QPainter, QPen, QPixmap
from PySide6.QtWidgets import (
    QFrame,
    QListView,
    QListWidget,
    QListWidgetItem,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QWidget,
)

from .. import theme

SAMPLE = QSize(26, 10)
_KEY = Qt.ItemDataRole.UserRole
_ROWS = 3
_Index = QModelIndex | QPersistentModelIndex
PLAIN = """
    Legend { border: none; background: palette(window); padding: 0; }
    Legend::item { border: none; background: transparent; padding: 0; margin: 0; }
"""


@dataclasses.dataclass(frozen=True)
class Entry:
    """One line of a legend."""

    key: str
    text: str
    colour: str
    dash: Qt.PenStyle = Qt.PenStyle.SolidLine
    shown: bool = True


class Legend(QListWidget):
    """Entries in rows, as many as fit the width.

    Signals:
        toggled: (key, shown) when the user hides an entry or shows it again.
    """

    toggled = Signal(str, bool)

    def __init__(self, name: str, parent: QWidget | None = None):
        super().__init__(parent)
        self.setAccessibleName(name)
        self.setToolTip("Click an entry to hide its curve, click again to show it.")
        self.setFlow(QListView.Flow.LeftToRight)
        self.setWrapping(True)
        self.setResizeMode(QListView.ResizeMode.Adjust)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setIconSize(SAMPLE)
        self.setStyleSheet(PLAIN)
        self.setSpacing(1)
        self.setItemDelegate(_WithoutBox(self))
        self.viewport().setAutoFillBackground(False)
        self.setSelectionMode(QListWidget.SelectionMode.NoSelection)
        self.entries: list[Entry] = []
        self._colours = theme.colours()
        self.itemClicked.connect(self._clicked)
        self.itemChanged.connect(self._changed)

    def show_entries(self, entries: list[Entry], colours: theme.Colours) -> None:
        """Put these entries there; nothing is done when they are there already."""
        if entries == self.entries and colours == self._colours:
            return
        self._colours = colours
        same = [e.key for e in entries] == [e.key for e in self.entries]
        self.entries = entries
        self.blockSignals(True)
        if not same:
            self.clear()
            for _ in entries:
                self.addItem(QListWidgetItem())
        for row, entry in enumerate(entries):
            self._fill(self.item(row), entry)
        self.blockSignals(False)
        self._fit()

    def _fill(self, item: QListWidgetItem, entry: Entry) -> None:
        item.setText(entry.text)
        item.setData(_KEY, entry.key)
        item.setIcon(_sample(entry, self.devicePixelRatioF()))
        item.setFlags(
            Qt.ItemFlag.ItemIsEnabled
            | Qt.ItemFlag.ItemIsUserCheckable
            | Qt.ItemFlag.ItemIsSelectable
        )
        item.setCheckState(Qt.CheckState.Checked if entry.shown else Qt.CheckState.Unchecked)
        item.setForeground(QColor(self._colours.text if entry.shown else self._colours.muted))
        font = item.font()
        font.setStrikeOut(not entry.shown)
        item.setFont(font)

    def _clicked(self, item: QListWidgetItem) -> None:
        shown = item.checkState() == Qt.CheckState.Checked
        item.setCheckState(Qt.CheckState.Unchecked if shown else Qt.CheckState.Checked)

    def _changed(self, item: QListWidgetItem) -> None:
        self.toggled.emit(item.data(_KEY), item.checkState() == Qt.CheckState.Checked)

    def one_row(self) -> int:
        """The width of all entries side by side."""
        items = (self.indexFromItem(self.item(row)) for row in range(self.count()))
        return sum(self.sizeHintForIndex(item).width() for item in items)

    def resizeEvent(self, event) -> None:  # type: ignore[no-untyped-def]
        """Rows follow the width."""
        super().resizeEvent(event)
        self._fit()

    def _fit(self) -> None:
        """As high as the rows need, three at most; more scroll."""
        height = self.sizeHintForRow(0) + 2 * self.spacing() if self.count() else 0
        self.doItemsLayout()
        last = self.visualItemRect(self.item(self.count() - 1)) if self.count() else QRect()
        rows = (last.bottom() + self.verticalScrollBar().value()) // max(1, height) + 1
        self.setFixedHeight(max(1, height * min(_ROWS, max(1, rows)) + 2))


class _WithoutBox(QStyledItemDelegate):
    """The check state is there for keyboard and screen readers; the eye sees the line fade."""

    def initStyleOption(self, option: QStyleOptionViewItem, index: _Index) -> None:
        """As usual, less the box and the tint of the current entry; the focus frame stays."""
        super().initStyleOption(option, index)
        option.state &= ~QStyle.StateFlag.State_MouseOver
        option.features &= ~QStyleOptionViewItem.ViewItemFeature.HasCheckIndicator

    def sizeHint(self, option: QStyleOptionViewItem, index: _Index) -> QSize:
        """Sample and text, with room to the next entry."""
        text = QFontMetrics(option.font).horizontalAdvance(str(index.data()))
        return QSize(SAMPLE.width() + text + 20, max(20, QFontMetrics(option.font).height() + 4))


def draw_sample(painter: QPainter, entry: Entry, left: float, middle: float) -> None:
    """The piece of line that stands before an entry."""
    colour = QColor(entry.colour)
    colour.setAlphaF(1.0 if entry.shown else 0.3)
    pen = QPen(colour, 2.0, entry.dash)
    pen.setCapStyle(Qt.PenCapStyle.FlatCap)
    painter.setPen(pen)
    painter.drawLine(QPointF(left, middle), QPointF(left + SAMPLE.width(), middle))


def _sample(entry: Entry, ratio: float) -> QPixmap:
    pixmap = QPixmap(SAMPLE * ratio)
    pixmap.setDevicePixelRatio(ratio)
    pixmap.fill(Qt.GlobalColor.transparent)
    painter = QPainter(pixmap)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    draw_sample(painter, entry, 0, SAMPLE.height() / 2)
    painter.end()
    return pixmap
