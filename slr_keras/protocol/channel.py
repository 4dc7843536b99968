"""A worker's line to the window that started it: events out on stdout, commands in on stdin.

The channel takes the process's real stdout and stdin for itself. What libraries print goes to
stderr, and no child process can read a command. Events leave through a thread of their own, so a
window that hangs holds up no training; one that is gone is as good as the end of stdin.
"""

from __future__ import annotations

import io
import os
import queue
import sys
import threading
from collections.abc import Callable
from typing import Any

import psutil

from slr_keras import __version__
from slr_keras.protocol import commands, events

BEAT = 1.0  # seconds from one heartbeat to the next
PROMISE = 2.0  # and what is promised, where no library holds the interpreter for longer
BACKLOG = 1000  # lines that wait; beyond it what comes again anyway is left out
CLOSING = 5.0  # seconds that the last lines have to leave


class Channel:
    """Sends events and receives commands; made by :meth:`open`.

    Args:
        program: who speaks, for :class:`~slr_keras.protocol.events.Hello`.
        out: file descriptor that events are written to.
        source: file descriptor that commands are read from.

    Attributes:
        commands: what the window asks, in order; None when it is gone (stdin ended, or nobody
            reads stdout). Who takes a command acknowledges it.
    """

    def __init__(self, program: str, out: int, source: int):
        self.commands: queue.Queue[commands.Command | None] = queue.Queue()
        self._out, self._source, self._promise = out, source, PROMISE
        self._lines: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._lost, self._closed = threading.Event(), threading.Event()
        self.send(events.Hello(program, os.getpid(), __version__))
        self._writer = _thread("events", self._write)
        _thread("commands", self._read)
        _thread("heartbeat", self._beat)

    @classmethod
    def open(cls, program: str) -> Channel:
        """Take over stdout and stdin and say hello; to be called before any library prints."""
        sys.stdout.flush()
        out, source = os.dup(1), os.dup(0)
        os.dup2(2, 1)
        nothing = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nothing, 0)
        os.close(nothing)
        sys.stdout = sys.stderr = _Unbreakable(2)
        return cls(program, out, source)

    def __enter__(self) -> Channel:
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()

    def send(self, event: events.Event) -> None:
        """Send an event, from any thread; never blocks and never fails."""
        passing = isinstance(event, (events.BatchEnded, events.Heartbeat, events.Progress))
        if not self._lost.is_set() and not (passing and self._lines.qsize() > BACKLOG):
            self._lines.put((events.encode(event) + "\n").encode())

    def expect(self, seconds: float = PROMISE) -> None:
        """From now on promise a heartbeat within ``seconds``; back to normal without an argument.

        For phases in which a library may hold the interpreter, so that heartbeats stay away.
        """
        self._promise = seconds
        self.send(self._heartbeat())

    def close(self) -> None:
        """Send what waits and fall silent."""
        self._closed.set()
        self._lines.put(None)
        self._writer.join(CLOSING)

    def _heartbeat(self) -> events.Heartbeat:
        resident = psutil.Process().memory_info().rss
        return events.Heartbeat(self._promise, round(resident / 2**20, 1))

    def _beat(self) -> None:
        while not self._closed.wait(BEAT):
            self.send(self._heartbeat())

    def _write(self) -> None:
        while (line := self._lines.get()) is not None:
            try:
                while line:
                    line = line[os.write(self._out, line) :]
            except OSError:  # the window is gone
                self._lost.set()
                self.commands.put(None)
                return

    def _read(self) -> None:
        """Reads the descriptor itself: a file object's lock would be held when Python ends."""
        rest = b""
        while data := self._receive():
            *lines, rest = (rest + data).split(b"\n")
            for line in filter(bytes.strip, lines):
                self._take(line)
        self.commands.put(None)

    def _receive(self) -> bytes:
        try:
            return os.read(self._source, 65536)
        except OSError:
            return b""

    def _take(self, line: bytes) -> None:
        try:
            command = commands.decode(line)
        except (ValueError, RecursionError):
            print(f"passed over what is no command: {line[:200]!r}", file=sys.stderr)
            return
        if command is not None:
            self.commands.put(command)


class _Unbreakable(io.TextIOWrapper):
    """A text stream to a file descriptor that nobody may be reading any more."""

    def __init__(self, fd: int):
        super().__init__(
            _Raw(fd, "wb", closefd=False),
            encoding="utf-8",
            errors="backslashreplace",
            line_buffering=True,
        )


class _Raw(io.FileIO):
    def write(self, data: Any, /) -> int:
        try:
            return super().write(data)
        except OSError:
            return len(data)


def _thread(name: str, target: Callable[[], None]) -> threading.Thread:
    thread = threading.Thread(target=target, name=name, daemon=True)
    thread.start()
    return thread
