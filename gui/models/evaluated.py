"""What ``evaluate`` has written into run folders, read again only when a file changes."""

from __future__ import annotations

import dataclasses
import math
import os
import pathlib
import time
from collections.abc import Iterable, Iterator
from typing import Any

from slr_keras.analysis import record
from slr_keras.errors import UserError

from . import measured
from .measured import Measured

FILES = {"best": "evaluation.json", "final": "evaluation-final.json"}
CLEAN = "clean"


@dataclasses.dataclass(frozen=True)
class Evaluated:
    """One evaluation.

    Attributes:
        content: the file's, checked.
        problem: why it cannot be used, a sentence; empty when it can.
        measured: what it holds beside accuracies.
    """

    content: dict[str, Any]
    problem: str = ""
    measured: Measured = Measured()

    @property
    def which(self) -> str:
        """``best`` or ``final``; empty for a model that is no run's."""
        return str(self.content.get("which") or "")

    @property
    def attacks(self) -> list[str]:
        """The names of its rows, in order."""
        return [str(row["attack"]) for row in self.content.get("results", ())]

    def accuracy(self, attack: str) -> float | None:
        """Of a row; None where the attack was not run."""
        row = self.row(attack)
        return None if row is None else float(row["accuracy"])

    def row(self, attack: str) -> dict[str, Any] | None:
        """A row by its name."""
        rows = self.content.get("results", ())
        return next((row for row in rows if row["attack"] == attack), None)


class EvaluatedRuns:
    """The evaluations of run folders; a file is read again when its date or size changes."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[object, Evaluated | None]] = {}

    def read(self, folders: Iterable[str], budget: float = math.inf) -> tuple[list[str], bool]:
        """Take in what is new.

        Args:
            folders: of runs.
            budget: seconds after which the rest is left for the next time.

        Returns:
            The folders that were left, and whether anything was new.
        """
        deadline = time.perf_counter() + budget
        left, new = list(folders), False
        while left and time.perf_counter() < deadline:
            folder = left.pop(0)
            for path in files_of(folder):
                new |= self._look(path)
        return left, new

    def of(self, folder: str | os.PathLike[str]) -> dict[str, Evaluated]:
        """The usable evaluations of a run, as read last, by the model that was evaluated."""
        return {one.which: one for one in self._of(folder) if not one.problem}

    def problems(self, folder: str | os.PathLike[str]) -> list[str]:
        """Why evaluations of a run cannot be used."""
        return [one.problem for one in self._of(folder) if one.problem]

    def _of(self, folder: str | os.PathLike[str]) -> Iterator[Evaluated]:
        for path in files_of(folder):
            _, found = self._known.get(str(path), (None, None))
            if found is not None:
                yield found

    def _look(self, path: pathlib.Path) -> bool:
        date = _date(path)
        if self._known.get(str(path), (None,))[0] == date:
            return False
        self._known[str(path)] = date, load(path) if date else None
        return True


def files_of(target: str | os.PathLike[str]) -> list[pathlib.Path]:
    """Where the evaluations of a run folder, or of a ``.keras`` file, are written."""
    place = pathlib.Path(target)
    if place.suffix == ".keras":
        return [place.with_name(f"{place.stem}.evaluation.json")]
    return [place / name for name in FILES.values()]


def _date(path: pathlib.Path) -> object:
    try:
        state = os.stat(path)
    except OSError:
        return None
    return state.st_mtime_ns, state.st_size


def load(path: pathlib.Path) -> Evaluated | None:
    """What a file holds; None where there is none."""
    try:
        content = record.read_evaluation(path)
        more = measured.read(content or {"results": []}, path)
    except UserError as error:
        return Evaluated({}, str(error))
    return None if content is None else Evaluated(content, measured=more)
