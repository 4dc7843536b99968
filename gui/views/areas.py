"""Areas that scroll where there is little room, so that nothing is cut off."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject, QSize, Qt
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QFrame, QScrollArea, QWidget

from .screen import Screen


class Page(QScrollArea):
    """A screen in the window; both scroll bars come where it is smaller than the screen can be.

    Qt's own resizing would ask for the preferred height of a screen with lines that wrap.
    """

    def __init__(self, screen: Screen):
        super().__init__()
        self.setObjectName("page")
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.screen = screen
        self.setWidget(screen)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """The screen has the page's size, or its least."""
        self._fit()
        super().resizeEvent(event)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """The screen asks for another layout."""
        if watched is self.widget() and event.type() == QEvent.Type.LayoutRequest:
            self._fit()
        return super().eventFilter(watched, event)

    def _fit(self) -> None:
        bar, room = self.verticalScrollBar().sizeHint().width(), self.maximumViewportSize()
        least = _least(self.screen, room.width())
        if least.height() > room.height():
            room.setWidth(room.width() - bar)
            least = _least(self.screen, room.width())
        if least.width() > room.width():
            room.setHeight(room.height() - bar)
        self.screen.resize(room.expandedTo(least))


def _least(screen: Screen, width: int) -> QSize:
    """How small a screen of this width can be."""
    least = screen.minimumSizeHint()
    layout = screen.layout()
    if layout.hasHeightForWidth():
        least.setHeight(layout.totalMinimumHeightForWidth(max(width, least.width())))
    return least


class Column(QScrollArea):
    """Scrolls up and down only: as wide as its content needs."""

    def __init__(self, inside: QWidget):
        super().__init__(widgetResizable=True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setWidget(inside)
        self._widen()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """The content asks for another layout."""
        if watched is self.widget() and event.type() == QEvent.Type.LayoutRequest:
            self._widen()
        return super().eventFilter(watched, event)

    def _widen(self) -> None:
        edges = self.verticalScrollBar().sizeHint().width() + 2 * self.frameWidth()
        self.setMinimumWidth(self.widget().minimumSizeHint().width() + edges)
