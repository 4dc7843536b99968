"""How long a window stood still, told from how long the machine was busy with other programs."""

from __future__ import annotations

import dataclasses
import time
from pathlib import Path


@dataclasses.dataclass(frozen=True)
class Moment:
    """Three clocks, in seconds: the wall's, the window's own, the processor's."""

    wall: float
    own: float
    cpu: float

    @classmethod
    def now(cls) -> Moment:
        """Read them."""
        return cls(time.monotonic(), own_clock(), time.process_time())


@dataclasses.dataclass(frozen=True)
class Stall(Moment):
    """How long no events were handled, by these clocks, and what was done last."""

    doing: str = ""

    @classmethod
    def between(cls, one: Moment, other: Moment, doing: str = "") -> Stall:
        """From one moment to a later one."""
        return cls(other.wall - one.wall, other.own - one.own, other.cpu - one.cpu, doing)

    def text(self) -> str:
        """For the list."""
        times = f"{self.own:.2f} s (clock {self.wall:.2f}, processor {self.cpu:.2f})"
        return f"{times}: {self.doing}"


def own_clock() -> float:
    """Seconds on the clock, less those in which this thread was ready and other programs had the
    processor: between two readings lies what the thread worked, or waited for of its own accord.

    Where the system does not tell (it is Linux that does), the clock alone.
    """
    waited, now, after = _waited(), time.monotonic(), _waited()
    while waited != after:  # put aside while it read the clock
        waited, now, after = after, time.monotonic(), _waited()
    return now - waited


def _waited() -> float:
    """Seconds that this thread was ready to run and did not."""
    try:
        return int(Path("/proc/thread-self/schedstat").read_text("ascii").split()[1]) / 1e9
    except (OSError, IndexError):
        return 0.0
