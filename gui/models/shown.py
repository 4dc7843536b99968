"""The runs that the charts show: their curves, live and from disk, labels, what is hidden."""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Sequence

from slr_keras.protocol.events import BatchEnded, EpochEnded

from .curves import BatchCurve, RunCurves
from .run_labels import labels
from .run_record import RunRecord


@dataclasses.dataclass
class ShownRun:
    """A run in the charts.

    Attributes:
        record: what is known of it; its epochs grow.
        curves: its series, live epochs included.
        batches: its loss within epochs, live only.
        number: its place among the runs, 0 for the main one.
        label: tells it apart from the others.
        hidden: the user does not want to see it.
    """

    record: RunRecord
    curves: RunCurves
    batches: BatchCurve = dataclasses.field(default_factory=BatchCurve)
    number: int = 0
    label: str = ""
    hidden: bool = False
    _taken: int = 0

    @property
    def path(self) -> str:
        """The run folder, its identity."""
        return str(self.record.path)

    def take(self) -> None:
        """Take what the record has gained; live epochs may be ahead of it."""
        self.curves.wanted = _whole(self.record, "eval.val_samples") or 0
        self.curves.start_epoch = _whole(self.record, "method.start_epoch") or _whole(
            self.record, "labels.start_epoch"
        )
        epochs = self.record.epochs
        gained = epochs[self._taken :] if len(epochs) >= self._taken else epochs
        self.curves.extend(gained.after(self.curves.last_epoch))
        self._taken = len(epochs)


class ShownRuns(list[ShownRun]):
    """The runs in the charts, the first is the main one."""

    def show(self, records: Sequence[RunRecord]) -> bool:
        """Show these; returns whether others were shown before.

        What was shown keeps its live epochs and whether it is hidden.
        """
        known = {run.path: run for run in self}
        before = [run.path for run in self]
        self[:] = [
            known.get(str(record.path)) or ShownRun(record, RunCurves()) for record in records
        ]
        for run, record in zip(self, records, strict=True):
            if run.record is not record:
                run.record, run._taken = record, 0
        self.take()
        return [run.path for run in self] != before

    def take(self) -> None:
        """Append what the records have gained, and name the runs."""
        names = [run.record.name or pathlib.Path(run.path).name for run in self]
        texts = labels(names, [run.record.values for run in self])
        for number, (run, text) in enumerate(zip(self, texts, strict=True)):
            run.take()
            run.number, run.label = number, text

    def epoch(self, path: str, event: EpochEnded) -> bool:
        """An epoch of a run ended; returns whether it is shown."""
        run = self.find(path)
        if run is not None:
            run.curves.append(event)
        return run is not None

    def batch(self, event: BatchEnded, path: str = "") -> bool:
        """A batch ended, of the main run unless a path is given."""
        run = self.find(path) if path else next(iter(self), None)
        if run is not None:
            run.batches.append(event)
        return run is not None

    def find(self, path: str) -> ShownRun | None:
        """The run of a folder."""
        return next((run for run in self if run.path == str(path)), None)

    @property
    def visible(self) -> list[ShownRun]:
        """Those that are not hidden."""
        return [run for run in self if not run.hidden]

    @property
    def many(self) -> bool:
        """Several runs: a hue stands for a run, no longer for clean or robust."""
        return len(self) > 1

    @property
    def started(self) -> bool:
        """Whether there is anything to draw."""
        return any(len(run.curves) or len(run.batches) for run in self)


def _whole(record: RunRecord, path: str) -> int | None:
    """A setting that is a whole number, from the run's values or, before they are read, config."""
    section, _, name = path.rpartition(".")
    default = getattr(getattr(record.config, section, None), name, None)
    value = record.values.get(path, default)
    return value if isinstance(value, int) else None
