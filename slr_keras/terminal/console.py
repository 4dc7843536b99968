"""What a person at a terminal, or a window, sees of a run and of an evaluation."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, TextColumn, TimeRemainingColumn
from rich.table import Table

from slr_keras.evaluation.specs import CLEAN, is_change
from slr_keras.protocol import events
from slr_keras.protocol.channel import PROMISE, Channel
from slr_keras.training.control import Control

if TYPE_CHECKING:
    from slr_keras.studies.pace import Left

EVERY = 30.0  # seconds between two lines on the same attack or epoch, at least
EVERY_IN_STUDY = 300.0  # and between two on the same stages of a study
PATIENCE = {  # seconds that a library may hold the interpreter in a phase
    "importing": 60.0,
    "loading data": 60.0,
    "building": 60.0,
    "compiling": 120.0,
    "evaluating": 20.0,
    "testing": 20.0,
    "exporting": 60.0,
    "checking": 60.0,
}


def reporter(mode: str, channel: Channel | None = None) -> Any:
    """The reporter of a mode: ``bar`` for terminals, ``plain`` for logs, ``quiet`` for scripts.

    A ``channel`` stands for mode ``json``.
    """
    if channel:
        return ChannelReporter(channel)
    return {"bar": BarReporter, "plain": PlainReporter, "quiet": QuietReporter}[_resolved(mode)]()


def evaluation_progress(mode: str, channel: Channel | None = None) -> Any:
    """The same for an evaluation: called with each ``Progress``, it has ``line`` and ``warn``."""
    if channel:
        return ChannelProgress(channel)
    return {"bar": BarProgress, "plain": PlainProgress, "quiet": QuietProgress}[_resolved(mode)]()


def study_progress(mode: str) -> Any:
    """The same for a study: told when it begins, when a stage has ended and what is left."""
    return {"bar": StudyBar, "plain": StudyLines, "quiet": StudyQuiet}[_resolved(mode)]()


def _resolved(mode: str) -> str:
    if mode == "auto":
        return "bar" if sys.stderr.isatty() else "plain"
    return mode


def percent(value: float | None) -> str:
    """``0.1234`` as ``12.3``; ``-`` for nothing."""
    return "-" if value is None or value != value else f"{100 * value:.1f}"


def clock(seconds: float) -> str:
    """``75`` as ``1:15``, ``3661`` as ``1:01:01``."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def time_left(left: Left | None) -> str:
    """``"about 1:15 left"`` of a study; empty as long as nothing tells."""
    if left is None or not (left.whole or left.seconds):
        return ""
    return f"{'about' if left.whole else 'more than'} {clock(left.seconds)} left"


class Lines:
    """Lines on stderr."""

    def __init__(self) -> None:
        self.console = Console(stderr=True, highlight=False, soft_wrap=True)

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *_: Any) -> None:
        return None

    def line(self, text: str) -> None:
        """Print a line, above the bar if there is one."""
        self.console.print(text, markup=False)

    def code(self, otherwise: int) -> int:
        """The exit code of what was stopped."""
        return otherwise

    def warn(self, text: str) -> None:
        """Print a warning."""
        self.line(f"warning: {text}")


class Bar(Lines):
    """A live bar with time left; lines are printed above it."""

    def __init__(self, *after: ProgressColumn) -> None:
        super().__init__()
        self.bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            *(after or (TextColumn("{task.fields[status]}"), TimeRemainingColumn(compact=True))),
            console=self.console,
            transient=True,
        )
        self.task = self.bar.add_task("starting", total=None, status="")

    def __enter__(self) -> Any:
        self.bar.start()
        return self

    def __exit__(self, *_: Any) -> None:
        self.bar.stop()


# -- of a run ---------------------------------------------------------------------------------


class QuietReporter(Lines):
    """Warnings and stops only, on stderr."""

    def __call__(self, event: events.Event) -> None:
        """Receive an event."""
        handler = getattr(self, f"on_{event.name}", None)
        if handler:
            handler(event)
        elif isinstance(event, events.Warned):
            self.on_warning(event)

    def on_warning(self, event: events.Warned) -> None:
        """A line on stderr."""
        self.warn(event.message)


class SilentReporter(Lines):
    """Nothing: for all processes of a run but the first."""

    def __call__(self, event: events.Event) -> None:
        """Receive an event."""

    def line(self, text: str) -> None:
        """Print nothing."""


class ChannelReporter:
    """Every event to a window, with a promise of when the next sign of life comes."""

    def __init__(self, channel: Channel):
        self.channel = channel

    def __enter__(self) -> ChannelReporter:
        return self

    def __exit__(self, *_: Any) -> None:
        return None

    def __call__(self, event: events.Event) -> None:
        """Receive an event."""
        self.channel.send(event)
        if isinstance(event, events.PhaseStarted):
            self.channel.expect(PATIENCE.get(event.phase, PROMISE))

    def line(self, text: str) -> None:
        """Print a line on stderr."""
        print(text, file=sys.stderr)


