"""Decides on the Compare screen: which runs stand side by side, and against which."""

from __future__ import annotations

import pathlib
from collections.abc import Callable, Sequence

from PySide6.QtCore import QObject, QTimer, Signal

from slr_keras.studies import results

from ..models import comparison
from ..models.comparison import Arm
from ..models.evaluated import EvaluatedRuns
from ..models.run_record import RunRecord
from ..models.run_store import Changes
from .context import Context

POLL_MS = 2000
MOST = 500  # runs that are compared at once
TOO_MANY = "{:,} runs are too many to see: the first {:,} are shown. Search or sort under Runs."
READING = 0.03  # seconds of reading at a time, so that the window never stands still


class ComparePresenter(QObject):
    """The runs that are compared, grouped into arms, and their evaluations.

    Signals:
        changed: other runs, other figures of theirs, another arm to compare with.

    Attributes:
        arms: of the runs, the one that the others are compared with first.
        hidden: keys of arms that are not shown.
        looked_at: asked at each tick: does anybody look?
    """

    changed = Signal()

    def __init__(self, context: Context, parent: QObject | None = None):
        super().__init__(parent)
        self._context = context
        self.evaluated, self.overlay = EvaluatedRuns(), comparison.Overlay()
        self.arms: list[Arm] = []
        self.hidden: set[str] = set()
        self.looked_at: Callable[[], bool] = lambda: True
        self._paths: list[str] = []
        self._asked = 0  # so many were to be compared
        self._first = ""
        self._left: list[str] = []  # folders whose evaluations are still to be looked at
        self._new = False
        self._timer = QTimer(self, interval=POLL_MS)
        self._timer.timeout.connect(self._tick)
        self._timer.start()
        self._soon = QTimer(self, interval=0, singleShot=True)
        self._soon.timeout.connect(self._read)
        context.compare_runs.connect(self.show_runs)
        context.runs_changed.connect(self._runs_changed)

    # -- which runs ---------------------------------------------------------------------------

    def folders(self) -> dict[str, list[str]]:
        """Studies and other folders: their runs' paths by their name."""
        return self._context.store.folders()

    def show_runs(self, paths: Sequence[str]) -> None:
        """Compare these runs, the first of very many; those that are no more are passed over."""
        found = list(dict.fromkeys(map(str, paths)))
        self._paths, self._asked = found[:MOST], len(found)
        self.hidden.clear()
        self._first = ""
        self._arrange()
        self._look()

    def against(self, key: str) -> None:
        """Compare with this arm."""
        self._first = key
        self._arrange()

    def toggle(self, key: str, shown: bool) -> None:
        """Hide an arm, or show it again."""
        (self.hidden.discard if shown else self.hidden.add)(key)
        self.changed.emit()

    def number(self, arm: Arm) -> int:
        """Its place among the arms as they came, which gives it its colour for good."""
        return min(self._paths.index(record.key) for record in arm.records)

    @property
    def paths(self) -> list[str]:
        """The folders of the runs that are compared."""
        return list(self._paths)

    @property
    def visible(self) -> list[Arm]:
        """The arms that are not hidden."""
        return [arm for arm in self.arms if arm.key not in self.hidden]

    @property
    def records(self) -> list[RunRecord]:
        """The runs of all arms."""
        return [record for arm in self.arms for record in arm.records]

    def results(self) -> results.Results:
        """The evaluations of the visible arms, as those of a study."""
        return comparison.as_results(self.visible, self.evaluated)

    @property
    def problems(self) -> list[str]:
        """What is not shown, and what of these runs could not be read: a sentence each."""
        found = [p for record in self.records for p in self.evaluated.problems(record.path)]
        more = self._asked > len(self._paths)
        return [TOO_MANY.format(self._asked, len(self._paths)), *found] if more else found

    # -- what happens to them -----------------------------------------------------------------

    def _arrange(self) -> None:
        found = [self._context.store.get(path) for path in self._paths]
        self.arms = comparison.arms_of([record for record in found if record is not None])
        self.arms.sort(key=lambda arm: arm.key != self._first)
        self.changed.emit()

    def _runs_changed(self, changes: Changes) -> None:
        touched = {*changes.added, *changes.changed, *changes.removed}
        if touched.intersection(self._paths):
            self._arrange()
            self._look()

    def _tick(self) -> None:
        if self.looked_at():
            self._look()

    def _look(self) -> None:
        self._left = [str(pathlib.Path(path)) for path in self._paths]
        self._soon.start()

    def _read(self) -> None:
        self._left, new = self.evaluated.read(self._left, READING)
        self._new |= new
        if self._left:
            self._soon.start()
        elif self._new:
            self._new = False
            self.changed.emit()
