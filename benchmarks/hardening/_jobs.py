"""Commands in processes forked from one that has imported the frameworks."""

from __future__ import annotations

import dataclasses
import importlib
import multiprocessing
import os
import pathlib
import resource
import signal
from collections.abc import Sequence
from typing import Any

LIMIT = 300.0  # seconds; a try that takes longer hangs
context = multiprocessing.get_context("forkserver")
context.set_forkserver_preload(["benchmarks.hardening._loaded"])


@dataclasses.dataclass(frozen=True)
class Done:
    """How a command ended: exit code (negative: a signal), what it wrote, peak memory in MiB."""

    code: int
    text: str
    memory: float = 0.0

    @property
    def line(self) -> str:
        """Its last line."""
        lines = [line for line in self.text.splitlines() if line.strip()]
        return lines[-1] if lines else ""

    def complaint(self, allowed: Sequence[int] = (0, 1, 2)) -> str:
        """What is wrong with it, empty if it did its work or said in a line why not."""
        if "Traceback" in self.text:
            return f"a traceback: {self.line}"
        if self.code not in allowed:
            return f"exit code {self.code}, expected {' or '.join(map(str, allowed))}: {self.line}"
        if self.code and not self.line.startswith("error: "):
            return f"exit code {self.code} without a line that says why: {self.line}"
        return ""


class Job:
    """A command at work.

    Args:
        module: of ``slr_keras``, ``"train"`` for example.
        words: its arguments.
        log: where its output goes.
        memory: MiB of address space that it may take beyond what it has; None for any.
    """

    def __init__(
        self, module: str, words: Sequence[Any], log: pathlib.Path, memory: float | None = None
    ):
        self.log = log
        arguments = (module, [str(word) for word in words], str(log), memory)
        self.process = context.Process(target=_run, args=arguments)
        self.process.start()

    def wait(self, seconds: float = LIMIT) -> Done | None:
        """How it ended; None if it is still at work then."""
        self.process.join(seconds)
        code = self.process.exitcode
        if code is None:
            return None
        text = self.log.read_text(errors="replace") if self.log.exists() else ""
        body, _, peak = text.rpartition("\npeak ")
        return Done(code, body, float(peak or 0)) if peak else Done(code, text)

    def kill(self) -> None:
        """SIGKILL."""
        self.process.kill()
        self.process.join()


def run(module: str, words: Sequence[Any], log: pathlib.Path, memory: float | None = None) -> Done:
    """A command to its end."""
    job = Job(module, words, log, memory)
    done = job.wait()
    if done is None:
        job.kill()
        return Done(-signal.SIGALRM, f"hung for {LIMIT:.0f} s")
    return done


def _run(module: str, words: list[str], log: str, memory: float | None) -> None:
    from slr_keras.terminal import cli

    place = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(place, 1)
    os.dup2(place, 2)
    if memory is not None:
        used = int(pathlib.Path("/proc/self/statm").read_text().split()[0]) * os.sysconf(
            "SC_PAGESIZE"
        )
        resource.setrlimit(resource.RLIMIT_AS, (used + int(memory * 2**20),) * 2)
    try:
        code = cli.run(importlib.import_module(f"slr_keras.{module}").main, words)
    except SystemExit as left:
        code = left.code if isinstance(left.code, int) else 1
    except BaseException:
        import traceback

        traceback.print_exc()
        code = 70
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    os.write(2, f"\npeak {peak:.0f}".encode())
    os._exit(code)
