"""Qt's model of the table of runs: :mod:`gui.models.run_tree` in the columns of ``run_columns``.

It filters and sorts by itself: Qt's proxy would ask Python for two cells at each comparison.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any

from PySide6.QtCore import (
    QAbstractItemModel,
    QModelIndex,
    QObject,
    QPersistentModelIndex,
    Qt,
    Signal,
)
from PySide6.QtGui import QColor, QFont

from .. import theme
from ..models import run_group
from ..models import run_words as words
from ..models.run_columns import COLUMNS, Column, setting_column
from ..models.run_group import Group
from ..models.run_query import Query
from ..models.run_record import RunRecord
from ..models.run_store import Changes
from ..models.run_tree import Row, RunTree, cell

Index = QModelIndex | QPersistentModelIndex
TOP = QModelIndex()
OF_GROUP = Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable
OF_RUN = OF_GROUP | Qt.ItemFlag.ItemNeverHasChildren
OF_NAME = OF_RUN | Qt.ItemFlag.ItemIsEditable


class RunsModel(QAbstractItemModel):
    """Runs and groups of runs. An index of a run inside a group holds the number of the group.

    Signals:
        renamed: a run and the name that the user gave it in its cell.
        arranging: rows are about to come, go or move.
        arranged: they did.
    """

    renamed = Signal(object, str)
    arranging = Signal()
    arranged = Signal()

    def __init__(self, tree: RunTree, parent: QObject | None = None):
        super().__init__(parent)
        self.tree = tree
        self.ordinary = COLUMNS
        self.columns: list[Column] = list(COLUMNS)
        tree.arrange()

    # -- what changes -------------------------------------------------------------------------

    def apply(self, changes: Changes) -> None:
        """Follow the store; selection and scroll position of views stay."""
        if not self._arrange():
            self._tell(changes.changed)

    def ask(self, query: Query, states: Collection[str], keys: Collection[str] = ()) -> None:
        """Show other runs; see :meth:`RunTree.ask`."""
        if self.tree.ask(query, states, keys):
            self._arrange()

    def sort(self, column: int, order: Qt.SortOrder = Qt.SortOrder.AscendingOrder) -> None:
        """Have another order."""
        if 0 <= column < len(self.columns):
            self.tree.sort_by(self.columns[column], order == Qt.SortOrder.DescendingOrder)
            self._arrange()

    def _arrange(self) -> bool:
        """Arrange the rows anew; returns whether any came, went or moved."""
        moved = self.tree.plan()
        if not moved:
            self.tree.adopt()
            return False
        self.arranging.emit()
        self.layoutAboutToBeChanged.emit()
        remembered = self.persistentIndexList()
        keys = [self.row(index).key for index in remembered]
        self.tree.adopt()
        pairs = zip(remembered, keys, strict=True)
        now = [self.index_of(key, index.column()) for index, key in pairs]
        self.changePersistentIndexList(remembered, now)
        self.layoutChanged.emit()
        self.arranged.emit()
        return True

    def _tell(self, keys: Iterable[str]) -> None:
        """Cells of these runs, and of their groups, say something else."""
        last = len(self.columns) - 1
        for key in keys:
            first = self.index_of(key)
            while first.isValid():
                self.dataChanged.emit(first, first.siblingAtColumn(last))
                first = first.parent()

    def show_settings(self, paths: Sequence[str]) -> None:
        """Have exactly these settings as columns after the ordinary ones."""
        wanted = list(paths)
        if wanted == [column.setting for column in self.columns[len(COLUMNS) :]]:
            return
        first = len(COLUMNS)
        if len(self.columns) > first:
            self.beginRemoveColumns(TOP, first, len(self.columns) - 1)
            del self.columns[first:]
            self.endRemoveColumns()
        if wanted:
            self.beginInsertColumns(TOP, first, first + len(wanted) - 1)
            self.columns += [_setting(path) for path in wanted]
            self.endInsertColumns()

    # -- where things are ---------------------------------------------------------------------

    def row(self, index: Index) -> Row:
        """The run or the group of a row."""
        number = index.internalId()
        rows: Sequence[Row] = self.tree.group(number).records if number else self.tree.rows
        return rows[index.row()]

    def index_of(self, key: str, column: int = 0) -> QModelIndex:
        """Where a run or a group is; an invalid index if it is not shown."""
        if key not in self.tree.places:
            return QModelIndex()
        group, row = self.tree.places[key]
        return self.createIndex(row, column, group.number if group else 0)

    def column_of(self, name: str) -> int | None:
        """The number of a column by its name."""
        return next((i for i, column in enumerate(self.columns) if column.name == name), None)

    def index(self, row: int, column: int, parent: Index = TOP) -> QModelIndex:
        """Of a cell."""
        if not (0 <= row < self.rowCount(parent) and 0 <= column < len(self.columns)):
            return QModelIndex()
        number = self.tree.rows[parent.row()].number if parent.isValid() else 0
        return self.createIndex(row, column, number)

    def parent(self, index: Index | None = None) -> Any:
        """The group of a run."""
        if index is None:
            return super().parent()
        number = index.internalId() if index.isValid() else 0
        return self.index_of(self.tree.group(number).key) if number else QModelIndex()

    def rowCount(self, parent: Index = TOP) -> int:
        """Rows at the top, or the runs of a group."""
        if not parent.isValid():
            return len(self.tree.rows)
        row = None if parent.internalId() or parent.column() else self.tree.rows[parent.row()]
        return len(row.records) if isinstance(row, Group) else 0

    def columnCount(self, parent: Index = TOP) -> int:
        """The ordinary columns and those of settings."""
        return len(self.columns)

    # -- what views ask -----------------------------------------------------------------------

    def headerData(
        self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole
    ) -> Any:
        """Titles and what they mean."""
        if orientation != Qt.Orientation.Horizontal or not 0 <= section < len(self.columns):
            return None
        column = self.columns[section]
        if role == Qt.ItemDataRole.DisplayRole:
            return column.title
        if role == Qt.ItemDataRole.ToolTipRole:
            return column.help
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return _alignment(column)
        return None

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Text, alignment, colour and tool tip of a cell."""
        if not index.isValid():
            return None
        row, column = self.row(index), self.columns[index.column()]
        if role == Qt.ItemDataRole.DisplayRole:
            return self._text(row, column, index.internalId())
        if role == Qt.ItemDataRole.EditRole:
            return row.name
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return _alignment(column)
        if role == Qt.ItemDataRole.ForegroundRole:
            return _colour(row, column)
        if role == Qt.ItemDataRole.FontRole:
            return _font(row, column)
        if role == Qt.ItemDataRole.ToolTipRole:
            return _tip(row, column)
        if role == Qt.ItemDataRole.AccessibleTextRole:
            return f"{column.title}: {_spoken(row, column)}"
        return None

    def _text(self, row: Row, column: Column, group: int) -> str:
        if group and column.name == "name" and isinstance(row, RunRecord):
            return self.tree.group(group).short_name(row)
        return cell(row, column).text

    def flags(self, index: Index) -> Qt.ItemFlag:
        """Names of runs can be edited in their cell. (Asked for every row of a long table.)"""
        if not index.isValid():
            return Qt.ItemFlag.NoItemFlags
        if not index.internalId() and isinstance(self.tree.rows[index.row()], Group):
            return OF_GROUP
        return OF_NAME if self.columns[index.column()].name == "name" else OF_RUN

    def setData(self, index: Index, value: Any, role: int = Qt.ItemDataRole.EditRole) -> bool:
        """Hand a new name on; an empty one gives the folder's name back."""
        if role != Qt.ItemDataRole.EditRole or not index.isValid():
            return False
        record = self.row(index)
        if isinstance(record, RunRecord) and str(value) != record.name:
            self.renamed.emit(record, str(value))
        return True