class PlainReporter(QuietReporter):
    """A line for each epoch, and in a long one for each half minute: for logs and pipes."""

    def __init__(self) -> None:
        super().__init__()
        self.said = self.begun = time.monotonic()
        self.here = 0, 0  # epoch and first batch that was seen of it

    def line(self, text: str) -> None:
        """Print a line, above the bar if there is one; the next half minute begins."""
        super().line(text)
        self.said = time.monotonic()

    def on_run_start(self, event: events.RunStarted) -> None:
        """What runs, where, on what."""
        begin = f", resumed at epoch {event.resumed_at[0]}" if event.resumed_at else ""
        self.line(
            f"{event.method} · {event.model} ({event.parameters:,} parameters) · {event.dataset} · "
            f"{event.device}{begin}\nrun folder {event.run_dir}"
        )
        if event.attack:
            self.line(event.attack)

    def on_phase(self, event: events.PhaseStarted) -> None:
        """Phases outside of epochs."""
        if event.phase not in {"epoch", "evaluating"}:
            self.line(f"{event.phase} ...")

    def on_batch_end(self, event: events.BatchEnded) -> None:
        """Where a long epoch is; what was compiled before its first batch does not count."""
        now = time.monotonic()
        if event.epoch != self.here[0]:
            self.here, self.begun = (event.epoch, event.batch), now
        if now - self.said < EVERY:
            return
        done, left = event.batch - self.here[1], event.batches - event.batch
        rest = f", {clock((now - self.begun) / done * left)} left" if done else ""
        self.line(
            f"epoch {event.epoch:>3}, batch {event.batch}/{event.batches}  "
            f"loss {event.loss or float('nan'):.3f}  clean {percent(event.accuracy)}  "
            f"robust {percent(event.robust_accuracy)}  "
            f"{event.images_per_second or 0:,.0f} images/s{rest}"
        )

    def on_epoch_end(self, event: events.EpochEnded) -> None:
        """The epoch's figures in percent."""
        self.line(
            f"epoch {event.epoch:>3}/{event.epochs}  loss {event.loss:.3f}  "
            f"clean train {percent(event.train_accuracy):>5} val {percent(event.val_accuracy):>5}  "
            f"robust train {percent(event.train_robust_accuracy):>5} "
            f"val {percent(event.val_robust_accuracy):>5}  "
            f"lr {event.learning_rate:.2g}  {event.images_per_second:,.0f} images/s"
        )


class BarReporter(Bar, PlainReporter):
    """A live bar with batch, throughput, time left and accuracy; a line per epoch above it."""

    def __init__(self) -> None:
        super().__init__()
        self.per_epoch = self.epochs = 1

    def on_run_start(self, event: events.RunStarted) -> None:
        """The bar counts the batches of the whole run."""
        super().on_run_start(event)
        self.per_epoch, self.epochs = event.steps_per_epoch, event.epochs
        total = event.steps_per_epoch * event.epochs
        epoch, batch = event.resumed_at or (1, 0)
        done = (epoch - 1) * self.per_epoch + batch
        self.bar.reset(self.task, total=total, completed=done, status="")

    def on_phase(self, event: events.PhaseStarted) -> None:
        """Epoch and phase stand before the bar."""
        name = f"epoch {event.epoch}/{self.epochs}" if event.epoch else event.phase
        if event.epoch and event.phase != "epoch":
            name += f", {event.phase}"
        self.bar.update(self.task, description=name)

    def on_batch_end(self, event: events.BatchEnded) -> None:
        """Batch, throughput and running accuracy."""
        status = (
            f"batch {event.batch}/{event.batches}  {event.images_per_second or 0:,.0f} images/s  "
            f"loss {event.loss or float('nan'):.3f}  clean {percent(event.accuracy)}  "
            f"robust {percent(event.robust_accuracy)}"
        )
        done = (event.epoch - 1) * self.per_epoch + event.batch
        self.bar.update(self.task, completed=done, status=status)


def summary_table(summary: dict[str, Any]) -> Table:
    """Clean and robust test accuracy of the best and the final epoch, in percent."""
    table = Table(title=f"Test accuracy, {summary['test_samples']} images")
    for column in ("checkpoint", "epoch", "clean %", f"robust % ({summary['attack']})"):
        table.add_column(column, justify="left" if column == "checkpoint" else "right")
    for which in ("best", "final"):
        if which in summary:
            row = summary[which]
            shown = percent(row["accuracy"]), percent(row["robust_accuracy"])
            table.add_row(which, str(row["epoch"]), *shown)
    return table


# -- of an evaluation -------------------------------------------------------------------------


class QuietProgress(Lines):
    """Warnings and stops only, on stderr."""

    def __call__(self, progress: Any) -> None:
        """So much is done; a ``slr_keras.evaluation.measurement.Progress``."""


