"""A worker process that speaks JSON lines: the trainer or the lab."""

from __future__ import annotations

import collections
import dataclasses
import itertools
import os
import pathlib
import re
import sys
import time
from collections.abc import Mapping, Sequence

from PySide6.QtCore import QObject, QProcess, QProcessEnvironment, QTimer, Signal

from slr_keras.protocol import commands, events, lab_events, wire

from .models.death import Death

KINDS = wire.kinds(lab_events.Event)  # importing lab_events makes its events known too
ROOT = pathlib.Path(__file__).resolve().parent.parent
SILENT_AFTER = 30.0  # seconds without a sign of life, where the worker has promised nothing
TURN = 0.02  # seconds of decoding at a stretch; then the window gets its turn
BEHIND = 50_000  # lines; a window that has so many to decode passes over figures of batches
LONGEST_LINE = 256 * 2**20  # bytes; a stream without line breaks must not fill the memory
_BATCH = f'"{events.Event.kind}": "{events.BatchEnded.name}"'.encode()


def program(module: str, *arguments: str) -> list[str]:
    """The command line of one of our workers, in UTF-8 and unbuffered."""
    return [sys.executable, "-X", "utf8", "-u", "-m", module, *arguments]


def start_apart(module: str, *arguments: str) -> bool:
    """Run a module of ours as a program that outlives this one; whether it began."""
    process = QProcess()
    process.setProgram(sys.executable)
    process.setArguments(["-m", module, *arguments])
    process.setProcessEnvironment(environment({}))
    begun = process.startDetached()  # by its type hints with the process number
    return begun[0] if isinstance(begun, tuple) else begun


class Worker(QObject):
    """Starts a program, sends commands, hands on events.

    Signals:
        event: a decoded :class:`slr_keras.protocol.events.Event`.
        acknowledged: the :class:`~slr_keras.protocol.events.Acknowledged` of a command.
        silent: True when a sign of life is overdue, False when one comes after all.
        log: a line of stderr, or a line of stdout that is no message.
        ended: a :class:`~gui.models.death.Death`; the worker can be started again.
    """

    event = Signal(object)  # type: ignore[assignment]  # Qt's own event() is not overridden by it
    acknowledged = Signal(object)
    silent = Signal(bool)
    log = Signal(str)
    ended = Signal(object)

    def __init__(self, name: str, parent: QObject | None = None):
        super().__init__(parent)
        self.name = name
        self.last_lines: collections.deque[str] = collections.deque(maxlen=50)
        self.memory_mb: float | None = None
        self.starts = 0
        self.started_at: float | None = None  # of time.monotonic()
        self.heard_at = 0.0  # the last sign of life, or the start
        self._ids = itertools.count(1)
        self._out, self._err = _Lines(b"\n"), _Lines(b"\r|\n")
        self._pending: collections.deque[bytes] = collections.deque()
        self._turn = QTimer(self, singleShot=True, interval=0)
        self._turn.timeout.connect(self._work)
        self._is_silent = False
        self._watch = QTimer(self, singleShot=True)
        self._watch.timeout.connect(lambda: self._set_silent(True))
        self._process: QProcess | None = None

    # -- life ---------------------------------------------------------------------------------

    @property
    def running(self) -> bool:
        """Whether the process is there."""
        return self._process is not None

    @property
    def uptime(self) -> float:
        """Seconds since it was started; 0 if it does not run."""
        return time.monotonic() - self.started_at if self.started_at is not None else 0.0

    @property
    def is_silent(self) -> bool:
        """Whether a sign of life is overdue."""
        return self._is_silent

    @property
    def pid(self) -> int | None:
        """Its process number."""
        return int(self._process.processId()) if self._process else None

    def start(self, command: Sequence[str], variables: Mapping[str, str] | None = None) -> None:
        """Start a program; its end arrives as ``ended``, whatever kind of end it is."""
        if self._process is not None:
            raise RuntimeError(f"{self.name} runs already")
        self._begin()
        process = self._process = QProcess(self)
        process.setProgram(command[0])
        process.setArguments(list(command[1:]))
        process.setProcessEnvironment(environment(variables or {}))
        process.readyReadStandardOutput.connect(self._read_stdout)
        process.readyReadStandardError.connect(self._read_stderr)
        process.finished.connect(self._finished)
        process.errorOccurred.connect(self._error)
        _own_session(process)
        self._watch.start(int(1000 * SILENT_AFTER))
        process.start()  # may report a missing program before it returns

    def _begin(self) -> None:
        self.last_lines.clear()
        self._pending.clear()
        self._out.clear()
        self._err.clear()
        self.memory_mb = None
        self.starts += 1
        self.started_at = self.heard_at = time.monotonic()

    def send(self, command: commands.Command) -> int:
        """Number and send a command; returns its id (0 if there is no worker)."""
        if self._process is None:
            return 0
        numbered = dataclasses.replace(command, id=next(self._ids))
        self._process.write((commands.encode(numbered) + "\n").encode())
        return numbered.id

    def close(self, wait_ms: int = 0) -> bool:
        """End stdin, which asks the worker to save and leave; waits for it if told to."""
        if self._process is None:
            return True
        self._process.closeWriteChannel()
        return not wait_ms or self._process.waitForFinished(wait_ms)

    def kill(self) -> None:
        """End it at once."""
        if self._process is not None:
            self._process.kill()

    def abandon(self) -> None:
        """Forget the process without ending it (after a ``Detach`` was acknowledged).

        The program survives the window only if the window ends by ``os._exit``: see
        :func:`abandoned`.
        """
        process, self._process = self._process, None
        if process is None:
            return
        for channel in QProcess.ProcessChannel:
            process.closeReadChannel(channel)  # read and thrown away: the pipe must not fill
        process.readyReadStandardOutput.disconnect(self._read_stdout)
        process.readyReadStandardError.disconnect(self._read_stderr)
        process.finished.disconnect(self._finished)
        process.errorOccurred.disconnect(self._error)
        process.setParent(None)  # type: ignore[call-overload]
        _ABANDONED.append(process)
        self._rest()

    # -- what arrives -------------------------------------------------------------------------

    def _read_stdout(self) -> None:
        lines = self._out.feed(bytes(self._process.readAllStandardOutput().data()))
        if len(self._pending) > BEHIND:  # newer ones of the same batch or epoch follow
            lines = [line for line in lines if _BATCH not in line]
        self._pending += lines
        if not self._turn.isActive():
            self._work()

    def _work(self) -> None:
        """Decode what has come, but leave the window its turn in a flood."""
        end = time.monotonic() + TURN
        while self._pending:
            if time.monotonic() > end:
                self._turn.start()
                return
            self._line(self._pending.popleft())

    def _line(self, line: bytes) -> None:
        try:
            event = wire.decode(line, events.Event.kind, KINDS)
        except (ValueError, RecursionError):
            self._logged(line)
            return
        self._sign_of_life(event)
        if isinstance(event, events.Heartbeat):
            self.memory_mb = event.memory_mb
        elif isinstance(event, events.Acknowledged):
            self.acknowledged.emit(event)
        elif event is not None:
            self.event.emit(event)

    def _sign_of_life(self, event: object) -> None:
        self.heard_at = time.monotonic()
        self._set_silent(False)
        if isinstance(event, events.Heartbeat) and isinstance(event.next_within, (int, float)):
            self._watch.start(int(1000 * min(max(3 * event.next_within, 5.0), 86400.0)))
        elif self._watch.remainingTime() < 1000 * SILENT_AFTER:  # a longer promise stands
            self._watch.start(int(1000 * SILENT_AFTER))

    def _set_silent(self, silent: bool) -> None:
        if silent != self._is_silent:
            self._is_silent = silent
            self.silent.emit(silent)

    def _read_stderr(self) -> None:
        for line in self._err.feed(bytes(self._process.readAllStandardError().data())):
            self._logged(line)

    def _logged(self, line: bytes) -> None:
        text = line.decode("utf-8", "replace").rstrip()
        if text:
            self.last_lines.append(text)
            self.log.emit(text)

    # -- the end ------------------------------------------------------------------------------

    def _error(self, error: QProcess.ProcessError) -> None:
        if error == QProcess.ProcessError.FailedToStart and self._process is not None:
            sentence = (
                f"The {self.name} could not be started: {self._process.errorString()}. "
                "Check that Python and the requirements are still installed."
            )
            self._gone(Death("no_start", -1, sentence, ()))

    def _finished(self, code: int, status: QProcess.ExitStatus) -> None:
        self._read_stdout()
        self._read_stderr()
        while self._pending:
            self._line(self._pending.popleft())
        for rest in (self._out.rest(), self._err.rest()):
            self._logged(rest)
        cause = "crash" if status == QProcess.ExitStatus.CrashExit else "exit"
        self._gone(Death.of(self.name, cause, code, self.last_lines))

    def _gone(self, death: Death) -> None:
        process, self._process = self._process, None
        self._rest()
        if process is not None:
            process.deleteLater()
        self.ended.emit(death)

    def _rest(self) -> None:
        self._watch.stop()
        self._turn.stop()
        self._pending.clear()
        self._is_silent = False
        self.started_at = None


