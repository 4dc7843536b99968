"""A worker process that speaks JSON lines: the trainer or the lab."""

from __future__ import annotations

import collections
import dataclasses
import itertools
import os
import pathlib
import sys
from collections.abc import Mapping, Sequence

from PySide6.QtCore import QObject, QProcess, QProcessEnvironment, QTimer, Signal

from slr_keras import commands, events, lab_events, wire

KINDS = wire.kinds(lab_events.Event)  # importing lab_events makes its events known too
ROOT = pathlib.Path(__file__).resolve().parent.parent
SILENT_AFTER = 30.0  # seconds without a sign of life, where the worker has promised nothing


def program(module: str, *arguments: str) -> list[str]:
    """The command line of one of our workers, in UTF-8 and unbuffered."""
    return [sys.executable, "-X", "utf8", "-u", "-m", module, *arguments]


@dataclasses.dataclass(frozen=True)
class Death:
    """How a worker ended.

    Attributes:
        cause: ``exit`` (it left by itself), ``crash`` (a signal) or ``no_start``.
        code: exit code, or signal number after a crash.
        sentence: for people.
        stderr: its last lines.
    """

    cause: str
    code: int
    sentence: str
    stderr: tuple[str, ...]

    @property
    def well(self) -> bool:
        """Whether the worker ended as it should."""
        return self.cause == "exit" and self.code in (0, 130, 143)


class Worker(QObject):
    """Starts a program, sends commands, hands on events.

    Signals:
        event: a decoded :class:`slr_keras.events.Event`.
        acknowledged: the :class:`~slr_keras.events.Acknowledged` of a command.
        silent: True when a sign of life is overdue, False when one comes after all.
        log: a line of stderr, or a line of stdout that is no message.
        ended: a :class:`Death`; the worker can be started again.
    """

    event = Signal(object)
    acknowledged = Signal(object)
    silent = Signal(bool)
    log = Signal(str)
    ended = Signal(object)

    def __init__(self, name: str, parent: QObject | None = None):
        super().__init__(parent)
        self.name = name
        self.last_lines: collections.deque[str] = collections.deque(maxlen=50)
        self.memory_mb: float | None = None
        self._ids = itertools.count(1)
        self._out = self._err = b""
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
    def pid(self) -> int | None:
        """Its process number."""
        return int(self._process.processId()) if self._process else None

    def start(self, command: Sequence[str], environment: Mapping[str, str] | None = None) -> None:
        """Start a program; its end arrives as ``ended``, whatever kind of end it is."""
        if self._process is not None:
            raise RuntimeError(f"{self.name} runs already")
        self.last_lines.clear()
        self._out = self._err = b""
        process = self._process = QProcess(self)
        process.setProgram(command[0])
        process.setArguments(list(command[1:]))
        process.setProcessEnvironment(_environment(environment or {}))
        process.readyReadStandardOutput.connect(self._read_stdout)
        process.readyReadStandardError.connect(self._read_stderr)
        process.finished.connect(self._finished)
        process.errorOccurred.connect(self._error)
        _own_session(process)
        process.start()
        self._watch.start(int(1000 * SILENT_AFTER))

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
        """Forget the process without ending it (after a ``Detach`` was acknowledged)."""
        if self._process is None:
            return
        self._process.disconnect()
        self._process.setParent(None)  # type: ignore[call-overload]
        _ABANDONED.append(self._process)
        self._process = None
        self._watch.stop()

    # -- what arrives -------------------------------------------------------------------------

    def _read_stdout(self) -> None:
        assert self._process is not None
        self._out += bytes(self._process.readAllStandardOutput().data())
        *lines, self._out = self._out.split(b"\n")
        for line in lines:
            self._line(line)

    def _line(self, line: bytes) -> None:
        try:
            event = wire.decode(line, events.Event.kind, KINDS)
        except ValueError:
            self._logged(line.decode("utf-8", "replace"))
            return
        self._sign_of_life(getattr(event, "next_within", None))
        if isinstance(event, events.Heartbeat):
            self.memory_mb = event.memory_mb
        elif isinstance(event, events.Acknowledged):
            self.acknowledged.emit(event)
        elif event is not None:
            self.event.emit(event)

    def _sign_of_life(self, next_within: float | None) -> None:
        self._set_silent(False)
        seconds = SILENT_AFTER if next_within is None else max(3 * next_within, 5.0)
        self._watch.start(int(1000 * seconds))

    def _set_silent(self, silent: bool) -> None:
        if silent != self._is_silent:
            self._is_silent = silent
            self.silent.emit(silent)

    def _read_stderr(self) -> None:
        assert self._process is not None
        self._err += bytes(self._process.readAllStandardError().data())
        *lines, self._err = self._err.split(b"\n")
        for line in lines:
            self._logged(line.decode("utf-8", "replace").rstrip())

    def _logged(self, line: str) -> None:
        if line:
            self.last_lines.append(line)
            self.log.emit(line)

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
        self._logged(self._err.decode("utf-8", "replace"))
        lines = tuple(self.last_lines)
        if status == QProcess.ExitStatus.CrashExit:
            self._gone(Death("crash", code, f"The {self.name} was ended by signal {code}.", lines))
        else:
            self._gone(Death("exit", code, f"The {self.name} ended with code {code}.", lines))

    def _gone(self, death: Death) -> None:
        process, self._process = self._process, None
        self._watch.stop()
        self._is_silent = False
        if process is not None:
            process.deleteLater()
        self.ended.emit(death)


_ABANDONED: list[QProcess] = []  # kept alive: QProcess ends its program when it is destroyed


def _environment(extra: Mapping[str, str]) -> QProcessEnvironment:
    environment = QProcessEnvironment.systemEnvironment()
    path = os.pathsep.join(filter(None, [str(ROOT), environment.value("PYTHONPATH")]))
    for key, value in {"PYTHONPATH": path, "TF_CPP_MIN_LOG_LEVEL": "2", **extra}.items():
        environment.insert(key, value)
    return environment


def _own_session(process: QProcess) -> None:
    """Let a closed terminal not take the worker with it (nothing to do on Windows)."""
    if not hasattr(QProcess, "UnixProcessParameters"):
        return
    parameters = QProcess.UnixProcessParameters()
    parameters.flags = QProcess.UnixProcessFlag.CreateNewSession
    process.setUnixProcessParameters(parameters)