class ChannelProgress(ChannelReporter):
    """Every progress to a window, whose commands are taken on the way."""

    def __init__(self, channel: Channel):
        super().__init__(channel)
        self.control = Control(channel.commands, channel.send)

    def __call__(self, told: Any) -> None:
        """So much is done, or an event; pauses, or raises KeyboardInterrupt, if the window asks."""
        if isinstance(told, events.Event):
            super().__call__(told)
            return
        facts = (
            told.step,
            told.steps,
            round(told.share, 4),
            told.robust,
            told.samples,
            bool(told.done),
        )
        self.channel.send(events.EvaluationProgress(told.name, *facts))
        self.control.listen(0, 0)
        if self.control.pause_is_due():
            self._wait()
        if self.control.leaving:
            self.channel.send(events.RunStopped(self.control.leaving, 0, 0))
            raise KeyboardInterrupt

    def _wait(self) -> None:
        self.control.paused = True
        self.channel.send(events.Paused(0, 0))
        while self.control.paused and not self.control.leaving:
            self.control.listen(0, 0, wait=True)
        if not self.control.leaving:
            self.channel.send(events.Continued(0, 0))

    def warn(self, text: str) -> None:
        """A warning for the window."""
        self.channel.send(events.Warned(text))

    def code(self, otherwise: int) -> int:
        """The exit code of an evaluation that was stopped: 0 if the window asked."""
        return self.control.code if self.control.leaving else otherwise


class PlainProgress(QuietProgress):
    """A line when an attack ends, and every half minute while it goes on: for logs and pipes."""

    def __init__(self) -> None:
        super().__init__()
        self.step, self.begun, self.share = 0, 0.0, 0.0
        self.said = time.monotonic()

    def __call__(self, progress: Any) -> None:
        """So much is done."""
        if progress.name == CLEAN:  # takes no time
            return
        now, new = time.monotonic(), progress.step != self.step
        if new:
            self.step, self.begun, self.share = progress.step, now, progress.share
        if progress.done and not is_change(progress.name):  # these are many
            spent = clock(now - self.begun)
            self._say(progress, "nothing left to attack" if new else f"done in {spent}", now)
        elif now - self.said >= EVERY:
            self._say(progress, self._left(progress.share, now - self.begun), now)

    def _say(self, progress: Any, rest: str, now: float) -> None:
        self.said = now
        attack = f"{progress.name} ({progress.step} of {progress.steps})"
        self.line(f"{attack}: {progress.robust} of {progress.samples} robust, {rest}")

    def _left(self, share: float, spent: float) -> str:
        """The rest of this attack, if it goes on as it went since it was begun or resumed."""
        gained = share - self.share
        return f"{clock(spent * (1 - share) / gained)} left" if gained > 0 else "just begun"


class BarProgress(Bar, QuietProgress):
    """A bar with attack, images still robust and time left."""

    def __init__(self) -> None:
        super().__init__()
        self.step = 0

    def __call__(self, progress: Any) -> None:
        """So much is done."""
        if progress.step != self.step:
            self.step = progress.step
            self.bar.reset(self.task, total=1.0)
        self.bar.update(
            self.task,
            completed=progress.share,
            description=f"{progress.name} ({progress.step} of {progress.steps})",
            status=f"{progress.robust} of {progress.samples} robust",
        )


# -- of a study -------------------------------------------------------------------------------


class StudyQuiet(Lines):
    """Failures only."""

    def begin(self, total: int, text: str) -> None:
        """So many stages are to do."""

    def ended(self, text: str, seconds: float, left: Left | None) -> None:
        """A stage has ended."""

    def look(self, left: Left | None) -> None:
        """So much is left, while stages go on."""


class StudyLines(StudyQuiet):
    """A line for each stage, and in long ones for each five minutes, with the time left."""

    def begin(self, total: int, text: str) -> None:
        """Say what is to do."""
        self.total, self.count, self.said = total, 0, time.monotonic()
        self.line(text)

    def ended(self, text: str, seconds: float, left: Left | None) -> None:
        """Count it."""
        self.count += 1
        self._say([text, clock(seconds), time_left(left)])

    def look(self, left: Left | None) -> None:
        """Tell it now and then."""
        if left and time.monotonic() - self.said >= EVERY_IN_STUDY:
            self._say([f"{left.done:.0%} done", time_left(left)])

    def _say(self, words: list[str]) -> None:
        self.said = time.monotonic()
        self.line(f"{self.count}/{self.total}  {', '.join(filter(None, words))}")


class StudyBar(Bar, StudyLines):
    """A line for each stage, and a bar of the work that is done."""

    def __init__(self) -> None:
        super().__init__(TextColumn("{task.fields[status]}"))

    def begin(self, total: int, text: str) -> None:
        """Say what is to do."""
        super().begin(total, text)
        self.bar.update(self.task, description="study")

    def ended(self, text: str, seconds: float, left: Left | None) -> None:
        """Count it."""
        super().ended(text, seconds, left)
        self.look(left)

    def look(self, left: Left | None) -> None:
        """Draw it."""
        words = filter(None, [f"{self.count}/{self.total}", time_left(left)])
        total, done = (1.0, left.done) if left else (None, 0.0)
        self.bar.update(self.task, total=total, completed=done, status=", ".join(words))
