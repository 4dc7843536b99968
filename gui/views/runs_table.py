"""The table of runs: what is folded and what is selected."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

from PySide6.QtCore import (
    QEvent,
    QItemSelection,
    QItemSelectionModel,
    QItemSelectionRange,
    QModelIndex,
    QSignalBlocker,
    Qt,
    Signal,
)
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QAbstractItemView, QWidget

from ..models.run_group import Group
from ..models.run_record import RunRecord
from ..models.run_tree import Row, members
from .runs_columns import RunsColumns
from .runs_model import Index, RunsModel


class RunsTable(RunsColumns):
    """Runs, and groups of them that fold.

    Signals:
        entered: Return on a run, or a double click.
    """

    entered = Signal()

    def __init__(self, model: RunsModel, parent: QWidget | None = None):
        super().__init__(model, parent)
        self.unfolded: set[str] = set()  # groups, as the user left them
        self._folding = False  # by us, not by the user
        self._selected: list[Row] | None = None  # known until it changes
        self._kept: list[str] = []  # selected, while rows move
        self.setAccessibleName("Runs")
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.setEditTriggers(QAbstractItemView.EditTrigger.EditKeyPressed)
        self.setAlternatingRowColors(True)
        self.setAllColumnsShowFocus(True)
        self.setUniformRowHeights(True)
        self.setExpandsOnDoubleClick(False)
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.expanded.connect(lambda index: self._folded(index, False))
        self.collapsed.connect(lambda index: self._folded(index, True))
        self.doubleClicked.connect(self._enter)
        model.arranging.connect(self._take_selection)
        model.arranged.connect(self._give_selection)

    # -- groups -------------------------------------------------------------------------------

    def fold_again(self) -> None:
        """Fold the groups as the user left them; what is searched lies open."""
        self._folding = True
        for group in self._model.tree.groups():
            open_ = self._model.tree.searched or group.key in self.unfolded
            self.setExpanded(self._model.index_of(group.key), open_)
        self._folding = False

    def _folded(self, index: QModelIndex, away: bool) -> None:
        if not self._folding and not self._model.tree.searched:
            key = self._model.row(index).key
            (self.unfolded.discard if away else self.unfolded.add)(key)

    def has_groups(self) -> bool:
        """Whether there is anything to fold."""
        return bool(self._model.tree.groups())

    def fold(self) -> None:
        """Fold all groups."""
        self.collapseAll()

    def unfold(self) -> None:
        """Unfold all groups."""
        for group in self._model.tree.groups():
            self.expand(self._model.index_of(group.key))

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Return folds and unfolds a group, and enters a run; the rest is Qt's."""
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and self.hasFocus():
            self._enter(self.currentIndex())
        else:
            super().keyPressEvent(event)

    def _enter(self, index: Index) -> None:
        if not index.isValid():
            return
        if isinstance(self._model.row(index), Group):
            self.setExpanded(
                index.siblingAtColumn(0), not self.isExpanded(index.siblingAtColumn(0))
            )
        else:
            self.entered.emit()

    # -- runs ---------------------------------------------------------------------------------

    def selected_rows(self) -> list[Row]:
        """The selected runs and groups, the current one first, the others from the top."""
        if self._selected is None:
            current = self.currentIndex()
            first = self._model.row(current).key if current.isValid() else ""
            places = sorted(self._selected_places())
            rows = self._model.tree.rows
            found = [members(rows[top])[row] if row >= 0 else rows[top] for top, row in places]
            self._selected = sorted(found, key=lambda row: row.key != first)
        return self._selected

    def _selected_places(self) -> set[tuple[int, int]]:
        """(row at the top, row inside its group or -1) of what is selected."""
        found: set[tuple[int, int]] = set()
        for part in self.selectionModel().selection():
            group, rows = part.parent(), range(part.top(), part.bottom() + 1)
            found |= {(group.row(), row) if group.isValid() else (row, -1) for row in rows}
        return found

    def _take_selection(self) -> None:
        """Qt would follow every cell of it: 20 s, where ten thousand rows are selected."""
        self._kept = [row.key for row in self.selected_rows()]
        with QSignalBlocker(self.selectionModel()):
            self._select(())

    def _give_selection(self) -> None:
        with QSignalBlocker(self.selectionModel()):
            self._select(self._kept)
        self._selected = None

    def _select(self, keys: Iterable[str]) -> None:
        found = (index for key in keys if (index := self._model.index_of(key)).isValid())
        chosen, last = QItemSelection(), len(self._model.columns) - 1
        for first, end in _stretches(found):
            chosen.append(QItemSelectionRange(first, end.siblingAtColumn(last)))
        self.selectionModel().select(chosen, QItemSelectionModel.SelectionFlag.ClearAndSelect)

    def selectionChanged(self, selected: QItemSelection, deselected: QItemSelection) -> None:
        """Others are selected."""
        self._selected = None
        super().selectionChanged(selected, deselected)

    def currentChanged(self, current: QModelIndex, previous: QModelIndex) -> None:
        """Another of the selected ones is the current one."""
        self._selected = None
        super().currentChanged(current, previous)

    def selected(self) -> list[RunRecord]:
        """The selected runs, the current one first.

        A group stands for all of its runs, unless some of them are selected themselves.
        """
        rows = self.selected_rows()
        runs = {row.key for row in rows if isinstance(row, RunRecord)}
        found: dict[str, RunRecord] = {}
        for row in rows:
            records = members(row)
            if isinstance(row, RunRecord) or not any(record.key in runs for record in records):
                found |= {record.key: record for record in records}
        return list(found.values())

    def one(self) -> RunRecord | None:
        """The run that is meant: the current one of those selected; None if that is a group."""
        rows = self.selected_rows()
        return rows[0] if rows and isinstance(rows[0], RunRecord) else None

    def select(self, keys: Sequence[str]) -> None:
        """Select runs and groups by their paths; the last one is the current one."""
        self._select(keys)
        found = [index for key in keys if (index := self._model.index_of(key)).isValid()]
        if found:
            stays = QItemSelectionModel.SelectionFlag.NoUpdate
            self.selectionModel().setCurrentIndex(found[-1], stays)

    def show_settings(self, paths: Sequence[str], muted: Iterable[str] = ()) -> None:
        """Selected rows stay so: Qt takes one with a new column for half selected."""
        selected = [row.key for row in reversed(self.selected_rows())]
        super().show_settings(paths, muted)
        self.select(selected)

    def edit_name(self) -> None:
        """Open the editor on the current run's name."""
        column = self._model.column_of("name")
        index = self.currentIndex()
        if index.isValid() and column is not None:
            at = index.siblingAtColumn(column)
            self.setCurrentIndex(at)
            self.edit(at)

    def changeEvent(self, event: QEvent) -> None:
        """Repaint in the new colours."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange:
            self.viewport().update()

    # -- the session --------------------------------------------------------------------------

    def state(self) -> dict[str, Any]:
        """Columns, sorting, and which groups are unfolded."""
        return {**super().state(), "unfolded": sorted(self.unfolded)}

    def restore(self, state: Mapping[str, Any]) -> None:
        """The inverse; what makes no sense is passed over."""
        super().restore(state)
        unfolded = state.get("unfolded")
        if isinstance(unfolded, list):
            self.unfolded = set(map(str, unfolded))
            self.fold_again()


def _stretches(indexes: Iterable[QModelIndex]) -> Iterator[tuple[QModelIndex, QModelIndex]]:
    """First and last of those that stand one below the other."""
    ordered = sorted(indexes, key=lambda index: (index.internalId(), index.row()))
    for _, part in groupby(
        enumerate(ordered), lambda at: (at[1].internalId(), at[1].row() - at[0])
    ):
        stretch = [index for _, index in part]
        yield stretch[0], stretch[-1]
