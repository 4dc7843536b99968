"""Measuring two or more programs in turn, so that a drifting machine troubles all alike."""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import statistics
import time
from collections.abc import Callable, Mapping
from pathlib import Path

Work = Callable[[], object]


@dataclasses.dataclass(frozen=True)
class Times:
    """Seconds of each measured step: on the clock, and of all processor cores together.

    The second is what a step costs on a machine that others use at the same time.
    """

    wall: list[float] = dataclasses.field(default_factory=list)
    cpu: list[float] = dataclasses.field(default_factory=list)

    def measure(self, work: Work) -> None:
        """Run one step, which must wait for its own result."""
        wall, cpu = time.perf_counter(), time.process_time()
        work()
        self.wall.append(time.perf_counter() - wall)
        self.cpu.append(time.process_time() - cpu)

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


def use_threads(threads: int) -> None:
    """Give TensorFlow as many threads, as the commands do: an operation has one, parts of a batch
    share them (a PyTorch side sets its own)."""
    warn_if_busy()
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(threads)
