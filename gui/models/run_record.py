"""One run as the table, the charts and the lab know it, and the figures derived from it."""

from __future__ import annotations

import dataclasses
import functools
import pathlib
from typing import Any

import numpy as np

from slr_keras.config import RunConfig
from slr_keras.protocol.events import CatastrophicOverfitting, Diagnosed

from .epochs import Epochs

CURVE_POINTS = 200
NOWHERE = ("run_dir", "overwrite")  # say where a run lies, not what it is
LIVE = ("running", "paused")  # a process is there: its state is asked at each scan


@dataclasses.dataclass(frozen=True)
class Figures:
    """What is derived from the epochs; shares of 1, differences in percentage points."""

    best_epoch: int | None = None
    best_robust: float | None = None
    final_robust: float | None = None
    drop: float | None = None
    gap: float | None = None
    clean: float | None = None
    final_clean: float | None = None
    curve: tuple[tuple[int, float], ...] = ()


_Known = tuple[int, dict[str, Any] | None, Figures]


@dataclasses.dataclass
class RunRecord:
    """One run. The store keeps it up to date: the object stays the same while the run grows.

    Attributes:
        path: the run folder.
        name: what the user calls it; the folder's name below the runs folder otherwise.
        status: see :meth:`slr_keras.run_folder.RunFolder.status`.
        config: the configuration; None where it cannot be read.
        values: the settings by dotted name, as TOML writes them (``"8/255"``).
        epochs: finished epochs in order.
        summary: content of summary.json, the figures on the test set.
        started: seconds since 1970.
        notes: the user's own.
        problem: what could not be read, a sentence; empty when all is well.
        warnings: what the run warned of.
        catastrophe: where catastrophic overfitting was told; None if it was not.
        diagnoses: what was told to go wrong, in order.
        failure: why it cannot go on; empty while it can.
        device: where it computes.
    """

    path: pathlib.Path
    name: str = ""
    status: str = "new"
    config: RunConfig | None = None
    values: dict[str, Any] = dataclasses.field(default_factory=dict)
    epochs: Epochs = dataclasses.field(default_factory=Epochs)
    summary: dict[str, Any] | None = None
    started: float | None = None
    notes: str = ""
    problem: str = ""
    warnings: list[str] = dataclasses.field(default_factory=list)
    catastrophe: CatastrophicOverfitting | None = None
    diagnoses: list[Diagnosed] = dataclasses.field(default_factory=list)
    failure: str = ""
    device: str = ""
    _cache: _Known | None = dataclasses.field(default=None, repr=False, compare=False)
    _words: tuple[dict[str, Any], str] | None = dataclasses.field(
        default=None, repr=False, compare=False
    )

    @functools.cached_property
    def key(self) -> str:
        """The path as a text: the key in ``RunStore.records``."""
        return str(self.path)

    @property
    def words(self) -> str:
        """The texts among the settings in small letters, one a line, for the search."""
        if self._words is None or self._words[0] is not self.values:
            texts = (v for k, v in self.values.items() if isinstance(v, str) and k not in NOWHERE)
            self._words = self.values, "\n".join(texts).lower()
        return self._words[1]

    @property
    def figures(self) -> Figures:
        """All derived figures, computed once for each state of the epochs."""
        known = self._cache
        if known and known[0] == self.epochs.changes and known[1] is self.summary:
            return known[2]
        figures = _figures(self)
        self._cache = self.epochs.changes, self.summary, figures
        return figures

    @property
    def best_epoch(self) -> int | None:
        """Epoch of the best robust accuracy on the validation split."""
        return self.figures.best_epoch

    @property
    def best_robust(self) -> float | None:
        """The best robust accuracy on the validation split."""
        return self.figures.best_robust

    @property
    def final_robust(self) -> float | None:
        """Robust accuracy at the last evaluation (on the test set where no split was made)."""
        return self.figures.final_robust

    @property
    def drop(self) -> float | None:
        """Best minus final robust accuracy in percentage points: what overfitting took."""
        return self.figures.drop

    @property
    def gap(self) -> float | None:
        """Train minus validation robust accuracy at the last evaluation, percentage points."""
        return self.figures.gap

    @property
    def clean(self) -> float | None:
        """Clean accuracy at the best epoch (of the test set where no split was made)."""
        return self.figures.clean

    @property
    def last_epoch(self) -> int:
        """Number of the last finished epoch; 0 before the first ends."""
        return self.epochs[-1].epoch if self.epochs else 0

    @property
    def planned_epochs(self) -> int | None:
        """How many epochs the run is to have."""
        if self.config is not None:
            return self.config.train.epochs
        return self.epochs[-1].epochs if self.epochs else None

    def test(self, which: str, figure: str) -> float | None:
        """A figure on the test set: ``test("best", "robust_accuracy")``; None without one."""
        part = (self.summary or {}).get(which)
        value = part.get(figure) if isinstance(part, dict) else None
        return float(value) if type(value) in (int, float) else None  # type: ignore[arg-type]


def _figures(record: RunRecord) -> Figures:
    robust = record.epochs.column("val_robust_accuracy")
    rated = np.flatnonzero(np.isfinite(robust))
    if not len(rated):
        return Figures(
            final_robust=record.test("final", "robust_accuracy"),
            clean=record.test("final", "accuracy"),
            final_clean=record.test("final", "accuracy"),
        )
    best = int(rated[np.argmax(robust[rated])])
    at_best, last = record.epochs[best], record.epochs[int(rated[-1])]
    train, final = last.train_robust_accuracy, float(robust[rated[-1]])
    return Figures(
        best_epoch=at_best.epoch,
        best_robust=at_best.val_robust_accuracy,
        final_robust=final,
        drop=100 * (float(robust[best]) - final),
        gap=None if train is None else 100 * (train - final),
        clean=at_best.val_accuracy,
        final_clean=last.val_accuracy,
        curve=_thinned(record.epochs.column("epoch"), robust, rated, best),
    )


def _thinned(
    epochs: np.ndarray, robust: np.ndarray, rated: np.ndarray, best: int
) -> tuple[tuple[int, float], ...]:
    """At most some hundred points for a small picture; the ends and the best one stay."""
    step = max(1, len(rated) // CURVE_POINTS)
    kept = np.union1d(rated[::step], [best, rated[-1]]) if step > 1 else rated
    return tuple(zip(epochs[kept].astype(int).tolist(), robust[kept].tolist(), strict=True))
