"""Menus and shortcuts, made from the table of actions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from PySide6.QtCore import QObject
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QMainWindow, QMenu

from ..actions import MENUS, Action


class Menus:
    """The menus of a window; made anew when there are other actions.

    Args:
        window: whose menu bar it is.
        run: does an action.
    """

    def __init__(self, window: QMainWindow, run: Callable[[Action], None]):
        self._window, self._run = window, run
        self._actions: list[Action] = []
        self._made: list[QObject] = []  # menus and their actions

    def show(self, actions: list[Action]) -> None:
        """Have these actions, and no others."""
        self._actions = actions
        self._window.menuBar().clear()
        for old in self._made:
            old.deleteLater()
        self._made.clear()
        for name in MENUS:
            inside = [action for action in actions if action.menu == name]
            if inside:
                self._make_menu(name, inside)
        for action in actions:
            if action.menu not in MENUS and action.shortcut:
                self._window.addAction(self._qt_action(action))

    def share_keys(self, front: str, owners: Mapping[str, str]) -> None:
        """A shortcut of two screens is that of the screen in front, else of the first of them.

        Args:
            front: the screen in front.
            owners: actions to their screens.
        """
        groups: dict[str, list[QAction]] = {}
        for action in self._actions:
            item = self._window.findChild(QAction, action.name)
            if action.shortcut and isinstance(item, QAction):
                groups.setdefault(action.shortcut, []).append(item)
        for key, items in groups.items():
            if len(items) > 1:
                of_front = [i for i in items if owners.get(i.objectName()) == front]
                for item in items:
                    item.setShortcut(key if item is (of_front or items)[0] else "")

    def _make_menu(self, name: str, actions: list[Action]) -> None:
        menu = QMenu(f"&{name}", self._window)
        self._made.append(menu)
        pairs = []
        group = ""
        for action in sorted(actions, key=_last_in_menu):
            before, group = group, action.name.split(".")[0]
            if before and before != group:
                menu.addSeparator()
            item = self._qt_action(action)
            menu.addAction(item)
            pairs.append((action, item))
        menu.aboutToShow.connect(partial(_enable, pairs, lambda action: bool(action.enabled())))
        menu.aboutToHide.connect(partial(_enable, pairs, lambda _: True))  # shortcuts ask run()
        self._window.menuBar().addMenu(menu)

    def _qt_action(self, action: Action) -> QAction:
        item = QAction(action.text, self._window)
        self._made.append(item)
        item.setObjectName(action.name)
        item.setShortcut(action.shortcut)
        item.setStatusTip(action.help)
        item.triggered.connect(lambda: self._run(action))
        return item


def _enable(pairs: list[tuple[Action, QAction]], can: Callable[[Action], bool]) -> None:
    for action, item in pairs:
        item.setEnabled(can(action))


def _last_in_menu(action: Action) -> int:
    return {"file": 1, "help": 1}.get(action.name.split(".")[0], 0)
