"""Qt's model of the table of runs, on the columns of :mod:`gui.models.run_columns`."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from PySide6.QtCore import (
    QAbstractTableModel,
    QModelIndex,
    QPersistentModelIndex,
    QSortFilterProxyModel,
    Qt,
    Signal,
)
from PySide6.QtGui import QColor, QFont
from PySide6.QtWidgets import QWidget

from .. import theme
from ..models import run_words as words
from ..models.run_columns import COLUMNS, Column, setting_column
from ..models.run_query import Query
from ..models.run_record import RunRecord
from ..models.run_store import Changes

KEY_ROLE = Qt.ItemDataRole.UserRole  # what a cell sorts by
Index = QModelIndex | QPersistentModelIndex


class RunsModel(QAbstractTableModel):
    """Runs as rows, in the order they were found; the proxy sorts.

    Signals:
        renamed: a run and the name that the user gave it in its cell.
    """

    renamed = Signal(object, str)

    def __init__(self, records: Mapping[str, RunRecord], parent: QWidget | None = None):
        super().__init__(parent)
        self._source = records
        self.ordinary = COLUMNS
        self.columns: list[Column] = list(COLUMNS)
        self.records: list[RunRecord] = list(records.values())
        self._rows = {record.key: row for row, record in enumerate(self.records)}

    # -- what changes -------------------------------------------------------------------------

    def apply(self, changes: Changes) -> None:
        """Follow the store; selection and scroll position of views stay."""
        for key in changes.removed:
            self._remove(key)
        added = [self._source[key] for key in changes.added if key in self._source]
        added = [record for record in added if record.key not in self._rows]
        if added:
            first = len(self.records)
            self.beginInsertRows(QModelIndex(), first, first + len(added) - 1)
            self.records += added
            self._number()
            self.endInsertRows()
        for key in changes.changed:
            if key in self._rows:
                row = self._rows[key]
                self.dataChanged.emit(self.index(row, 0), self.index(row, len(self.columns) - 1))

    def _remove(self, key: str) -> None:
        row = self._rows.get(key)
        if row is None:
            return
        self.beginRemoveRows(QModelIndex(), row, row)
        del self.records[row]
        self._number()
        self.endRemoveRows()

    def _number(self) -> None:
        self._rows = {record.key: row for row, record in enumerate(self.records)}

    def show_settings(self, paths: Sequence[str]) -> None:
        """Have exactly these settings as columns after the ordinary ones."""
        wanted = list(paths)
        if wanted == [column.setting for column in self.columns[len(COLUMNS) :]]:
            return
        first = len(COLUMNS)
        if len(self.columns) > first:
            self.beginRemoveColumns(QModelIndex(), first, len(self.columns) - 1)
            del self.columns[first:]
            self.endRemoveColumns()
        if wanted:
            self.beginInsertColumns(QModelIndex(), first, first + len(wanted) - 1)
            self.columns += [_setting(path) for path in wanted]
            self.endInsertColumns()

    # -- what views ask -----------------------------------------------------------------------

    def row_of(self, key: str) -> int | None:
        """The row of a run."""
        return self._rows.get(key)

    def column_of(self, name: str) -> int | None:
        """The number of a column by its name."""
        return next((i for i, column in enumerate(self.columns) if column.name == name), None)

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008
        """One for each run."""
        return 0 if parent.isValid() else len(self.records)

    def columnCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008
        """The ordinary columns and those of settings."""
        return 0 if parent.isValid() else len(self.columns)

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
        """Text, sort key, alignment, colour and tool tip of a cell."""
        if not index.isValid():
            return None
        record, column = self.records[index.row()], self.columns[index.column()]
        if role == Qt.ItemDataRole.DisplayRole:
            return column.text(record)
        if role == KEY_ROLE:
            return column.key(record)
        if role == Qt.ItemDataRole.EditRole:
            return record.name
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return _alignment(column)
        if role == Qt.ItemDataRole.ForegroundRole:
            return _colour(record, column)
        if role == Qt.ItemDataRole.FontRole:
            return _font(record, column)
        if role == Qt.ItemDataRole.ToolTipRole:
            return _tip(record, column)
        if role == Qt.ItemDataRole.AccessibleTextRole:
            return f"{column.title}: {_spoken(record, column)}"
        return None

    def flags(self, index: Index) -> Qt.ItemFlag:
        """Names can be edited in their cell."""
        flags = super().flags(index)
        if index.isValid() and self.columns[index.column()].name == "name":
            flags |= Qt.ItemFlag.ItemIsEditable
        return flags

    def setData(self, index: Index, value: Any, role: int = Qt.ItemDataRole.EditRole) -> bool:
        """Hand a new name on; an empty one gives the folder's name back."""
        if role != Qt.ItemDataRole.EditRole or not index.isValid():
            return False
        record = self.records[index.row()]
        if str(value) != record.name:
            self.renamed.emit(record, str(value))
        return True


