"""The rows of the table of runs: filtered, sorted, and the runs of one folder in a group."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any, TypeVar

from .run_columns import COLUMNS, Column
from .run_group import Cell, Group
from .run_query import Query
from .run_record import RunRecord

Row = RunRecord | Group
_Some = TypeVar("_Some", RunRecord, Row)


class RunTree:
    """Runs and groups of runs, two deep at most.

    Runs that lie in the runs folder itself are no group, nor is a run that is alone in its folder.

    Attributes:
        rows: at the top.
        places: the group, if any, and the number of each row in it, by its key.
        shown: how many runs there are in the rows.

    Args:
        records: all runs, by their path.
        root: the runs folder.
        name_of: what a folder is called.
    """

    def __init__(self, records: Mapping[str, RunRecord], root: str, name_of: Callable[[str], str]):
        self._records, self._root, self._name_of = records, root, name_of
        self._query, self._states, self._keys = Query(), frozenset[str](), frozenset[str]()
        self._column, self._descending = COLUMNS[0], False
        self._numbers: dict[str, int] = {}  # of the groups' folders
        self._groups: dict[int, Group] = {}
        self._planned: list[Row] = []
        self._problem: str | None = None  # of the search; not looked for yet
        self.rows: list[Row] = []
        self.places: dict[str, tuple[Group | None, int]] = {}
        self.shown = 0

    # -- what is asked for --------------------------------------------------------------------

    def ask(self, query: Query, states: Collection[str], keys: Collection[str] = ()) -> bool:
        """Show runs that match, of these states and keys (of all where none is named).

        With keys named there are no groups. Returns whether this is something new.
        """
        wanted = query, frozenset(states), frozenset(keys)
        if wanted == (self._query, self._states, self._keys):
            return False
        self._query, self._states, self._keys = wanted
        self._problem = None
        return True

    @property
    def searched(self) -> bool:
        """Whether some runs may be left out."""
        return self._query != Query() or bool(self._states)

    def problem(self) -> str:
        """What is wrong with the search, a sentence; empty if nothing is."""
        if self._problem is None:
            self._problem = self._query.problem(self._records.values())
        return self._problem

    def sort_by(self, column: Column, descending: bool) -> None:
        """Have another order."""
        self._column, self._descending = column, descending

    # -- what there is ------------------------------------------------------------------------

    def plan(self) -> bool:
        """Work out what the rows are to be; returns whether any came, went or moved."""
        rows: list[Row] = []
        for folder, records in self._by_folder().items():
            shown = [record for record in records if self._wanted(record)]
            if self._keys or folder == self._root or len(records) == 1:
                rows += shown
            elif shown:
                rows.append(self._group(folder, shown, len(records)))
        self._planned = self._sorted(rows)
        return _keys(self.rows) != _keys(self._planned)

    def adopt(self) -> None:
        """Have the rows that were planned."""
        self.rows, self._problem = self._planned, None
        self._groups = {group.number: group for group in self.groups()}
        self.places, self.shown = {}, 0
        for place, row in enumerate(self.rows):
            self.places[row.key] = (None, place)
            if isinstance(row, Group):
                self.places |= {r.key: (row, inside) for inside, r in enumerate(row.records)}
            self.shown += len(members(row))

    def arrange(self) -> bool:
        """Plan and adopt at once."""
        moved = self.plan()
        self.adopt()
        return moved

    def _by_folder(self) -> dict[str, list[RunRecord]]:
        found: dict[str, list[RunRecord]] = {}
        for key, record in self._records.items():
            found.setdefault(key.rpartition(os.sep)[0], []).append(record)
        return found

    def _wanted(self, record: RunRecord) -> bool:
        if self._states and record.status not in self._states:
            return False
        if self._keys and record.key not in self._keys:
            return False
        return self._query.matches(record)

    def _group(self, folder: str, shown: list[RunRecord], total: int) -> Group:
        number = self._numbers.setdefault(folder, len(self._numbers) + 1)
        return Group(folder, self._name_of(folder), number, self._sorted(shown), total)

    def _sorted(self, rows: Iterable[_Some]) -> list[_Some]:
        """By number, not by text; rows without a figure come last in either order."""
        keyed: list[tuple[Any, _Some]] = [(_key(row, self._column), row) for row in rows]
        some = [((isinstance(key, str), key), row) for key, row in keyed if key is not None]
        some.sort(key=lambda pair: pair[0], reverse=self._descending)
        return [row for _, row in some] + [row for key, row in keyed if key is None]

    def group(self, number: int) -> Group:
        """A group by its number."""
        return self._groups[number]

    def groups(self) -> list[Group]:
        """Those at the top."""
        return [row for row in self.rows if isinstance(row, Group)]

    def records(self) -> list[RunRecord]:
        """The runs of all rows, in their order."""
        return [record for row in self.rows for record in members(row)]


def members(row: Row) -> list[RunRecord]:
    """The runs of a row."""
    return row.records if isinstance(row, Group) else [row]


def cell(row: Row, column: Column) -> Cell:
    """What a row says in a column."""
    if isinstance(row, Group):
        return row.cell(column.name, column.of_group)
    return Cell(column.text(row), column.key(row))


def _key(row: Row, column: Column) -> Any:
    """What a row sorts by."""
    return cell(row, column).key if isinstance(row, Group) else column.key(row)


def _keys(rows: Iterable[Row]) -> list[tuple[str, list[str]]]:
    """The rows, with what is inside of groups."""
    return [(r.key, [one.key for one in r.records] if isinstance(r, Group) else []) for r in rows]
