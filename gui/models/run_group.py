"""The runs of one folder, a study's for example, as one row: what its cells say together."""

from __future__ import annotations

import operator
import statistics
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

from . import run_words as words
from .run_record import Figures, RunRecord

NAMED = 3  # so many different values are named, more are counted


class Cell(NamedTuple):
    """What a cell says and what it sorts by; None goes last."""

    text: str
    key: Any = None


class Group:
    """Runs of one folder, as they are now; made anew when they change.

    Attributes:
        folder: its path; identity of the group.
        name: what it is called.
        number: a small one that no other folder has.
        records: the runs that are shown, in their order.
        total: how many there are, those that are not shown included.
    """

    def __init__(self, folder: str, name: str, number: int, records: list[RunRecord], total: int):
        self.folder, self.name, self.number = folder, name, number
        self.records, self.total = records, total
        self._cells: dict[str, Cell] = {}
        self._figures: list[Figures] = []

    @property
    def key(self) -> str:
        """As that of a run: its path."""
        return self.folder

    def figures(self) -> list[Figures]:
        """Those of the runs, looked up once for all columns."""
        if not self._figures:
            self._figures = [record.figures for record in self.records]
        return self._figures

    def cell(self, column: str, say: Callable[[Group], Cell]) -> Cell:
        """What ``say`` makes of it, worked out once."""
        if column not in self._cells:
            self._cells[column] = say(self)
        return self._cells[column]

    def short_name(self, record: RunRecord) -> str:
        """The name of one of its runs, without that of the group."""
        return record.name.removeprefix(f"{self.name}/")


Say = Callable[[Group], Cell]


def nothing(group: Group) -> Cell:
    """Of what means nothing for several runs."""
    return Cell("")


def name(group: Group) -> Cell:
    """With the number of runs."""
    shown, total = len(group.records), group.total
    of = words.count(total, "run") if shown == total else f"{shown} of {total} runs"
    return Cell(f"{group.name} · {of}", group.name.lower())


def states(group: Group) -> Cell:
    """How many runs are in which state, by glyph: ``"● 1  ✓ 9"``."""
    found = Counter(record.status for record in group.records)
    order = [*words.STATUS, *sorted(found.keys() - words.STATUS.keys())]
    known = [(place, state) for place, state in enumerate(order) if state in found]
    texts = [f"{_glyph(state)} {found[state]}" for _, state in known]
    return Cell("  ".join(texts), known[0][0] if known else None)


def states_in_words(records: Iterable[RunRecord]) -> str:
    """``"9 done, 1 crashed"``."""
    found = Counter(words.status(record).word.lower() for record in records)
    return ", ".join(f"{number} {word}" for word, number in found.most_common())


def _glyph(state: str) -> str:
    return words.STATUS[state].glyph if state in words.STATUS else "·"


def figures(name: str, say: Callable[[float], str]) -> Say:
    """Mean and range of one of the :class:`Figures`."""
    figure = operator.attrgetter(name)
    return lambda group: _mean(map(figure, group.figures()), say)


def drop(group: Group) -> Cell:
    """Mean and range of the drop, with a mark on a large mean."""
    said = figures("drop", words.points)(group)
    return Cell(f"▼ {said.text}" if words.is_large(said.key) else said.text, said.key)


def tested(which: str, figure: str) -> Say:
    """Mean and range of a figure on the test set."""
    return lambda group: _mean((r.test(which, figure) for r in group.records), words.percent)


def _mean(found: Iterable[float | None], say: Callable[[float], str]) -> Cell:
    """``"41.2 % (38.0–44.1)"``."""
    known = [value for value in found if value is not None]
    if not known:
        return Cell("–")
    mean = statistics.fmean(known)
    low, high = (say(end).rpartition(" ")[0] for end in (min(known), max(known)))
    return Cell(say(mean) if low == high else f"{say(mean)} ({low}–{high})", mean)


def values(text: Callable[[RunRecord], str], key: Callable[[RunRecord], Any], *paths: str) -> Say:
    """What a text from these settings is in the runs; sorted by where all have the same."""

    def cell(group: Group) -> Cell:
        found = list(dict.fromkeys(filter(None, map(text, _unlike(group.records, paths)))))
        said = ", ".join(found) if len(found) <= NAMED else f"{len(found)} values"
        return Cell(said, key(group.records[0]) if len(found) == 1 else None)

    return cell


def _unlike(records: list[RunRecord], paths: Sequence[str]) -> Iterable[RunRecord]:
    """One run for each of the values that these settings have together."""
    try:
        return {tuple([r.values.get(path) for path in paths]): r for r in records}.values()
    except TypeError:  # a hand-edited file may hold what has no hash
        return records


def newest(group: Group) -> Cell:
    """When the last of them began."""
    latest = max((r.started for r in group.records if r.started is not None), default=None)
    return Cell(words.when(latest), latest)


def seconds(group: Group) -> Cell:
    """How long they trained, all together."""
    found = [words.training_seconds(record) for record in group.records]
    spent = sum(part for part in found if part is not None)
    return Cell(words.duration(spent), spent) if any(p is not None for p in found) else Cell("–")


def epochs(group: Group) -> Cell:
    """From the fewest to the most finished ones."""
    found = [record.last_epoch for record in group.records]
    low, high = min(found), max(found)
    return Cell(str(high) if low == high else f"{low} to {high}", high)


def folder(group: Group) -> Cell:
    """Where they lie."""
    return Cell(group.folder, group.folder.lower())
