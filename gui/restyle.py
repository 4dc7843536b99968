"""Another style sheet for a window of thousands of widgets, without a stall."""

from __future__ import annotations

import weakref
from collections.abc import Iterable, Iterator

from PySide6.QtCore import QEvent, QObject, Qt
from PySide6.QtWidgets import QApplication, QMenu, QWidget
from shiboken6 import isValid


def may_wait(part: QWidget) -> None:
    """Let a part of the window that is hidden take up other colours when it is shown again."""
    _patient.add(_Patient(part))


class _Patient(QObject):
    """Sees a part of the window being shown."""

    def __init__(self, part: QWidget):
        super().__init__(part)
        self.part, self.behind = part, False
        part.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Catch up before it is painted."""
        if self.behind and event.type() == QEvent.Type.Show:
            self.behind = False
            family = [self.part, *self.part.findChildren(QWidget)]
            _polish([widget for widget in family if not widget.testAttribute(_POLISHED)])
        return False


_POLISHED = Qt.WidgetAttribute.WA_WState_Polished
_patient: weakref.WeakSet[_Patient] = weakref.WeakSet()


def change_sheet(app: QApplication, sheet: str) -> None:
    """Another style sheet, which each widget on screen looks at once and hidden ones later.

    Left to itself Qt lets all look, once for each of their ancestors: a second for a window.
    """
    hidden, now = set(), []
    for patient in filter(isValid, _patient):
        if not patient.part.isVisible():
            patient.behind = True
            hidden.add(patient.part)
    for widget, waits in _from_above(app, hidden):
        if widget.testAttribute(_POLISHED):
            widget.setAttribute(_POLISHED, False)  # Qt passes over it
            if not waits:
                now.append(widget)
    app.setStyleSheet("")
    app.setStyleSheet(sheet)
    _polish(now)


def _polish(widgets: Iterable[QWidget]) -> None:
    for widget in filter(isValid, widgets):  # one that hears of it may replace others
        widget.setAttribute(_POLISHED)
        widget.style().polish(widget)
        QApplication.sendEvent(widget, QEvent(QEvent.Type.StyleChange))


def _from_above(app: QApplication, hidden: set[QWidget]) -> Iterator[tuple[QWidget, bool]]:
    """All widgets, parents before their children, and whether they stand in a hidden part."""
    tops = [widget for widget in app.allWidgets() if widget.parentWidget() is None]
    level = [(top, isinstance(top, QMenu)) for top in tops]  # pyqtgraph's menus, never shown
    while level:
        level = [(widget, waits or widget in hidden) for widget, waits in level]
        yield from level
        level = [
            (child, waits)
            for widget, waits in level
            for child in widget.children()
            if isinstance(child, QWidget)
        ]