def _setting(path: str) -> Column:
    numeric = words.number(words.flat_value(path)) is not None
    return setting_column(path, number=numeric, width=max(7, len(path) - 1))


def _alignment(column: Column) -> Qt.AlignmentFlag:
    side = Qt.AlignmentFlag.AlignRight if column.number else Qt.AlignmentFlag.AlignLeft
    return side | Qt.AlignmentFlag.AlignVCenter


def _colour(row: Row, column: Column) -> QColor | None:
    colours = theme.colours()
    if column.name == "status" and isinstance(row, RunRecord):
        return QColor(getattr(colours, words.status(row).colour))
    if _is_large_drop(row, column):
        return QColor(colours.bad)
    if column.name in ("started", "notes", "folder"):
        return QColor(colours.muted)
    return None


def _font(row: Row, column: Column) -> QFont | None:
    if _is_large_drop(row, column) or (column.name == "name" and isinstance(row, Group)):
        font = QFont()
        font.setBold(True)
        return font
    return None


def _is_large_drop(row: Row, column: Column) -> bool:
    return column.name == "drop" and words.is_large(cell(row, column).key)


def _tip(row: Row, column: Column) -> str | None:
    if isinstance(row, Group):
        return _tip_of_group(row, column)
    if column.name == "name":
        return "\n".join(filter(None, [str(row.path), row.problem]))
    if column.name == "status":
        return "\n".join(filter(None, [words.status(row).help, row.failure, row.problem]))
    if column.name == "notes":
        return row.notes or None
    return None


def _tip_of_group(group: Group, column: Column) -> str | None:
    if column.name == "name":
        return f"{group.folder}\nReturn folds and unfolds; what is done with it is done with all."
    if column.name == "status":
        return run_group.states_in_words(group.records)
    return "Mean, and from the lowest to the highest." if column.number else None


def _spoken(row: Row, column: Column) -> str:
    if isinstance(row, Group) and column.name == "status":
        return run_group.states_in_words(row.records)
    if isinstance(row, RunRecord) and column.name == "curve":
        return words.best_text(row)
    return cell(row, column).text or "empty"
