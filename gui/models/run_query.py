"""What is typed into the search box above the runs.

slr cifar             both words, anywhere in name, notes, state or settings
attack.eps=8/255      a setting; its last part (``eps``) will do
drop>5 best>=40       figures as the table shows them
method.name!=at       anything but
"""

from __future__ import annotations

import dataclasses
import math
import operator
import os
import re
from collections.abc import Callable, Iterable
from typing import Any

from slr_keras.errors import did_you_mean

from .run_record import RunRecord
from .run_words import number, show, status

_TOKEN = re.compile(r'"([^"]*)"?|(\S+)')
_COMPARISON = re.compile(r"([A-Za-z_][\w.]*)(!=|>=|<=|=|<|>)(.*)")
_ORDER: dict[str, Callable[[float, float], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
FIGURES: dict[str, Callable[[RunRecord], Any]] = {
    "status": lambda record: status(record).word,
    "epochs": lambda record: record.last_epoch,
    "best": lambda record: _percent(record.best_robust),
    "best_epoch": lambda record: record.best_epoch,
    "final": lambda record: _percent(record.final_robust),
    "clean": lambda record: _percent(record.clean),
    "drop": lambda record: record.drop,
    "gap": lambda record: record.gap,
}


@dataclasses.dataclass(frozen=True)
class Comparison:
    """``key op value``."""

    key: str
    op: str
    value: str

    def matches(self, record: RunRecord) -> bool:
        """Whether one of the values that the key names compares so."""
        found = list(_values(record, self.key))
        if self.op == "!=":
            return bool(found) and not any(_equal(value, self.value) for value in found)
        return any(self._holds(value) for value in found)

    def _holds(self, value: Any) -> bool:
        if self.op == "=":
            return _equal(value, self.value)
        left, right = number(value), number(self.value)
        return left is not None and right is not None and _ORDER[self.op](left, right)


@dataclasses.dataclass(frozen=True)
class Query:
    """Words and comparisons that must all hold."""

    words: tuple[str, ...] = ()
    comparisons: tuple[Comparison, ...] = ()

    @classmethod
    def parse(cls, text: str) -> Query:
        """The query of a text; a comparison without a value yet is passed over."""
        words, comparisons = [], []
        for quoted, plain in _TOKEN.findall(text):
            comparison = _COMPARISON.fullmatch(plain)
            if comparison and comparison[3]:
                comparisons.append(Comparison(*comparison.groups()))
            elif not comparison and (quoted or plain):
                words.append((quoted or plain).lower())
        return cls(tuple(words), tuple(comparisons))

    def matches(self, record: RunRecord) -> bool:
        """Whether a run is asked for."""
        return all(word in _text(record) for word in self.words) and all(
            comparison.matches(record) for comparison in self.comparisons
        )

    def problem(self, records: Iterable[RunRecord]) -> str:
        """A sentence on a setting that no run has; empty when all are known."""
        if not self.comparisons:
            return ""
        known = set(FIGURES).union(*(record.values for record in records))
        for comparison in self.comparisons:
            key = comparison.key
            if not any(path == key or path.endswith(f".{key}") for path in known):
                hint = did_you_mean(key, known | {path.rpartition(".")[2] for path in known})
                hint = hint if hint.startswith(" Did") else ""
                return f"No run has a setting or figure “{key}”.{hint}"
        return ""


def _percent(share: float | None) -> float | None:
    return None if share is None else round(100 * share, 1)  # as shown, as it is typed


def _values(record: RunRecord, key: str) -> Iterable[Any]:
    if key in FIGURES:
        value = FIGURES[key](record)
        return () if value is None else (value,)
    if key in record.values:
        return (record.values[key],)
    return (value for path, value in record.values.items() if path.endswith(f".{key}"))


def _equal(value: Any, wanted: str) -> bool:
    left, right = number(value), number(wanted)
    if left is not None and right is not None:
        return math.isclose(left, right, rel_tol=1e-4, abs_tol=1e-12)
    return show(value).replace(" ", "").lower() == wanted.replace(" ", "").lower()


def _text(record: RunRecord) -> str:
    folder = record.key.rpartition(os.sep)[2]
    own = record.name, folder, record.notes, status(record).word, record.problem
    return "\n".join(own).lower() + "\n" + record.words
