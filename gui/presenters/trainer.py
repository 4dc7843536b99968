"""The queue in front of the trainer's process."""

from __future__ import annotations

import pathlib
from collections.abc import Mapping, Sequence
from typing import Protocol

from PySide6.QtCore import QObject, QTimer

from slr_keras.config import RunConfig

from ..models.ending import Ending
from ..models.queue import Job, Queue
from .trainer_process import TrainerProcess


class Runs(Protocol):
    """What is needed of the run store."""

    runs_dir: pathlib.Path


class Trainer(TrainerProcess):
    """Runs one training, evaluation or export at a time; others wait in the queue.

    The queue is kept in ``queue.json`` of the runs folder. It goes on by itself after a run that
    ended well or failed for a reason of its own. It waits for :meth:`start_next` (``held``) after
    a crash, after anything that the user stopped, when the app starts, and when two runs in a row
    fail before their first epoch ends (a full disk would fail them all).

    Attributes:
        held: whether waiting runs wait for :meth:`start_next`.
        queue_problem: why the saved queue could not be read whole; empty when it could.
    """

    def __init__(
        self,
        store: Runs,
        command: Sequence[str],
        parent: QObject | None = None,
        keeps_queue: bool = True,
        tasks: Mapping[str, Sequence[str]] | None = None,
    ):
        super().__init__(command, parent, tasks)
        self._queue = Queue(pathlib.Path(store.runs_dir), keeps_queue)
        self.queue_problem = self._queue.problem
        self.held = bool(self._queue.jobs)
        self._early_failures = 0

    # -- what it shows ------------------------------------------------------------------------

    @property
    def keeps_queue(self) -> bool:
        """Whether the queue outlives the window."""
        return self._queue.kept

    @property
    def queue(self) -> list[Job]:
        """The runs that wait, first to start first."""
        return list(self._queue.jobs)

    @property
    def status_text(self) -> str:
        """One sentence: what happens now."""
        count = len(self._queue.jobs)
        if self.busy or not (count and self.held):
            return super().status_text
        return "A run waits in the queue" if count == 1 else f"{count} runs wait in the queue"

    # -- what a user asks for -----------------------------------------------------------------

    def enqueue(self, config: RunConfig) -> str:
        """Add a run, starting it at once if none goes on; returns the path of its folder."""
        taken = self.current.path if self.current else ""
        return self._begin_or_queue(self._queue.new_job(config, taken))

    def resume(self, path: str) -> str:
        """Go on with the run in a folder, now or when its turn comes."""
        return self._begin_or_queue(Job(str(path)))

    def again(self, job: Job) -> str:
        """Let a job that ended badly go on."""
        return self.resume(job.path) if job.trains else self.add(job)

    def add(self, job: Job) -> str:
        """Do a task now, or when its turn comes; returns what it works on."""
        return self._begin_or_queue(job)

    def _begin_or_queue(self, job: Job) -> str:
        coming = [*self._queue.jobs, *([self.current] if self.current else [])]
        if job.key in {other.key for other in coming}:
            self.message.emit(f"{job.name} is in the queue already.")
        elif self.busy:
            self._queue.add(job)
            self._after_queue_change()
        else:
            self._start(job)
        return job.path

    def remove(self, job: Job) -> None:
        """Take a waiting run out of the queue."""
        self._queue.remove(job)
        self._after_queue_change()

    def move(self, job: Job, by: int) -> None:
        """Let a waiting run start later (``by`` > 0) or earlier."""
        self._queue.move(job, by)
        self._after_queue_change()

    def start_next(self) -> None:
        """Let the queue go on."""
        self.held = False
        if not self.busy and self._queue.jobs:
            job = self._queue.pop()
            self._start(job)
        self._after_queue_change()

    def _after_queue_change(self) -> None:
        if self._queue.problem:
            self.message.emit(self._queue.problem)
        self.changed.emit()

    # -- what comes next ----------------------------------------------------------------------

    def _abandon(self) -> None:
        self.held = True
        super()._abandon()

    def _close(self, ending: Ending) -> None:
        failed_early = ending.kind == "failed" and not self.progress.finished
        self._early_failures = self._early_failures + 1 if failed_early else 0
        self.held = ending.kind in ("stopped", "discarded", "crashed") or self._early_failures > 1
        super()._close(ending)
        if not self.held:
            QTimer.singleShot(0, self, self._next)

    def _what_waits(self) -> str:
        if not self._queue.jobs:
            return ""
        if self.held:
            return " The queue waits until you start it."
        return f" {self._queue.jobs[0].name} is next."

    def _next(self) -> None:
        if not self.held and not self.busy and self._queue.jobs:
            self.start_next()
