"""The rail at the left: one button a screen."""

from __future__ import annotations

import dataclasses
import importlib
from collections.abc import Sequence

from PySide6.QtCore import QEvent, QSize, Qt, Signal
from PySide6.QtWidgets import QButtonGroup, QFrame, QSizePolicy, QToolButton, QVBoxLayout

from .. import theme
from .icons import icon
from .screen import Screen


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
            import pyqtgraph

            pyqtgraph.setConfigOption("imageAxisOrder", "row-major")
        return getattr(importlib.import_module(self.module, __package__), self.cls)


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
        layout = QVBoxLayout(self)
        layout.setContentsMargins(6, 10, 6, 10)
        layout.setSpacing(4)
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
        self._draw()

    def _button(self, name: str, text: str) -> QToolButton:
        button = QToolButton(text=text, autoRaise=True)
        button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextUnderIcon)
        button.setIconSize(QSize(24, 24))
        button.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        button.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self._buttons[name] = button
        return button

    def button(self, name: str) -> QToolButton:
        """The button of a screen."""
        return self._buttons[name]

    def mark(self, name: str) -> None:
        """Show which screen is in front."""
        self._buttons[name].setChecked(True)

    def _draw(self) -> None:
        colours = theme.colours()
        for name, button in self._buttons.items():
            button.setIcon(icon(name, colours.muted, colours.accent))

    def changeEvent(self, event: QEvent) -> None:
        """Take up the theme's colours."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange and hasattr(self, "_buttons"):
            self._draw()
