"""What every screen of the rail is (its icon stands in :mod:`gui.views.icons` by its name)."""

from __future__ import annotations

from typing import Any

from PySide6.QtWidgets import QWidget

from .. import restyle
from ..actions import Action
from ..presenters.context import Context


class Screen(QWidget):
    """A page of the window. Subclasses set ``name`` and ``title`` and override what they need."""

    name = ""
    title = ""

    def __init__(self, context: Context):
        super().__init__()
        self.context = context
        self.setObjectName(self.name)
        self.setAccessibleName(self.title)
        restyle.may_wait(self)

    def actions_table(self) -> list[Action]:
        """The screen's part of the table of actions."""
        return []

    def shown(self) -> None:
        """The screen came to the front."""

    def state(self) -> dict[str, Any]:
        """Plain values that restore the screen in the next session."""
        return {}

    def restore(self, state: dict[str, Any]) -> None:
        """The inverse of ``state``; passes over what it cannot use."""
