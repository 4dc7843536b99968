"""Areas that scroll where there is little room, so that nothing is cut off."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject, Qt
from PySide6.QtWidgets import QFrame, QScrollArea, QWidget

from .screen import Screen


class Page(QScrollArea):
    """A screen in the window; both scroll bars come where it is smaller than the screen can be."""

    def __init__(self, screen: Screen):
        super().__init__(widgetResizable=True)
        self.setObjectName("page")
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.screen = screen
        self.setWidget(screen)


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
