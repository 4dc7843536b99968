"""The trainer process and the queue in front of it."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import pathlib
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from PySide6.QtCore import QObject, QTimer, Signal

from slr_keras import config as configs
from slr_keras.config import RunConfig
from slr_keras.protocol import commands, events

from ..models.death import Death
from ..models.progress import Progress
from ..models.queue import TRAIN, Job, Queue
from ..worker import Worker

UNANSWERED_AFTER = 20.0  # seconds until an unacknowledged command is worth a sentence


class Runs(Protocol):
    """What is needed of the run store."""

    runs_dir: pathlib.Path


@dataclasses.dataclass(frozen=True)
class Ending:
    """How the last run ended.

    Attributes:
        kind: ``done``, ``stopped``, ``discarded``, ``failed`` (it said why) or ``crashed`` (it
            did not: a signal, a defect, no start).
        job: the run.
        death: of its process.
        sentence: what happened and what can be done.
    """

    kind: str
    job: Job
    death: Death
    sentence: str


class Trainer(QObject):
    """Runs one training, evaluation or export at a time; others wait in the queue.

    The queue is kept in ``queue.json`` of the runs folder. It goes on by itself after a run that
    ended well or failed for a reason of its own. It waits for :meth:`start_next` (``held``) after
    a crash, after anything that the user stopped, when the app starts, and when two runs in a row
    fail before their first epoch ends (a full disk would fail them all).

    Signals:
        changed: state, status, queue or progress changed.
        started: the run in this folder begins or goes on.
        event: an event of the current run.
        detached: the trainer goes on without the window.
        ended: run folder and :class:`~gui.models.death.Death`; ``last`` says what it means.
        message: a sentence for the window's foot.

    Attributes:
        worker: the process.
        state: ``idle``, ``starting``, ``running``, ``pausing``, ``paused`` or ``stopping``.
        current: the run that goes on now.
        progress: where it is; stays after its end until the next begins.
        last: how the previous run ended; None before the first and once another has begun.
        held: whether waiting runs wait for :meth:`start_next`.
        queue_problem: why the saved queue could not be read whole; empty when it could.
        silent: whether a sign of life is overdue.
        deaf: whether the answer to a command is overdue.
    """

    changed = Signal()
    started = Signal(str)
    event = Signal(object)  # type: ignore[assignment]  # Qt's own event() is not overridden by it
    detached = Signal()
    ended = Signal(str, object)
    message = Signal(str)

    def __init__(
        self,
        store: Runs,
        command: Sequence[str],
        parent: QObject | None = None,
        keeps_queue: bool = True,
        tasks: Mapping[str, Sequence[str]] | None = None,
    ):
        super().__init__(parent)
        self.flags: Callable[[str], list[str]] = lambda path: []  # of own parts that a run takes
        self._commands = {TRAIN: list(command), **(tasks or {})}
        self._queue = Queue(pathlib.Path(store.runs_dir), keeps_queue)
        self.queue_problem = self._queue.problem
        self.worker = Worker("trainer", self)
        self.state = "idle"
        self.current: Job | None = None
        self.progress = Progress()
        self.last: Ending | None = None
        self.held = bool(self._queue.jobs)
        self.silent = self.deaf = False
        self._before = "idle"  # the state that a refused command goes back to
        self._wanted = ""  # the end that the user asked for: stop, discard or kill
        self._asked: dict[int, tuple[commands.Command, float]] = {}  # not yet acknowledged
        self._file: pathlib.Path | None = None
        self._early_failures = 0
        self._clock = QTimer(self, interval=1000)
        self._clock.timeout.connect(self._tick)
        self.worker.event.connect(self._take)
        self.worker.acknowledged.connect(self._acknowledged)
        self.worker.silent.connect(self._silence)
        self.worker.ended.connect(self._finished)

    # -- what it shows ------------------------------------------------------------------------

    @property
    def busy(self) -> bool:
        """Whether a run goes on (or waits in a pause)."""
        return self.current is not None

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
        if self.current is None:
            return self._idle_text()
        if self.silent:
            return f"No sign of life for {time.monotonic() - self.worker.heard_at:.0f} s"
        if self.state == "stopping":
            return "Stopping…" if self._wanted == "discard" else "Saving the state, then stopping…"
        if self.state == "pausing":
            return f"{self.progress.sentence().rstrip('…')}, pausing after this batch…"
        if self.state == "paused":
            progress = self.progress
            if not self.current.trains:
                return f"{self.current.name} is paused; the model stays loaded"
            batch = f", batch {progress.batch}" if progress.in_epoch else ""
            return f"Paused after epoch {progress.begun}{batch}; the model stays loaded"
        return self.progress.sentence()

    def _idle_text(self) -> str:
        count = len(self._queue.jobs)
        if count and self.held:
            return "A run waits in the queue" if count == 1 else f"{count} runs wait in the queue"
        return "No run is going on"

    # -- the queue ----------------------------------------------------------------------------

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

    # -- commands -----------------------------------------------------------------------------

    def pause(self) -> None:
        """Wait after the batch in flight."""
        if self.state in ("starting", "running"):
            self._send(commands.Pause())
            self._ask("pausing")

    def resume_run(self) -> None:
        """Go on after a pause, or take back one that was asked for."""
        if self.state in ("paused", "pausing"):
            self._send(commands.Resume())
            self.changed.emit()

    def pause_after(self, epochs: int) -> None:
        """Wait after so many more whole epochs; 0: at the end of this one."""
        if self.state in ("starting", "running", "paused", "pausing"):
            self.progress.pause_at = self.progress.after(epochs)
            self._send(commands.PauseAfter(epochs=epochs))
            self.changed.emit()

    def pause_after_epoch(self, last: int) -> None:
        """Wait at the end of this epoch, counted from 1."""
        self.pause_after(max(last - self.progress.begun, 0))

    def _pause_agreed(self, command: commands.PauseAfter) -> None:
        """The trainer counts from where it was when it took the command; that may be too far."""
        wanted, agreed = self.progress.pause_at, self.progress.after(command.epochs)
        if wanted >= self.progress.after(0) and agreed > wanted:
            self.pause_after_epoch(wanted)
        elif wanted:
            self.progress.pause_at = agreed
            self.changed.emit()

    def stop(self) -> None:
        """Save the state and end; the run can be resumed."""
        self._leave("stop", commands.Stop())

    def discard(self) -> None:
        """End without saving anything more."""
        self._leave("discard", commands.Discard())

    def _leave(self, wanted: str, command: commands.Command) -> None:
        if self.busy:
            self._wanted = wanted
            self._send(command)
            self._ask("stopping")

    def kill(self) -> None:
        """End the process at once, for one that answers no more."""
        if self.busy:
            self._wanted = "kill"
            self.worker.kill()

    def detach(self) -> None:
        """Let the run go on without the window; ``detached`` says when it may close."""
        if self.busy:
            self._send(commands.Detach())

    def _send(self, command: commands.Command) -> None:
        number = self.worker.send(command)
        self._asked[number] = (command, time.monotonic())

    def _acknowledged(self, answer: events.Acknowledged) -> None:
        self.deaf = False
        command, _ = self._asked.pop(answer.id, (None, 0.0))
        if not answer.accepted:
            self._refused(answer)
        elif isinstance(command, commands.PauseAfter):
            self._pause_agreed(command)
        elif answer.command == commands.Resume.name and self.state == "pausing":
            self._go(self._working())
        elif answer.command == commands.Detach.name:
            self._abandon()

    def _refused(self, answer: events.Acknowledged) -> None:
        self.message.emit(answer.message or f"The trainer cannot {_verb(answer.command)} now.")
        if answer.command == commands.PauseAfter.name:
            self.progress.pause_at = 0
        if answer.command in (commands.Stop.name, commands.Discard.name):
            self._wanted = ""
        if self.state in ("pausing", "stopping"):
            self.state = self._before if self._before == "paused" else self._working()
        self.changed.emit()

    def _working(self) -> str:
        return "running" if self.progress.training else "starting"

    def _abandon(self) -> None:
        self.worker.abandon()
        self._reset()
        self.held = True
        self.changed.emit()
        self.detached.emit()

    # -- the process --------------------------------------------------------------------------

    def _start(self, job: Job) -> None:
        self.current, self.last, self.progress, self._wanted = job, None, Progress(), ""
        self.state = "starting"
        try:
            arguments = self._arguments(job)
        except OSError as error:
            self._unwritable(job, error)
            return
        self.worker.start([*self._commands[job.task], *arguments])
        if self.busy:
            self._clock.start()
            self.started.emit(job.path)
            self.changed.emit()

    def _arguments(self, job: Job) -> list[str]:
        """What the program is told; a new run's settings travel in a temporary file."""
        if not job.trains:
            return [*job.arguments, *self.flags(job.path)]
        if job.config is None:
            return ["--resume", job.path]
        pathlib.Path(job.path).parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(suffix=".toml", prefix="slr-run-")
        self._file = pathlib.Path(name)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(configs.dumps(job.config))
        return [name, "--run-dir", job.path]

    def _unwritable(self, job: Job, error: OSError) -> None:
        sentence = (
            f"{error.filename or job.path} cannot be written: {error.strerror}. "
            "Choose another runs folder, or free some space."
        )
        self._close(Ending("failed", job, Death("no_start", -1, sentence, ()), sentence))

    def _take(self, event: events.Event) -> None:
        if isinstance(event, events.PhaseStarted):
            self._discard_file()  # the trainer is at work: it has read its settings
        self.progress.take(event)
        if isinstance(event, events.Paused):
            self._go("paused")
        elif isinstance(event, events.Continued) or (
            self.state == "starting" and self.progress.training
        ):
            self._go("running")
        elif not isinstance(event, events.BatchEnded):
            self.changed.emit()
        self.event.emit(event)

    def _go(self, state: str) -> None:
        self.state = state
        self.changed.emit()

    def _ask(self, state: str) -> None:
        """Go to a state that the trainer may refuse."""
        if self.state not in ("pausing", "stopping"):
            self._before = self.state
        self._go(state)

    def _silence(self, silent: bool) -> None:
        self.silent = silent
        self.changed.emit()

    def _tick(self) -> None:
        """Once a second: clocks on screen, and commands that nobody answers."""
        now = time.monotonic()
        for number, (command, sent) in list(self._asked.items()):
            if self.progress.training and now - sent > UNANSWERED_AFTER:
                del self._asked[number]
                self.deaf = True
                self.message.emit(
                    f"The trainer has not yet answered to “{_verb(command.name)}”. It answers "
                    "between batches; if nothing happens, end it with Kill."
                )
        self.changed.emit()

    def _finished(self, death: Death) -> None:
        job = self.current
        if job is not None:
            self._close(_ending(job, death, self.progress, self._wanted))

    def _close(self, ending: Ending) -> None:
        failed_early = ending.kind == "failed" and not self.progress.finished
        self._early_failures = self._early_failures + 1 if failed_early else 0
        self.held = ending.kind in ("stopped", "discarded", "crashed") or self._early_failures > 1
        self._reset()
        self.last = ending
        self.changed.emit()
        self.ended.emit(ending.job.path, ending.death)
        self.message.emit(ending.sentence + self._what_waits())
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

    def _reset(self) -> None:
        self.current, self.state, self.silent, self.deaf = None, "idle", False, False
        self._clock.stop()
        self._asked.clear()
        self._discard_file()

    def _discard_file(self) -> None:
        if self._file is not None:
            with contextlib.suppress(OSError):
                self._file.unlink(missing_ok=True)
            self._file = None


