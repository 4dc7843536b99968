"""What a run is asked from outside: by signals, and by the commands of a window."""

from __future__ import annotations

import contextlib
import queue
import signal
import time
from collections.abc import Callable, Iterator
from typing import Any

import psutil

from slr_keras.errors import TIME_IS_UP
from slr_keras.protocol import commands, events

POLL = 0.2  # seconds between two looks at the signals while a run is paused
OUT_OF_TIME = "the time limit"
RESERVE = 2.0  # seconds kept for the first checkpoint, which nobody has timed yet

Acknowledge = Callable[[events.Acknowledged], None]
Queue = queue.Queue[commands.Command | None]


class Interrupted(Exception):
    """The run leaves before its end and can be resumed.

    Attributes:
        reason: as in :class:`~slr_keras.protocol.events.RunStopped`.
        saved: what happened to its state, in words.
        code: exit code of the program.
    """

    def __init__(self, reason: str, saved: str, code: int):
        super().__init__(reason)
        self.reason, self.saved, self.code = reason, saved, code


class Control:
    """Takes commands and remembers what they ask; the run looks here between batches.

    Args:
        waiting: the commands; None in it says that the window is gone.
        acknowledge: receives the answer to every command.
        epochs: length of the run.
        minutes: how long this process may run, from its start; 0: no limit.

    Attributes:
        stop_signal: a signal that came (its handler sets it).
        reserve: seconds that saving the state takes; the run leaves so much before its limit.
        paused: the run is to wait. It is set by the run, and taken back here.
        discarding: the run is to leave and save nothing more.
    """

    def __init__(
        self,
        waiting: Queue | None = None,
        acknowledge: Acknowledge = lambda _: None,
        epochs: int = 1,
        minutes: float = 0.0,
    ):
        self.waiting = queue.Queue() if waiting is None else waiting
        self.acknowledge, self.epochs = acknowledge, epochs
        self.reserve = RESERVE
        self._looked, self._stretch = time.monotonic(), 0.0
        left = 60 * minutes - process_seconds() if minutes else float("inf")
        self._deadline = self._looked + left
        self.stop_signal: int | None = None
        self.paused = self.discarding = False
        self._detached = self._pause_now = False
        self._pause_after: int | None = None  # an epoch
        self._reason: str | None = None
        self._code = 0
        self._position = (1, 0)

    # -- what the run asks --------------------------------------------------------------------

    def listen(self, epoch: int, batch: int, wait: bool = False) -> None:
        """Take the commands that came; ``batch`` batches of ``epoch`` are done.

        Args:
            wait: for the first one, a short while.
        """
        self._position = (epoch, batch)
        self._watch_the_time()
        with contextlib.suppress(queue.Empty):
            if wait:
                self._take(self.waiting.get(timeout=POLL))
            while True:
                self._take(self.waiting.get_nowait())

    def _watch_the_time(self) -> None:
        """Leave if another stretch like this one, and saving the state, would take too long.

        The shorter of the last two counts, for one alone may have compiled; that something will
        be compiled in the next one is not foreseen.
        """
        now = time.monotonic()
        stretch, before = now - self._looked, self._stretch
        if now + min(stretch, before) + self.reserve > self._deadline:
            self._leave(OUT_OF_TIME, TIME_IS_UP)
        self._looked, self._stretch = now, stretch

    @property
    def leaving(self) -> str | None:
        """Why the run is to leave; None if it is not."""
        return self._reason if self.stop_signal is None else signal.Signals(self.stop_signal).name

    @property
    def code(self) -> int:
        """Exit code of a run that leaves: 128 and the signal's number, 75; 0 for a command."""
        return self._code if self.stop_signal is None else 128 + self.stop_signal

    def pause_is_due(self) -> bool:
        """Whether to wait now; asked once, for the answer is then forgotten."""
        epoch, _ = self._position
        due = self._pause_now or (self._pause_after is not None and epoch > self._pause_after)
        if due:
            self._pause_now, self._pause_after = False, None
        return due

    def follow(self, code: int) -> None:
        """Leave as another process of the run does, with its exit code."""
        if code > 128:
            self.stop_signal = code - 128
        elif code == TIME_IS_UP:
            self._leave(OUT_OF_TIME, code)
        else:
            self._leave("asked to stop")

    # -- commands -----------------------------------------------------------------------------

    def _take(self, command: commands.Command | None) -> None:
        if command is None:
            if not self._detached:
                self._leave("window closed")
            return
        handler: Callable[[Any], str] | None = getattr(self, f"_on_{command.name}", None)
        refusal = handler(command) if handler else "This is no command for a trainer."
        self.acknowledge(events.Acknowledged(command.id, command.name, not refusal, refusal))

    def _leave(self, reason: str, code: int = 0) -> str:
        if not self._reason:
            self._reason, self._code = reason, code
        return ""

    def _on_stop(self, _: commands.Stop) -> str:
        return self._leave("asked to stop")

    def _on_discard(self, _: commands.Discard) -> str:
        self.discarding = True
        return self._leave("discarded")

    def _on_detach(self, _: commands.Detach) -> str:
        self._detached = True
        self._go_on()  # nobody could continue a run that waits
        return ""

    def _on_pause(self, _: commands.Pause) -> str:
        if self.leaving:
            return "The run is about to leave."
        if self.paused:
            return "The run is paused already."
        self._pause_now = True
        return ""

    def _on_resume(self, _: commands.Resume) -> str:
        if not (self.paused or self._pause_now or self._pause_after is not None):
            return "The run is not paused."
        self._go_on()
        return ""

    def _on_pause_after(self, command: commands.PauseAfter) -> str:
        epoch, batch = self._position
        wanted = command.epochs
        if self.leaving:
            return "The run is about to leave."
        if not isinstance(wanted, int) or wanted < 0:
            return "The number of epochs must be 0 or more."
        last = epoch + wanted if batch else epoch + max(wanted, 1) - 1
        if last > self.epochs:
            return f"The run ends before that, after epoch {self.epochs}."
        self._go_on()
        self._pause_after = last
        return ""

    def _go_on(self) -> None:
        self.paused = self._pause_now = False
        self._pause_after = None


def process_seconds() -> float:
    """Seconds since this process began, the start of Python included."""
    return time.time() - psutil.Process().create_time()


@contextlib.contextmanager
def on_signals(control: Control) -> Iterator[None]:
    """Let SIGINT and SIGTERM stop the run at the next batch; restores the handlers after."""

    def ask(signum: int, _: Any) -> None:
        if control.stop_signal is not None:  # the second time: leave at once, the checkpoint stays
            raise SystemExit(128 + signum)
        control.stop_signal = signum

    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