class _Lines:
    """Cuts a stream of bytes into lines; pieces of a long line are joined once, not each time."""

    def __init__(self, breaks: bytes):
        self._breaks = re.compile(breaks)
        self._parts: list[bytes] = []
        self._size = 0

    def feed(self, chunk: bytes) -> list[bytes]:
        """The lines that ``chunk`` completes."""
        first, *others = self._breaks.split(chunk)
        self._parts.append(first)
        self._size += len(first)
        if not others and self._size < LONGEST_LINE:
            return []
        lines = [self.rest(), *others]
        self._parts = [lines.pop()] if others else []
        self._size = len(self._parts[0]) if self._parts else 0
        return lines

    def rest(self) -> bytes:
        """What came after the last break; empties it."""
        line = b"".join(self._parts)
        self.clear()
        return line

    def clear(self) -> None:
        """Forget an unfinished line."""
        self._parts, self._size = [], 0


_ABANDONED: list[QProcess] = []  # kept alive: QProcess ends its program when it is destroyed


def abandoned() -> bool:
    """Whether a program that was let go still runs: then leave by ``os._exit``, because the
    destructor of QProcess kills."""
    return any(p.state() != QProcess.ProcessState.NotRunning for p in _ABANDONED)


def environment(extra: Mapping[str, str]) -> QProcessEnvironment:
    """Of our workers: they find this package wherever the window was started."""
    found = QProcessEnvironment.systemEnvironment()
    path = os.pathsep.join(filter(None, [str(ROOT), found.value("PYTHONPATH")]))
    for key, value in {"PYTHONPATH": path, "TF_CPP_MIN_LOG_LEVEL": "2", **extra}.items():
        found.insert(key, value)
    return found


def _own_session(process: QProcess) -> None:
    """Let a closed terminal not take the worker with it (nothing to do on Windows)."""
    if not hasattr(QProcess, "UnixProcessParameters"):
        return
    parameters = QProcess.UnixProcessParameters()
    parameters.flags = QProcess.UnixProcessFlag.CreateNewSession
    process.setUnixProcessParameters(parameters)