def _verb(command: str) -> str:
    return command.replace("_", " ")


def _ending(job: Job, death: Death, progress: Progress, wanted: str) -> Ending:
    """What an end means, and what can be done now."""
    if death.cause == "no_start":
        return Ending("crashed", job, death, death.sentence)
    if death.cause == "crash":
        return Ending("crashed", job, death, _crash(job, death, wanted))
    if death.well and progress.done:
        result = f" {progress.result}." if progress.result else ""
        return Ending("done", job, death, f"{job.name} is complete.{result}")
    if wanted == "discard" and death.well:
        return Ending("discarded", job, death, f"{job.name} was ended without saving.")
    if death.code == 0 and not progress.stopped and not wanted:  # there was nothing to do
        said = progress.warnings[-1:] or [f"The trainer of {job.name} ended."]
        return Ending("done", job, death, said[0])
    if death.well:
        return Ending("stopped", job, death, f"{job.name} stopped; its state is saved.")
    reason = progress.failure or _error_line(death)
    if reason:
        return Ending("failed", job, death, f"{job.name}: {reason}")
    who = f"The trainer of {job.name}" if job.trains else f"The {job.name}"
    sentence = f"{who} ended with code {death.code} and gave no reason."
    return Ending("crashed", job, death, sentence)


def _crash(job: Job, death: Death, wanted: str) -> str:
    happened = (
        f"{'The trainer' if job.trains else job.name} was ended by force."
        if wanted == "kill"
        else death.sentence
    )
    if job.trains:
        return f"{happened} {job.name} can be resumed from its last checkpoint."
    return f"{happened} {job.name} can be started again; an evaluation goes on where it was."


def _error_line(death: Death) -> str:
    """The sentence that a command prints after ``error:``."""
    for line in reversed(death.stderr):
        if line.startswith("error: "):
            return line.removeprefix("error: ")
    return ""
