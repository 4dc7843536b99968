"""Processes that tests start: each has a time limit that kills it and fails the test."""

from __future__ import annotations

import atexit
import contextlib
import os
import signal
import subprocess
import threading
from collections.abc import Sequence
from typing import Any

import psutil
import pytest

LIMIT = 240.0  # seconds, far beyond what any of them takes on a slow machine
GRACE = 2.0  # seconds after which a pipe is given up that a process out of reach still holds
PIPES = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)


def finished(
    command: Sequence[str],
    limit: float = LIMIT,
    *,
    input: str | bytes | None = None,
    **options: Any,
) -> subprocess.CompletedProcess[str]:
    """Run a process to its end; what it prints is kept, as text.

    Options are those of ``subprocess.Popen``, and ``input`` for its stdin. A process that takes
    longer than ``limit`` seconds is killed and fails the test, with what it printed until then.
    """
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True} | options
    if input is not None:
        options["stdin"] = subprocess.PIPE
    process = begin(command, limit, **options)
    try:
        out, err = process.communicate(input)
    except BaseException:  # control-C, say
        process.kill_all()
        raise
    return subprocess.CompletedProcess(process.args, process.returncode, out, err)


def begin(command: Sequence[str], limit: float = LIMIT, **options: Any) -> Limited:
    """Start a process that lives for ``limit`` seconds at most.

    Options are those of ``subprocess.Popen``. Whatever the test waits for in the meantime, a line
    or the end, it need not look at the clock: pipes end with the process, and who then waits for
    it, polls it or sends it a signal fails.
    """
    return Limited(command, limit, **options)


class Limited(subprocess.Popen):
    """A process in a session of its own, killed with all that it started when its time is over.

    It is watched until it was waited for. The test that is told of its death fails, once: what
    cleans up after the test can go on.
    """

    def __init__(self, command: Sequence[str], limit: float, **options: Any):
        self._limit, self._late, self._reading = limit, False, False
        self._watchdog = threading.Timer(limit, self._expire)
        self._watchdog.daemon = True
        super().__init__(command, **{"start_new_session": True} | options)
        self._watchdog.start()
        atexit.register(self.kill_all)

    def poll(self) -> int | None:
        return self._in_time(super().poll())

    def wait(self, timeout: float | None = None) -> int:
        code = super().wait(timeout)
        self._watchdog.cancel()
        atexit.unregister(self.kill_all)
        return self._in_time(code)

    def communicate(self, input: Any = None, timeout: float | None = None) -> tuple[Any, Any]:
        timeout = self._limit + GRACE if timeout is None else timeout
        self._reading = True  # the failure is for the end, when there is all that was printed
        try:
            printed = super().communicate(input, timeout)
        finally:
            self._reading = False
        return self._in_time(printed, *printed)

    def kill_all(self) -> None:
        """Kill the process, its group, and its descendants that left the group."""
        if self.returncode is not None:
            return
        family = []
        with contextlib.suppress(psutil.NoSuchProcess):
            family.append(psutil.Process(self.pid))
            family += family[0].children(recursive=True)
        with contextlib.suppress(OSError):  # there is none left
            os.killpg(self.pid, signal.SIGKILL)
        for process in family:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()

    def _expire(self) -> None:
        self._late = self.returncode is None
        self.kill_all()

    def _in_time(self, result: Any, *printed: str | bytes | None) -> Any:
        """The result, unless the process was killed."""
        if self._late and not self._reading:
            self._late = False
            said = "".join(f"\n{text}" for text in printed if text)
            pytest.fail(f"killed after {self._limit:g} seconds: {self.args}{said}")
        return result