def _setting(path: str) -> Column:
    numeric = words.number(words.flat_value(path)) is not None
    return setting_column(path, number=numeric, width=max(7, len(path) - 1))


def _alignment(column: Column) -> Qt.AlignmentFlag:
    side = Qt.AlignmentFlag.AlignRight if column.number else Qt.AlignmentFlag.AlignLeft
    return side | Qt.AlignmentFlag.AlignVCenter


def _colour(record: RunRecord, column: Column) -> QColor | None:
    colours = theme.colours()
    if column.name == "status":
        return QColor(getattr(colours, words.status(record).colour))
    if column.name == "drop" and words.is_large(record.drop):
        return QColor(colours.bad)
    if column.name in ("started", "notes", "folder"):
        return QColor(colours.muted)
    return None


def _font(record: RunRecord, column: Column) -> QFont | None:
    if column.name == "drop" and words.is_large(record.drop):
        font = QFont()
        font.setBold(True)
        return font
    return None


def _tip(record: RunRecord, column: Column) -> str | None:
    if column.name == "name":
        return "\n".join(filter(None, [str(record.path), record.problem]))
    if column.name == "status":
        return "\n".join(filter(None, [words.status(record).help, record.failure, record.problem]))
    if column.name == "notes":
        return record.notes or None
    return None


def _spoken(record: RunRecord, column: Column) -> str:
    if column.name == "curve":
        return words.best_text(record)
    return column.text(record) or "empty"


class RunsProxy(QSortFilterProxyModel):
    """Sorts by number, not by text, cells without a figure last; filters by query and state."""

    def __init__(self, parent: QWidget | None = None):
        super().__init__(parent)
        self.query = Query()
        self.statuses: Collection[str] = ()
        self.keys: Collection[str] = ()
        self.setSortRole(KEY_ROLE)

    def ask(self, query: Query, statuses: Collection[str], keys: Collection[str] = ()) -> None:
        """Show runs that match a query, of these states and keys (of all where none is named)."""
        wanted = query, tuple(statuses), frozenset(keys)
        if wanted != (self.query, self.statuses, self.keys):
            self.beginFilterChange()
            self.query, self.statuses, self.keys = wanted
            self.endFilterChange()

    def records(self) -> list[RunRecord]:
        """The runs shown, in their order."""
        return [self.record(self.index(row, 0)) for row in range(self.rowCount())]

    def record(self, index: Index) -> RunRecord:
        """The run of a row."""
        return self._runs().records[self.mapToSource(index).row()]

    def _runs(self) -> RunsModel:
        return self.sourceModel()

    def filterAcceptsRow(self, row: int, parent: Index) -> bool:
        """Whether a run is shown."""
        record = self._runs().records[row]
        if self.statuses and record.status not in self.statuses:
            return False
        if self.keys and record.key not in self.keys:
            return False
        return self.query.matches(record)

    def lessThan(self, left: Index, right: Index) -> bool:
        """Order of two cells."""
        a, b = left.data(KEY_ROLE), right.data(KEY_ROLE)
        if a is None or b is None:  # last in either order
            ascending = self.sortOrder() == Qt.SortOrder.AscendingOrder
            return (a is not None) is ascending if (a is None) != (b is None) else False
        return (isinstance(a, str), a) < (isinstance(b, str), b)
