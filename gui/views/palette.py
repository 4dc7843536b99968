"""The command palette (every action, by a few of its letters) and the list of shortcuts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from PySide6.QtCore import (
    QAbstractTableModel,
    QEvent,
    QModelIndex,
    QObject,
    QPersistentModelIndex,
    QSortFilterProxyModel,
    Qt,
)
from PySide6.QtGui import QColor, QKeyEvent, QKeySequence
from PySide6.QtWidgets import QDialog, QHeaderView, QLineEdit, QTreeView, QVBoxLayout, QWidget

from .. import theme
from ..actions import Action

_Index = QModelIndex | QPersistentModelIndex
MOVES = (Qt.Key.Key_Up, Qt.Key.Key_Down, Qt.Key.Key_PageUp, Qt.Key.Key_PageDown)


def rank(wanted: str, text: str) -> int | None:
    """How well a text answers what was typed: smaller is better, None not at all.

    >>> rank("pause", "Pause the run"), rank("run", "Pause the run"), rank("ptr", "Pause the run")
    (0, 10, 20)
    >>> rank("xyz", "Pause the run") is None
    True
    """
    wanted, text = wanted.casefold().strip(), text.casefold()
    if text.startswith(wanted):
        return 0
    if any(word.startswith(wanted) for word in text.split()):
        return 10
    if _subsequence(wanted.replace(" ", ""), "".join(word[0] for word in text.split())):
        return 20
    if wanted in text:
        return 30
    if all(part in text for part in wanted.split()):
        return 40
    return 50 if _subsequence(wanted.replace(" ", ""), text) else None


def _subsequence(wanted: str, text: str) -> bool:
    letters = iter(text)
    return all(letter in letters for letter in wanted)


class ActionsModel(QAbstractTableModel):
    """The table of actions: text, help, shortcut. What cannot be done now is disabled."""

    def __init__(self, actions: Sequence[Action], parent: QObject | None = None):
        super().__init__(parent)
        self.actions = list(actions)
        self.enabled = [action.enabled() for action in actions]

    def rowCount(self, parent: _Index = QModelIndex()) -> int:  # noqa: B008
        """One row an action."""
        return 0 if parent.isValid() else len(self.actions)

    def columnCount(self, parent: _Index = QModelIndex()) -> int:  # noqa: B008
        """Text, help and shortcut."""
        return 0 if parent.isValid() else 3

    def data(self, index: _Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """What stands in a cell."""
        action, column = self.actions[index.row()], index.column()
        if role == Qt.ItemDataRole.DisplayRole:
            return (action.text, action.help, shortcut_text(action))[column]
        if role == Qt.ItemDataRole.ToolTipRole:
            return action.help
        if role == Qt.ItemDataRole.ForegroundRole and column and self.enabled[index.row()]:
            return QColor(theme.colours().muted)
        if role == Qt.ItemDataRole.TextAlignmentRole and column == 2:
            return Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
        return None

    def flags(self, index: _Index) -> Qt.ItemFlag:
        """Disabled rows cannot be chosen."""
        if not self.enabled[index.row()]:
            return Qt.ItemFlag.NoItemFlags
        return Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable


class _Ranked(QSortFilterProxyModel):
    """Rows that answer what was typed, best first."""

    wanted = ""

    def set_wanted(self, text: str) -> None:
        """Filter by another text."""
        self.wanted = text
        self.invalidate()
        self.sort(0)

    def _actions(self) -> ActionsModel:
        return self.sourceModel()

    def _rank(self, row: int) -> int | None:
        action = self._actions().actions[row]
        by_text = rank(self.wanted, action.text)
        if by_text is None and self.wanted.casefold() in action.help.casefold():
            return 60
        return by_text

    def filterAcceptsRow(self, row: int, parent: _Index) -> bool:
        """Whether the row answers at all."""
        return self._rank(row) is not None

    def lessThan(self, left: _Index, right: _Index) -> bool:
        """Possible before impossible, then by rank, then as in the table."""
        return self._key(left.row()) < self._key(right.row())

    def _key(self, row: int) -> tuple[bool, int, int]:
        return not self._actions().enabled[row], self._rank(row) or 0, row


class Palette(QDialog):
    """A line to type in, the actions that answer below; Enter does the chosen one."""

    def __init__(self, actions: Sequence[Action], run: Callable[[Action], object], parent: QWidget):
        super().__init__(parent)
        self.setWindowTitle("Search actions")
        self._run = run
        self.line = QLineEdit(placeholderText="What do you want to do?", clearButtonEnabled=True)
        self.line.setAccessibleName("Search actions")
        self._model = _Ranked(self)
        self._model.setSourceModel(ActionsModel(actions, self))
        self.list = _action_list("Actions")
        self.list.setModel(self._model)
        self.list.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        _lay_out_columns(self.list)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(10, 10, 10, 10)
        layout.addWidget(self.line)
        layout.addWidget(self.list)
        self.line.textChanged.connect(self._search)
        self.line.returnPressed.connect(self.accept)
        self.line.installEventFilter(self)
        self.list.clicked.connect(lambda _: self.accept())
        self.resize(760, 420)
        self._search("")

    def _search(self, text: str) -> None:
        self._model.set_wanted(text)
        self.list.setCurrentIndex(self._model.index(0, 0))
        self.list.scrollToTop()

    def shown(self) -> list[str]:
        """The texts of the actions listed, best first."""
        model = self._model
        return [str(model.index(row, 0).data()) for row in range(model.rowCount())]

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Up and down move in the list while the line keeps the focus."""
        if isinstance(event, QKeyEvent) and event.type() == QEvent.Type.KeyPress:
            key = Qt.Key(event.key())
            if key in MOVES:
                self._move(
                    {Qt.Key.Key_Up: -1, Qt.Key.Key_Down: 1}.get(key, 0)
                    or (-10 if key == Qt.Key.Key_PageUp else 10)
                )
                return True
        return super().eventFilter(watched, event)

    def _move(self, by: int) -> None:
        last = self._model.rowCount() - 1
        row = min(max(self.list.currentIndex().row() + by, 0), max(last, 0))
        self.list.setCurrentIndex(self._model.index(row, 0))

    def accept(self) -> None:
        """Close, then do the chosen action."""
        index = self.list.currentIndex()
        if not index.isValid() or not index.flags() & Qt.ItemFlag.ItemIsEnabled:
            return
        action = self._model._actions().actions[self._model.mapToSource(index).row()]
        super().accept()
        self._run(action)


