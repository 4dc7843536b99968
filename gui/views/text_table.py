"""A table of texts that are made when they come into view."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QPersistentModelIndex, Qt
from PySide6.QtGui import QKeySequence
from PySide6.QtWidgets import QAbstractItemView, QApplication, QHeaderView, QTableView, QWidget

PRECISION = 50  # rows that are looked at for the width of a column, beside the visible ones
_Index = QModelIndex | QPersistentModelIndex
_NONE = QModelIndex()
_RIGHT = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter


class Texts(QAbstractTableModel):
    """A header and rows; a row is asked for when it is first shown."""

    def __init__(self) -> None:
        super().__init__()
        self._header: Sequence[str] = ()
        self._makers: Sequence[Callable[[], Sequence[str]]] = ()
        self._made: dict[int, Sequence[str]] = {}

    def show_rows(
        self, header: Sequence[str], makers: Sequence[Callable[[], Sequence[str]]]
    ) -> None:
        """Take another table."""
        self.beginResetModel()
        self._header, self._makers, self._made = header, makers, {}
        self.endResetModel()

    def row(self, number: int) -> Sequence[str]:
        """The texts of a row."""
        if number not in self._made:
            self._made[number] = self._makers[number]()
        return self._made[number]

    def rowCount(self, parent: _Index = _NONE) -> int:
        """Of the table."""
        return 0 if parent.isValid() else len(self._makers)

    def columnCount(self, parent: _Index = _NONE) -> int:
        """Of the header."""
        return 0 if parent.isValid() else len(self._header)

    def data(self, index: _Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Texts; all but the first column are figures, at the right."""
        if role in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.ToolTipRole):
            return self.row(index.row())[index.column()]
        if role == Qt.ItemDataRole.TextAlignmentRole and index.column():
            return _RIGHT
        return None

    def headerData(
        self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole
    ) -> Any:
        """The columns' names."""
        if orientation == Qt.Orientation.Horizontal and role in (
            Qt.ItemDataRole.DisplayRole,
            Qt.ItemDataRole.ToolTipRole,
        ):
            return self._header[section]
        return super().headerData(section, orientation, role)


class TextTable(QTableView):
    """Shows :class:`Texts`; Ctrl+C copies the selected cells as tabulated text."""

    def __init__(self, name: str, texts: Texts | None = None, parent: QWidget | None = None):
        super().__init__(parent)
        self.setAccessibleName(name)
        self.texts = texts or Texts()
        self.setModel(self.texts)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setAlternatingRowColors(True)
        self.setShowGrid(False)
        self.setWordWrap(True)
        self.verticalHeader().hide()
        header = self.horizontalHeader()
        header.setDefaultAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        header.setTextElideMode(Qt.TextElideMode.ElideNone)
        header.setSectionResizeMode(QHeaderView.ResizeMode.Interactive)
        header.setResizeContentsPrecision(PRECISION)
        self.setHorizontalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)

    def show_rows(
        self, header: Sequence[str], makers: Sequence[Callable[[], Sequence[str]]]
    ) -> None:
        """Take another table; the place that is looked at stays."""
        down, right = self.verticalScrollBar().value(), self.horizontalScrollBar().value()
        self.texts.show_rows([_wrapped(text) for text in header], makers)
        self.resizeColumnsToContents()
        self.verticalScrollBar().setValue(down)
        self.horizontalScrollBar().setValue(right)

    def keyPressEvent(self, event: Any) -> None:
        """Copy as tables and text editors take it."""
        if not event.matches(QKeySequence.StandardKey.Copy):
            super().keyPressEvent(event)
            return
        lines: dict[int, list[str]] = {}
        for index in sorted(self.selectedIndexes()):
            lines.setdefault(index.row(), []).append(str(index.data()))
        QApplication.clipboard().setText("\n".join("\t".join(cells) for cells in lines.values()))


def _wrapped(text: str, most: int = 22) -> str:
    """A long heading in lines, broken after commas and spaces."""
    if "\n" in text:
        return text
    lines = [""]
    for word in text.split(" "):
        if lines[-1] and len(lines[-1]) + len(word) > most:
            lines.append(word)
        else:
            lines[-1] = f"{lines[-1]} {word}".strip()
    return "\n".join(lines)
