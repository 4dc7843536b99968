"""A box that offers runs, however many: what is typed finds those whose names hold it."""

from __future__ import annotations

import pathlib
from collections.abc import Iterable
from typing import Any

from PySide6.QtCore import (
    QAbstractListModel,
    QEvent,
    QModelIndex,
    QObject,
    QPersistentModelIndex,
    QSignalBlocker,
    Qt,
)
from PySide6.QtWidgets import QComboBox, QCompleter, QLineEdit, QListView, QStylePainter, QWidget

from ..models.run_record import RunRecord
from .no_wheel import guard

Choice = tuple[str, str]  # name and path
DATED = 34  # characters of the name that a run has unless another is given
_Index = QModelIndex | QPersistentModelIndex
_TOP = QModelIndex()
_TEXTS = (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.EditRole, Qt.ItemDataRole.ToolTipRole)


def trained(records: Iterable[RunRecord], files: Iterable[str] = ()) -> list[Choice]:
    """The runs that may have weights, and ``.keras`` files."""
    runs = [(record.name, record.key) for record in records if record.epochs or record.summary]
    return [*runs, *((pathlib.Path(path).name, path) for path in files)]


class Choices(QAbstractListModel):
    """Names to see and the paths that they stand for."""

    def __init__(self) -> None:
        super().__init__()
        self.pairs: list[Choice] = []
        self._places: dict[str, int] = {}

    def take(self, pairs: list[Choice]) -> None:
        """Offer others."""
        self.beginResetModel()
        self.pairs = pairs
        self._places = {path: place for place, (_, path) in enumerate(pairs)}
        self.endResetModel()

    def place(self, path: str) -> int:
        """Where a path stands; -1 where it does not."""
        return self._places.get(path, -1)

    def rowCount(self, parent: _Index = _TOP) -> int:
        """Number of choices."""
        return 0 if parent.isValid() else len(self.pairs)

    def data(self, index: _Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """The name, or the path."""
        if not index.isValid():
            return None
        name, path = self.pairs[index.row()]
        if role == Qt.ItemDataRole.UserRole:
            return path
        return name if role in _TEXTS else None


class _Shortened(QObject):
    """Ends what is too long for a line in "…" while nobody types; Qt cuts it in a letter.

    A line of a class of ours would not be dressed as a part of its box.
    """

    def __init__(self, line: QLineEdit):
        super().__init__(line)
        self._line = line
        line.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Paint in the line's place."""
        line = self._line
        if event.type() != QEvent.Type.Paint or line.hasFocus():
            return False
        room = line.rect().adjusted(2, 0, -2, 0)  # as Qt's own
        cut = Qt.TextElideMode.ElideRight
        text = line.fontMetrics().elidedText(line.text(), cut, room.width())
        if text == line.text():
            return False
        where = Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft
        painter = QStylePainter(line)
        painter.drawItemText(
            room, where, line.palette(), line.isEnabled(), text, line.foregroundRole()
        )
        painter.end()
        return True


class RunBox(QComboBox):
    """One of the runs; nothing else can be entered."""

    def __init__(self, name: str, parent: QWidget | None = None):
        super().__init__(parent)
        self._choices = Choices()
        self._waiting: list[Choice] | None = None  # while somebody types
        self.setAccessibleName(name)
        self.setEditable(True)
        _Shortened(self.lineEdit())
        self.setInsertPolicy(QComboBox.InsertPolicy.NoInsert)
        self.setModel(self._choices)
        self.setMinimumContentsLength(8)
        self.lineEdit().setPlaceholderText("no run yet")
        policy = QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
        self.setSizeAdjustPolicy(policy)
        view = self.view()
        if isinstance(view, QListView):
            view.setUniformItemSizes(True)
        finder = QCompleter(self._choices, self)
        finder.setFilterMode(Qt.MatchFlag.MatchContains)
        finder.setCaseSensitivity(Qt.CaseSensitivity.CaseInsensitive)
        self.setCompleter(finder)
        self.lineEdit().editingFinished.connect(self._settle)
        self.currentIndexChanged.connect(lambda _: self._show_start())
        guard(self)

    def offer(self, choices: Iterable[Choice]) -> None:
        """Offer these, silently; what was chosen stays so if it is still there."""
        wanted = list(choices)
        self._waiting = None
        if wanted == self._choices.pairs:
            return
        if self.lineEdit().isModified():
            self._waiting = wanted
            return
        before = self.path
        with QSignalBlocker(self):
            self._choices.take(wanted)
            self.setCurrentIndex(max(0, self._choices.place(before)) if wanted else -1)
        self._show_start()

    @property
    def path(self) -> str:
        """What is chosen; empty if nothing is."""
        row = self.currentIndex()
        return self._choices.pairs[row][1] if 0 <= row < len(self._choices.pairs) else ""

    def choose(self, path: str) -> None:
        """Choose a path that is offered; nothing, if it is not."""
        place = self._choices.place(path)
        if place != self.currentIndex():  # what is being typed stays
            self.setCurrentIndex(place)

    def _settle(self) -> None:
        """What was typed and is no run gives way to the one that is chosen."""
        self.lineEdit().setModified(False)
        self.setEditText(self.itemText(self.currentIndex()))
        self._show_start()
        if self._waiting is not None:
            self.offer(self._waiting)

    def _show_start(self) -> None:
        """A long name from its start; the tool tip has it whole."""
        self.lineEdit().setCursorPosition(0)
        name = self.itemText(self.currentIndex())
        self.setToolTip("\n".join(filter(None, [name, "Type a part of a name to find it."])))
