"""Measuring two or more programs in turn, so that a drifting machine troubles all alike."""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

Work = Callable[[], object]
ANSWER = "answer: "


def timed(work: Work) -> tuple[float, float]:
    """Seconds of one step, on the clock and of the processor."""
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - wall, time.process_time() - cpu


class Side:
    """A program in a process of its own, where TensorFlow's threads are as that side has them.

    Args:
        module: its ``main`` calls :func:`serve` where the arguments say so.
        arguments: for its command line.

    Raises:
        ImportError: the side says that something is not installed.
    """

    def __init__(self, module: str, *arguments: str):
        command = [sys.executable, "-m", module, *arguments]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        self._process = subprocess.Popen(command, **pipes)
        if (missing := self._answer()) is not None:
            raise ImportError(missing)

    def __call__(self) -> None:
        self.timed()

    def timed(self) -> tuple[float, float]:
        """Seconds of one step, measured in that process."""
        self._process.stdin.write("step\n")
        self._process.stdin.flush()
        return tuple(self._answer())

    def _answer(self) -> Any:
        for line in self._process.stdout:
            if line.startswith(ANSWER):
                return json.loads(line.removeprefix(ANSWER))
        raise SystemExit(f"{' '.join(self._process.args)} ended; run it alone to see why")


def serve(make: Callable[[], Work]) -> int:
    """Be the process of a :class:`Side`: make the work, do a step for every line on stdin."""
    try:
        work, missing = make(), None
    except ImportError as error:
        work, missing = None, str(error)
    print(ANSWER + json.dumps(missing), flush=True)
    for _ in sys.stdin:
        print(ANSWER + json.dumps(timed(work)), flush=True)
    return 0


@dataclasses.dataclass(frozen=True)
class Times:
    """Seconds of each measured step: on the clock, and of all processor cores together.

    The second is what a step costs on a machine that others use at the same time.
    """

    wall: list[float] = dataclasses.field(default_factory=list)
    cpu: list[float] = dataclasses.field(default_factory=list)

    def measure(self, work: Work) -> None:
        """Run one step, which must wait for its own result."""
        wall, cpu = work.timed() if isinstance(work, Side) else timed(work)
        self.wall.append(wall)
        self.cpu.append(cpu)

    def joined(self, other: Times) -> Times:
        """The steps of both."""
        return Times(self.wall + other.wall, self.cpu + other.cpu)


@dataclasses.dataclass(frozen=True)
class Comparison:
    """One ratio of two medians and what it should be.

    Attributes:
        name: what is compared.
        ours: our steps.
        peer: the other's steps.
        target: largest ratio ours / peer that is good enough; None where there is no target.
    """

    name: str
    ours: Times
    peer: Times
    target: float | None = None

    @property
    def ratio(self) -> float:
        """Median wall time of ours over that of the peer."""
        return statistics.median(self.ours.wall) / statistics.median(self.peer.wall)

    @property
    def cpu_ratio(self) -> float:
        """The same of processor time."""
        return statistics.median(self.ours.cpu) / statistics.median(self.peer.cpu)

    @property
    def met(self) -> bool:
        """Whether the target is reached."""
        return self.target is None or self.ratio <= self.target

    def row(self) -> list[str]:
        """The line of the table."""
        times = [f"{1e3 * statistics.median(part.wall):.1f}" for part in (self.ours, self.peer)]
        ratios = [f"{self.ratio:.3f}", f"{1 / self.ratio:.2f}x", f"{self.cpu_ratio:.3f}"]
        target = "" if self.target is None else f"<= {self.target:.3g}"
        verdict = "" if self.target is None else ("yes" if self.met else "NO")
        return [self.name, *times, *ratios, target, verdict]

    def as_json(self) -> dict[str, object]:
        """Everything measured, as plain values."""
        derived = {"ratio": self.ratio, "cpu_ratio": self.cpu_ratio, "met": self.met}
        return dataclasses.asdict(self) | derived


HEADER = ["comparison", "ours ms", "peer ms", "ratio", "faster", "cpu ratio", "target", "met"]


def alternate(works: Mapping[str, Work], rounds: int = 5, warmup: int = 4) -> dict[str, Times]:
    """Times of each program: ``rounds`` times one step of each in turn, after a warm-up.

    PyTorch needs about three steps until its memory pool has settled.
    """
    for work in works.values():
        for _ in range(warmup):
            work()
    times = {name: Times() for name in works}
    for _ in range(rounds):
        for name, work in works.items():
            times[name].measure(work)
    return times


def warn_if_busy() -> None:
    """Say so where other programs compute: threads that wait for each other then lose most."""
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
    if load > 0.5:
        print(f"note: the machine is busy (load {load:.1f}); repeat when it is idle")


def report(comparisons: list[Comparison], to: str | None = None) -> int:
    """Print the table, write JSON where asked; 0 if every target is reached, else 1."""
    rows = [HEADER, *(comparison.row() for comparison in comparisons)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEADER))]
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)))
    if to:
        entries = [comparison.as_json() for comparison in comparisons]
        Path(to).write_text(json.dumps(entries, indent=2) + "\n", encoding="utf-8")
    return 0 if all(comparison.met for comparison in comparisons) else 1


def parser(description: str) -> argparse.ArgumentParser:
    """The flags that all benchmarks share."""
    result = argparse.ArgumentParser(description=description)
    result.add_argument("--rounds", type=int, default=5, help="measured steps of each (default 5)")
    result.add_argument("--warmup", type=int, default=4, help="steps before (default 4)")
    result.add_argument("--threads", type=int, default=2, help="threads of each side (default 2)")
    result.add_argument("--json", metavar="FILE", help="write the figures here too")
    return result


def use_threads(threads: int, of_an_operation: int = 1) -> None:
    """Give TensorFlow as many threads, as the commands do: an operation has one, parts of a batch
    share them. A peer in TensorFlow has no parts: its operations have them all (:class:`Side`).
    """
    warn_if_busy()
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(of_an_operation)
    tf.config.threading.set_inter_op_parallelism_threads(threads)


def sides(
    module: str, arguments: Sequence[str], ours: str, peers: Sequence[str]
) -> dict[str, Work]:
    """A process for our side and for each peer that is installed; others are named."""
    found: dict[str, Work] = {ours: Side(module, *arguments, "--side", ours)}
    for name in peers:
        try:
            found[name] = Side(module, *arguments, "--side", name)
        except ImportError as error:
            print(f"{name} is left out: {error}. pip install -r benchmarks/requirements.txt")
    return found
