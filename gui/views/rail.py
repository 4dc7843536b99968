"""The rail at the left: one button a screen."""

from __future__ import annotations

import dataclasses
import importlib
from collections.abc import Sequence

from PySide6.QtCore import QEvent, QSize, Qt, Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QButtonGroup, QFrame, QSizePolicy, QToolButton, QVBoxLayout

from .. import theme
from .icons import icon
from .screen import Screen

ICON = 24  # pixels
EDGE = {False: 10, True: 2}  # above the first and below the last button; True: icons alone


@dataclasses.dataclass(frozen=True)
class Place:
    """A place of the rail: a screen that is imported when it is first needed.

    Attributes:
        name, title: those of the screen.
        module, cls: where its class is, beside this module.
        plots: whether it draws with pyqtgraph, whose import takes longer than the window.
    """

    name: str
    title: str
    module: str
    cls: str
    plots: bool = False

    def screen(self) -> type[Screen]:
        """The class of the screen."""
        if self.plots:
            import_pyqtgraph()
        return getattr(importlib.import_module(self.module, __package__), self.cls)


def import_pyqtgraph() -> None:
    """With the settings that all charts share."""
    import pyqtgraph

    pyqtgraph.setConfigOption("imageAxisOrder", "row-major")


class Rail(QFrame):
    """Exclusive buttons; the arrow keys go from one to the next.

    Signals:
        chosen: the name of a screen.
        search: the user wants the command palette.
    """

    chosen = Signal(str)
    search = Signal()

    def __init__(self, screens: Sequence[Place]):
        super().__init__()
        self.setObjectName("rail")
        self._group = QButtonGroup(self)
        self._buttons: dict[str, QToolButton] = {}
        self._small = False
        self._colours: theme.Colours | None = None  # of the icons
        layout = QVBoxLayout(self)
        for number, screen in enumerate(screens, start=1):
            button = self._button(screen.name, screen.title)
            button.setToolTip(f"{screen.title} (Ctrl+{number})")
            button.setCheckable(True)
            self._group.addButton(button)
            button.clicked.connect(lambda _=False, name=screen.name: self.chosen.emit(name))
            layout.addWidget(button)
        layout.addStretch()
        search = self._button("search", "Actions")
        search.setToolTip("Search all actions (Ctrl+K)")
        search.clicked.connect(self.search)
        layout.addWidget(search)
        self._arrange()
        self._tall = self.sizeHint().height()
        self._draw()

    def _button(self, name: str, text: str) -> QToolButton:
        button = QToolButton(text=text, autoRaise=True)
        button.setIconSize(QSize(ICON, ICON))
        button.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        button.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self._buttons[name] = button
        return button

    def button(self, name: str) -> QToolButton:
        """The button of a screen."""
        return self._buttons[name]

    def mark(self, name: str) -> None:
        """Show which screen is in front; the keyboard's place in the rail goes along."""
        self._buttons[name].setChecked(True)
        if any(button.hasFocus() for button in self._buttons.values()):
            self._buttons[name].setFocus()

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Icons alone in a window too low for the words."""
        super().resizeEvent(event)
        low = event.size().height() < self._tall
        if low != self._small:
            self._small = low
            self._arrange()

    def minimumSizeHint(self) -> QSize:
        """As low as icons alone."""
        width = super().minimumSizeHint().width()
        return QSize(width, len(self._buttons) * (ICON + 16) + 2 * EDGE[True])

    def _arrange(self) -> None:
        style = Qt.ToolButtonStyle
        for button in self._buttons.values():
            button.setToolButtonStyle(
                style.ToolButtonIconOnly if self._small else style.ToolButtonTextUnderIcon
            )
        self.layout().setContentsMargins(6, EDGE[self._small], 6, EDGE[self._small])
        self.layout().setSpacing(0 if self._small else 4)

    def _draw(self) -> None:
        colours = theme.colours()
        if colours == self._colours:  # the palette changes more often than the theme
            return
        self._colours = colours
        for name, button in self._buttons.items():
            button.setIcon(icon(name, colours.muted, colours.accent))

    def changeEvent(self, event: QEvent) -> None:
        """Take up the theme's colours."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange and hasattr(self, "_buttons"):
            self._draw()
