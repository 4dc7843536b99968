"""How long a window stood still, told from how long the machine was busy with other programs."""

from __future__ import annotations

import dataclasses
import os
import threading
import time
from collections.abc import Mapping
from pathlib import Path

TASKS = Path("/proc/self/task")  # Linux says of each thread how long it ran and how long it queued


@dataclasses.dataclass(frozen=True)
class Moment:
    """Readings in seconds.

    Attributes:
        clock: on the wall.
        processor: used by all threads.
        worked: by this thread; the clock where the system does not tell.
        queued: by this thread, ready while other programs had the processors.
        helpers: the same of each other thread; Qt paints large areas with some and waits for them.
        stolen: by the host of a virtual machine, from each processor.
    """

    clock: float
    processor: float
    worked: float
    queued: float
    helpers: Mapping[str, float]
    stolen: tuple[float, ...]

    @classmethod
    def now(cls) -> Moment:
        """Read them all."""
        mine = str(threading.get_native_id())
        before, clock, after = _times(mine), time.monotonic(), _times(mine)
        while before[1] != after[1]:  # put aside while it read the clock
            before, clock, after = after, time.monotonic(), _times(mine)
        others = {task.name: _times(task.name)[1] for task in _tasks() if task.name != mine}
        worked = after[0] if _tasks() else clock
        return cls(clock, time.process_time(), worked, after[1], others, _stolen())


@dataclasses.dataclass(frozen=True)
class Stall:
    """How long no events were handled.

    Attributes:
        clock: on the wall.
        processor: time that all threads used.
        own: what the window worked in between, or waited for of its own accord: not while it, or a
            helper that it waited for, was ready and other programs or machines had the processors.
        doing: what was done last.
    """

    clock: float
    processor: float
    own: float
    doing: str = ""

    @classmethod
    def between(cls, one: Moment, other: Moment, doing: str = "") -> Stall:
        """From one moment to a later one."""
        clock, worked = other.clock - one.clock, other.worked - one.worked
        slept = clock - worked - (other.queued - one.queued)
        delays = (delay - one.helpers.get(task, 0.0) for task, delay in other.helpers.items())
        stolen = max((b - a for a, b in zip(one.stolen, other.stolen, strict=True)), default=0.0)
        waited = max(0.0, slept - stolen - sum(max(0.0, delay) for delay in delays))
        return cls(clock, other.processor - one.processor, worked + waited, doing)

    def text(self) -> str:
        """For a list of stalls."""
        times = f"{self.own:.2f} s (clock {self.clock:.2f}, processor {self.processor:.2f})"
        return f"{times}: {self.doing}"


def _tasks() -> list[Path]:
    return [*TASKS.iterdir()] if TASKS.is_dir() else []


def _stolen() -> tuple[float, ...]:
    try:
        lines = Path("/proc/stat").read_text("ascii").splitlines()
    except OSError:
        return ()
    fields = [line.split() for line in lines if line.startswith("cpu") and line[3] != " "]
    return tuple(int(field[8]) / os.sysconf("SC_CLK_TCK") for field in fields)


def _times(task: str) -> tuple[float, float]:
    """Seconds that a thread ran, and that it was ready to run and did not."""
    try:
        ran, queued, _ = (TASKS / task / "schedstat").read_text("ascii").split()
    except (OSError, ValueError):
        return 0.0, 0.0
    return int(ran) / 1e9, int(queued) / 1e9
