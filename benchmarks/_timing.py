"""Measuring two or more programs in turn, so that a drifting machine troubles all alike."""

from __future__ import annotations

import argparse
import dataclasses
import json
import statistics
import time
from collections.abc import Callable, Mapping
from pathlib import Path

Work = Callable[[], object]


@dataclasses.dataclass(frozen=True)
class Comparison:
    """One ratio of two medians and what it should be.

    Attributes:
        name: what is compared.
        ours: seconds of each of our steps.
        peer: seconds of each step of the other.
        target: largest ratio ours / peer that is good enough; None where there is no target.
    """

    name: str
    ours: list[float]
    peer: list[float]
    target: float | None = None

    @property
    def ratio(self) -> float:
        """Median of ours over median of the peer's."""
        return statistics.median(self.ours) / statistics.median(self.peer)

    @property
    def met(self) -> bool:
        """Whether the target is reached."""
        return self.target is None or self.ratio <= self.target

    def row(self) -> list[str]:
        """The line of the table."""
        times = [f"{1e3 * statistics.median(part):.1f}" for part in (self.ours, self.peer)]
        target = "" if self.target is None else f"<= {self.target:.2f}"
        verdict = "" if self.target is None else ("yes" if self.met else "NO")
        return [self.name, *times, f"{self.ratio:.3f}", f"{1 / self.ratio:.2f}x", target, verdict]


HEADER = ["comparison", "ours ms", "peer ms", "ratio", "faster", "target", "met"]


def alternate(
    works: Mapping[str, Work], rounds: int = 5, warmup: int = 2
) -> dict[str, list[float]]:
    """Seconds of each program: ``rounds`` times one step of each in turn, after a warm-up.

    A step must wait for its own result.
    """
    for work in works.values():
        for _ in range(warmup):
            work()
    times: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(rounds):
        for name, work in works.items():
            begin = time.perf_counter()
            work()
            times[name].append(time.perf_counter() - begin)
    return times


def report(comparisons: list[Comparison], to: str | None = None) -> int:
    """Print the table, write JSON where asked; 0 if every target is reached, else 1."""
    rows = [HEADER, *(comparison.row() for comparison in comparisons)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEADER))]
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)))
    if to:
        entries = [dataclasses.asdict(c) | {"ratio": c.ratio, "met": c.met} for c in comparisons]
        Path(to).write_text(json.dumps(entries, indent=2) + "\n", encoding="utf-8")
    return 0 if all(comparison.met for comparison in comparisons) else 1


def parser(description: str) -> argparse.ArgumentParser:
    """The flags that all benchmarks share."""
    result = argparse.ArgumentParser(description=description)
    result.add_argument("--rounds", type=int, default=5, help="measured steps of each (default 5)")
    result.add_argument("--threads", type=int, default=2, help="threads of each side (default 2)")
    result.add_argument("--json", metavar="FILE", help="write the figures here too")
    return result


def use_threads(threads: int) -> None:
    """Give TensorFlow and, where it is installed, PyTorch as many threads."""
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(threads)
    try:
        import torch
    except ImportError:
        return
    torch.set_num_threads(threads)
