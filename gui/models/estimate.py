"""How long training takes: before a run from earlier ones, during it from its own epochs."""

from __future__ import annotations

import collections
import dataclasses
import itertools
import statistics
import time
from collections.abc import Callable, Iterable
from typing import Any, Protocol

import numpy as np

from slr_keras.config import RunConfig

from .epochs import Epochs

UNKNOWN = "Time per epoch: unknown until the first epoch is done."
MOST = 100  # runs that an estimate rests on
_FORWARD = 1 / 3  # a forward pass, in units of a forward and a backward pass


class Earlier(Protocol):
    """What is needed of an earlier run (a ``RunRecord``)."""

    config: RunConfig | None
    epochs: Epochs


@dataclasses.dataclass(frozen=True)
class Estimate:
    """Seconds per epoch, evaluation included, and the number of runs it rests on."""

    seconds: float
    runs: int

    def sentence(self, epochs: int) -> str:
        """For the form's foot."""
        runs = "an earlier run" if self.runs == 1 else f"{self.runs} earlier runs"
        total = duration(self.seconds * epochs)
        return f"About {duration(self.seconds)} an epoch, {total} in all, judging by {runs}."


def duration(seconds: float) -> str:
    """``"8 s"``, ``"2 min 5 s"``, ``"3 h 20 min"``, ``"2 d 4 h"``."""
    if seconds < 9.95:
        return f"{max(seconds, 0.1):.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min" + (f" {whole % 60} s" if whole % 60 else "")
    minutes = round(seconds / 60)
    if minutes < 48 * 60:
        return f"{minutes // 60} h" + (f" {minutes % 60} min" if minutes % 60 else "")
    hours = round(minutes / 60)
    return f"{hours // 24} d" + (f" {hours % 24} h" if hours % 24 else "")


def passes(config: RunConfig) -> float:
    """Forward-and-backward passes that an image of the training set costs per epoch."""
    attack: Any = config.attack
    steps = getattr(attack, "steps", 1) * getattr(attack, "restarts", 1)
    clean = 1.0 if config.method.both else _FORWARD if config.scheme.refines else 0.0
    return 1 + clean + (steps if config.method.adversarial else 0)


def _evaluation(config: RunConfig, images: float) -> float:
    """Passes of the evaluation, averaged over the epochs; ``images`` stands for "all"."""
    settings = config.eval
    validation = settings.val_samples or images * config.data.val_fraction
    count = min(settings.train_samples or images, images) + validation
    return count * (settings.steps + 2 * _FORWARD) / settings.every


def estimate(config: RunConfig, earlier: Iterable[Earlier]) -> Estimate | None:
    """From runs with the same network and data and about the same batch size; None without.

    The first of ``earlier`` count where there are very many.
    """
    known = (seconds for run in earlier if (seconds := _from(config, run)) is not None)
    found = list(itertools.islice(known, MOST))
    return Estimate(statistics.median(found), len(found)) if found else None


def _from(config: RunConfig, run: Earlier) -> float | None:
    old = run.config
    if old is None or not _alike(config, old):
        return None
    spent = _training_seconds(run.epochs)
    speeds = run.epochs.column("images_per_second")
    speeds = speeds[speeds > 0]
    if spent is None or not len(speeds):
        return None
    images = float(np.median(speeds)) * spent
    if not images:
        return None
    per_pass = spent / (images * passes(old))
    wanted = images
    if config.data.train_samples != old.data.train_samples:
        if not config.data.train_samples:
            return None  # all images: how many that is, this run cannot tell
        wanted = config.data.train_samples
    return per_pass * (wanted * passes(config) + _evaluation(config, wanted))


def _alike(a: RunConfig, b: RunConfig) -> bool:
    return (
        a.model == b.model
        and a.data.name == b.data.name
        and a.data.val_fraction == b.data.val_fraction
        and a.precision == b.precision
        and a.attack_precision in ("auto", b.attack_precision)
        and 0.5 <= a.train.batch_size / b.train.batch_size <= 2
    )


def _training_seconds(epochs: Epochs) -> float | None:
    """Of one epoch; ``EpochEnded.seconds`` adds up over the run. The first holds the compiling."""
    spent = np.diff(epochs.column("seconds"))[np.diff(epochs.column("epoch")) == 1]
    spent = spent[spent > 0]
    if len(spent):
        return float(np.median(spent))
    return epochs[0].seconds if len(epochs) == 1 and epochs[0].epoch == 1 else None


class Eta:
    """Seconds left of a run that goes on now; the clock stands still in pauses."""

    def __init__(self, now: Callable[[], float] = time.monotonic):
        self._now = now
        self._away = 0.0  # seconds of all pauses
        self._paused_at: float | None = None
        self._spent: collections.deque[float] = collections.deque(maxlen=5)
        self._begun: float | None = None  # of this epoch
        self._whole = True  # whether this epoch was begun at its first batch
        self._first = self._last = (0.0, 0)  # time and number of the epoch's first and newest batch
        self._epochs = self._epoch = self._batches = 0

    def _active(self) -> float:
        return (self._now() if self._paused_at is None else self._paused_at) - self._away

    def pause(self) -> None:
        """The run waits."""
        if self._paused_at is None:
            self._paused_at = self._now()

    def proceed(self) -> None:
        """The run goes on."""
        if self._paused_at is not None:
            self._away += self._now() - self._paused_at
            self._paused_at = None

    def epoch_begun(self, epoch: int, epochs: int, whole: bool = True) -> None:
        """An epoch began; not ``whole`` when a resumed run does the rest of one."""
        self._epoch, self._epochs, self._whole = epoch, epochs, whole
        self._begun, self._first, self._last = self._active(), (0.0, 0), (0.0, 0)

    def batch_ended(self, batch: int, batches: int) -> None:
        """A batch is done."""
        self._batches, self._last = batches, (self._active(), batch)
        if not self._first[1]:
            self._first = self._last

    def epoch_ended(self) -> None:
        """An epoch is done, its evaluation as well."""
        if self._begun is not None and self._whole:
            self._spent.append(self._active() - self._begun)
        self._begun = None
        self._epoch += 1

    def left(self) -> float | None:
        """Seconds to the last epoch's end; None while nothing is known."""
        per_epoch = self._per_epoch()
        if per_epoch is None:
            return None
        epochs = self._epochs - self._epoch + 1
        return max(0.0, per_epoch * epochs - self._into_epoch(per_epoch))

    @property
    def rough(self) -> bool:
        """Whether it rests on batches alone, evaluation not yet seen: a lower bound."""
        return not self._spent

    def _into_epoch(self, per_epoch: float) -> float:
        if self._begun is None:
            return 0.0
        if self._whole and self._spent:
            return min(self._active() - self._begun, per_epoch)
        return per_epoch * self._last[1] / max(self._batches, 1)

    def _per_epoch(self) -> float | None:
        if self._spent:
            known = list(self._spent)
            return statistics.fmean(known[1:] if len(known) > 1 else known)
        batches = self._last[1] - self._first[1]
        if batches < 1:
            return None
        return (self._last[0] - self._first[0]) / batches * self._batches