class Shortcuts(QDialog):
    """All actions that have a shortcut."""

    def __init__(self, actions: Sequence[Action], parent: QWidget):
        super().__init__(parent)
        self.setWindowTitle("Keyboard shortcuts")
        with_keys = [action for action in actions if action.shortcut]
        model = ActionsModel(with_keys, self)
        model.enabled = [True] * len(with_keys)
        table = _action_list("Actions with shortcuts")
        table.setModel(model)
        _lay_out_columns(table)
        QVBoxLayout(self).addWidget(table)
        self.resize(720, 480)


def shortcut_text(action: Action) -> str:
    """The shortcut as the system writes it."""
    return QKeySequence(action.shortcut).toString(QKeySequence.SequenceFormat.NativeText)


def _action_list(name: str) -> QTreeView:
    view = QTreeView(accessibleName=name)
    view.setRootIsDecorated(False)
    view.setHeaderHidden(True)
    view.setUniformRowHeights(True)
    view.setAllColumnsShowFocus(True)
    view.setEditTriggers(QTreeView.EditTrigger.NoEditTriggers)
    view.setTextElideMode(Qt.TextElideMode.ElideRight)
    view.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
    return view


def _lay_out_columns(view: QTreeView) -> None:
    header = view.header()
    header.setStretchLastSection(False)
    header.setSectionResizeMode(0, QHeaderView.ResizeMode.ResizeToContents)
    header.setSectionResizeMode(1, QHeaderView.ResizeMode.Stretch)
    header.setSectionResizeMode(2, QHeaderView.ResizeMode.ResizeToContents)
