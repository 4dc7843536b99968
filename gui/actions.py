"""One table of actions: menu, shortcuts and the command palette are made from it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable


def _always() -> bool:
    return True


@dataclasses.dataclass(frozen=True)
class Action:
    """Something a user can do.

    Attributes:
        name: stable identity, ``"train.pause"``.
        text: what menu and palette show, an imperative.
        run: does it.
        menu: the menu it stands in; empty for the palette alone.
        shortcut: as Qt writes it, ``"Ctrl+P"``.
        enabled: whether it can be done now; asked each time a menu or the palette opens.
        help: one sentence for status bar and tool tip.
    """

    name: str
    text: str
    run: Callable[[], object]
    menu: str = ""
    shortcut: str = ""
    enabled: Callable[[], bool] = _always
    help: str = ""


MENUS = ("File", "Run", "Charts", "Attack", "View", "Help")
