"""The trainer's process: what it works on, where it is, and the commands that it takes."""

from __future__ import annotations

import contextlib
import os
import pathlib
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence

from PySide6.QtCore import QObject, QTimer, Signal

from slr_keras import config as configs
from slr_keras.protocol import commands, events

from ..models.death import Death
from ..models.ending import Ending, ending_of
from ..models.progress import Progress
from ..models.queue import TRAIN, Job
from ..worker import Worker

UNANSWERED_AFTER = 20.0  # seconds until an unacknowledged command is worth a sentence


class TrainerProcess(QObject):
    """Runs one training, evaluation or export at a time.

    Signals:
        changed: state, status or progress changed.
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
        command: Sequence[str],
        parent: QObject | None = None,
        tasks: Mapping[str, Sequence[str]] | None = None,
    ):
        super().__init__(parent)
        self.flags: Callable[[str], list[str]] = lambda path: []  # of own parts that a run takes
        self._commands = {TRAIN: list(command), **(tasks or {})}
        self.worker = Worker("trainer", self)
        self.state = "idle"
        self.current: Job | None = None
        self.progress = Progress()
        self.last: Ending | None = None
        self.silent = self.deaf = False
        self._before = "idle"  # the state that a refused command goes back to
        self._wanted = ""  # the end that the user asked for: stop, discard or kill
        self._asked: dict[int, tuple[commands.Command, float]] = {}  # not yet acknowledged
        self._file: pathlib.Path | None = None
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
    def status_text(self) -> str:
        """One sentence: what happens now."""
        if self.current is None:
            return "No run is going on"
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
            self._close(ending_of(job, death, self.progress, self._wanted))

    def _close(self, ending: Ending) -> None:
        self._reset()
        self.last = ending
        self.changed.emit()
        self.ended.emit(ending.job.path, ending.death)
        self.message.emit(ending.sentence + self._what_waits())

    def _what_waits(self) -> str:
        """What comes next, to be said with how a run ended."""
        return ""

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
