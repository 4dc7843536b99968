"""Another style sheet for a window of thousands of widgets, without a stall."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from PySide6.QtCore import QEvent, QObject, Qt
from PySide6.QtWidgets import QApplication, QMenu, QWidget
from shiboken6 import isValid

_POLISHED = Qt.WidgetAttribute.WA_WState_Polished


def may_wait(part: QWidget) -> _Patient:
    """Let a part of the window that is hidden take up another sheet when it is shown again."""
    patient = _Patient(part)
    _patients.add(patient)
    return patient


class _Patient(QObject):
    """Sees a part of the window being shown."""

    def __init__(self, part: QWidget):
        super().__init__(part)
        self.behind = False
        part.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Catch up before it is painted."""
        if self.behind and event.type() == QEvent.Type.Show:
            self.behind = False
            family = [watched, *watched.findChildren(QWidget)]
            _polish([widget for widget in family if not widget.testAttribute(_POLISHED)])
        return False


_patients: set[_Patient] = set()


def change_sheet(app: QApplication, sheet: str) -> None:
    """Another style sheet, which each widget on screen looks at once and hidden parts later.

    Left to itself Qt lets all look, once for each of their ancestors: a second for a window.
    """
    _patients.intersection_update([patient for patient in _patients if isValid(patient)])
    now = []
    for widget, waits in _from_above(app, {patient.parent(): patient for patient in _patients}):
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


def _from_above(
    app: QApplication, patients: dict[QObject, _Patient]
) -> Iterator[tuple[QWidget, bool]]:
    """The widgets, parents before their children, and whether they stand in a hidden part; those
    that wait since an earlier change are passed over."""
    tops = [widget for widget in app.allWidgets() if widget.parentWidget() is None]
    level = [(top, isinstance(top, QMenu)) for top in tops]  # pyqtgraph's menus, never shown
    while level:
        level = [(widget, waits or _waits(widget, patients)) for widget, waits in level]
        level = [(w, waits) for w, waits in level if not waits or w.testAttribute(_POLISHED)]
        yield from level
        level = [
            (child, waits)
            for widget, waits in level
            for child in widget.children()
            if isinstance(child, QWidget)
        ]


def _waits(widget: QWidget, patients: dict[QObject, _Patient]) -> bool:
    """Whether it is a hidden part, a closed list of a combo box for example."""
    closed = widget.isWindow() and widget.parentWidget() is not None
    if widget.isVisible() or not (closed or widget in patients):
        return False
    patient = patients.get(widget) or may_wait(widget)
    patient.behind = True
    return True
