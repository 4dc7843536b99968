"""Where the run that goes on now stands: events in, sentences and numbers out."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable
from typing import Any

from slr_keras.protocol import events

from .estimate import Eta, duration
from .rows import is_attack

STARTING = "Starting Python…"
TESTING = "Testing the best and the final model"
PHASES = {
    "importing": "Importing TensorFlow, a few seconds…",
    "loading data": "Loading the data…",
    "building": "Building the model…",
    "compiling": "Compiling the training step, about 10 s…",
    "exporting": "Writing, then reading back what was written…",
    "checking": "Checking whether the figures can be believed…",
}


def attack_sentence(now: events.EvaluationProgress) -> str:
    """``"pgd-20 (2 of 3), 40 %: 120 of 500 images robust so far"``."""
    share = "" if now.done else f", {100 * now.share:.0f} %"
    what = "robust" if is_attack(now.attack) else "right"
    robust = f"{now.robust:,} of {now.samples:,} images {what} so far"
    return f"{now.attack} ({now.step} of {now.steps}){share}: {robust}"


class Progress:
    """What is known of the current run, from its events.

    Attributes:
        phase: the last phase announced.
        epoch, epochs, batch, batches: where it is, counted from 1; 0 while unknown.
        images_per_second, device: as reported.
        pause_at: the epoch after which it will wait, 0 for none.
        failure: the sentence of an end that was no good.
        part: images done and images in all, of an evaluation.
        saved: whether a checkpoint is on disk.
        done, stopped: whether it said that it is complete, or that it stopped.
        result: what came of a task, a sentence.
        evaluation: the last that was said of an evaluation.
    """

    def __init__(self, now: Callable[[], float] = time.monotonic):
        self.phase = self.device = self.failure = self.result = ""
        self.evaluation: events.EvaluationProgress | None = None
        self.epoch = self.epochs = self.batch = self.batches = self.pause_at = 0
        self.images_per_second: float | None = None
        self.warnings: list[str] = []
        self.done = self.stopped = self.saved = False
        self.eta = Eta(now)
        self.part = (0, 0)
        self._rest_of_epoch = 0  # the epoch that a resumed run begins in its middle
        self._begun = False

    @functools.singledispatchmethod
    def take(self, event: Any) -> None:
        """Learn from an event; those that say nothing of progress are passed over."""

    @take.register
    def _(self, event: events.RunStarted) -> None:
        self.epochs, self.batches = event.epochs, event.steps_per_epoch
        self.device = event.device
        if event.resumed_at:
            self.saved = True
            self.epoch, self.batch = event.resumed_at
            self._rest_of_epoch = self.epoch if self.batch else 0

    @take.register
    def _(self, event: events.PhaseStarted) -> None:
        self.phase, self.part = event.phase, (0, 0)
        if event.phase == "epoch":
            self._begun = True
            whole = event.epoch != self._rest_of_epoch
            self.epoch, self.batch = event.epoch, 0 if whole else self.batch
            self.eta.epoch_begun(event.epoch, self.epochs, whole)

    @take.register
    def _(self, event: events.Progress) -> None:
        self.part = (event.done, event.total)

    @take.register
    def _(self, event: events.BatchEnded) -> None:
        self._begun = True
        self.epoch, self.batch, self.batches = event.epoch, event.batch, event.batches
        self.images_per_second = event.images_per_second
        self.eta.batch_ended(event.batch, event.batches)

    @take.register
    def _(self, event: events.EpochEnded) -> None:
        self.epoch, self.epochs, self.batch = event.epoch, event.epochs, self.batches
        self.images_per_second = event.images_per_second
        self.eta.epoch_ended()

    @take.register
    def _(self, event: events.CheckpointSaved) -> None:
        self.saved = True

    @take.register
    def _(self, event: events.Paused) -> None:
        self.pause_at = 0
        self.eta.pause()

    @take.register
    def _(self, event: events.Continued) -> None:
        self.eta.proceed()

    @take.register
    def _(self, event: events.Warned) -> None:
        self.warnings.append(event.message)

    @take.register
    def _(self, event: events.NonFiniteLoss) -> None:
        self.failure = event.message

    @take.register
    def _(self, event: events.Failed) -> None:
        self.failure = self.failure or event.message

    @take.register
    def _(self, event: events.RunStopped) -> None:
        self.stopped = True

    @take.register
    def _(self, event: events.RunEnded) -> None:
        self.done = True

    @take.register
    def _(self, event: events.EvaluationProgress) -> None:
        self._begun, self.evaluation = True, event

    @take.register
    def _(self, event: events.TaskEnded) -> None:
        self.done, self.result = True, event.message.rstrip(".")

    @property
    def training(self) -> bool:
        """Whether the preparations are over: batches run, or what comes after them."""
        return self._begun or self.phase in ("evaluating", "testing", "exporting")

    @property
    def in_epoch(self) -> bool:
        """Whether an epoch is begun and not ended."""
        return 0 < self.batch < self.batches

    @property
    def begun(self) -> int:
        """The last epoch that a batch was done of; 0 before the first."""
        return self.epoch if self.batch else max(self.epoch - 1, 0)

    def after(self, epochs: int) -> int:
        """The epoch at whose end so many more whole epochs are done; 0 means this one's."""
        return self.begun + (epochs if self.in_epoch else max(epochs, 1))

    @property
    def finished(self) -> int:
        """Whole epochs that are done."""
        return self.epoch if self.batches and self.batch == self.batches else max(self.epoch - 1, 0)

    def sentence(self) -> str:
        """What happens now."""
        if not self.phase:
            return STARTING
        if self.evaluation is not None and self.phase == "evaluating":
            return attack_sentence(self.evaluation)
        where = f"Epoch {self.epoch} of {self.epochs}"
        if self.phase == "epoch":
            return where
        if self.phase == "evaluating":
            return f"{where}: measuring clean and robust accuracy{self._part()}"
        if self.phase == "testing":
            return f"{TESTING}{self._part() or '…'}"
        return PHASES.get(self.phase, f"{self.phase.capitalize()}…")

    def _part(self) -> str:
        done, total = self.part
        return f", {done:,} of {total:,} images" if total else ""

    def time_left(self) -> str:
        """``"about 4 min left"``; empty while nothing is known or training is over."""
        left = self.eta.left()
        if left is None or self.phase not in ("epoch", "evaluating"):
            return ""
        return f"{'more than' if self.eta.rough else 'about'} {duration(left)} left"

    def speed(self) -> str:
        """``"1,240 images/s"``; empty while unknown."""
        rate = self.images_per_second
        if not rate:
            return ""
        return f"{rate:,.0f} images/s" if rate >= 10 else f"{rate:.1f} images/s"
