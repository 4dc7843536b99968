"""Small parts that several screens are made of."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from PySide6.QtCore import Qt
from PySide6.QtGui import QPaintEvent
from PySide6.QtWidgets import (
    QComboBox,
    QHBoxLayout,
    QStyle,
    QStyleOptionComboBox,
    QStylePainter,
    QToolButton,
    QWidget,
)

from .no_wheel import guard


class ChoiceBox(QComboBox):
    """A box of choices that ends a name too long for it in "…", which Qt cuts in a letter."""

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw it."""
        painter, option = QStylePainter(self), QStyleOptionComboBox()
        whole, field = QStyle.ComplexControl.CC_ComboBox, QStyle.SubControl.SC_ComboBoxEditField
        self.initStyleOption(option)
        painter.drawComplexControl(whole, option)
        room = self.style().subControlRect(whole, option, field, self).width()
        cut = Qt.TextElideMode.ElideRight
        option.currentText = self.fontMetrics().elidedText(self.currentText(), cut, room)
        painter.drawControl(QStyle.ControlElement.CE_ComboBoxLabel, option)


def combo(name: str, choices: Iterable[tuple[str, object]] = ()) -> ChoiceBox:
    """A box of choices, as wide as they need, that no passing wheel changes."""
    made = ChoiceBox()
    made.setAccessibleName(name)
    made.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToContents)
    guard(made)
    fill(made, choices)
    return made


def fill(box: QComboBox, choices: Iterable[tuple[str, object]]) -> None:
    """Offer these (text, data), silently; what was chosen stays chosen if it is still there."""
    wanted = list(choices)
    if [(box.itemText(n), box.itemData(n)) for n in range(box.count())] == wanted:
        return
    before = box.currentData()
    box.blockSignals(True)
    box.clear()
    for text, data in wanted:
        box.addItem(text, data)
    box.setCurrentIndex(max(0, box.findData(before)) if wanted else -1)
    box.blockSignals(False)


def with_button(widget: QWidget, choose: Callable[[], object], text: str) -> QWidget:
    """A control with a button at its right that opens a file dialog."""
    cell, button = QWidget(), QToolButton()
    button.setText("…")
    button.setFixedWidth(28)
    button.setStyleSheet("padding: 4px 0;")
    button.setToolTip(text)
    button.setAccessibleName(text)
    button.clicked.connect(lambda: choose())
    row = QHBoxLayout(cell)
    row.setContentsMargins(0, 0, 0, 0)
    row.addWidget(widget, 1)
    row.addWidget(button)
    cell.setFocusProxy(widget)
    return cell
