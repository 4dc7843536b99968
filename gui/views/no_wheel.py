"""Combo boxes, spin boxes and sliders that a passing mouse wheel does not change."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject, Qt
from PySide6.QtWidgets import QAbstractSlider, QAbstractSpinBox, QComboBox, QScrollBar, QWidget


class _Filter(QObject):
    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Leave the wheel to the parent, which scrolls."""
        if event.type() == QEvent.Type.Wheel:
            event.ignore()
            return True
        return False


def _changes(widget: QWidget) -> bool:
    kinds = (QComboBox, QAbstractSpinBox, QAbstractSlider)
    return isinstance(widget, kinds) and not isinstance(widget, QScrollBar)


def guard(*widgets: QWidget) -> None:
    """Let the wheel scroll what is around these widgets, or around the ones inside them."""
    for widget in widgets:
        for target in filter(_changes, [widget, *widget.findChildren(QWidget)]):
            target.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
            target.installEventFilter(_Filter(target))
