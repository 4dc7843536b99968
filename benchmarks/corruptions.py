"""Seconds that the corruptions take: 15 kinds in five severities, one process.

    python -m benchmarks.corruptions --images 1000 --side 32

The target is a minute for 1,000 images of 32 x 32 in colour on two cores.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import numpy as np

from benchmarks import _timing
from slr_keras.corruptions._base import SEVERITIES
from slr_keras.settings import registry

TARGET = 60.0  # seconds for 1,000 images of 32 x 32


def main(arguments: list[str] | None = None) -> int:
    """Print seconds by kind; 0 if their sum is within the target, else 1."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=1000, help="[1000]")
    parser.add_argument("--side", type=int, default=32, help="pixels [32]")
    parser.add_argument("--json", metavar="FILE", help="write the figures here too")
    flags = parser.parse_args(arguments)
    _timing.warn_if_busy()
    images, seconds = pictures(flags.images, flags.side), {}
    for kind, cls in registry.shipped("corruptions").items():
        times = _timing.Times()
        for severity in SEVERITIES:
            corruption = cls(severity=severity)
            times.measure(lambda c=corruption: c.apply(images, np.arange(len(images))))
        seconds[kind] = {"wall": sum(times.wall), "cpu": sum(times.cpu)}
        print(f"{kind:18s} {seconds[kind]['wall']:6.2f} s  (cpu {seconds[kind]['cpu']:.2f} s)")
    total = {name: sum(row[name] for row in seconds.values()) for name in ("wall", "cpu")}
    target = TARGET * images.size / (1000 * 32 * 32 * 3)
    print(f"{'all':18s} {total['wall']:6.2f} s  (cpu {total['cpu']:.2f} s), target {target:.0f} s")
    if flags.json:
        Path(flags.json).write_text(json.dumps(seconds, indent=2) + "\n", encoding="utf-8")
    return int(total["wall"] > target)


def pictures(count: int, side: int) -> np.ndarray:
    """Smooth colours with some grain, uint8 (N, side, side, 3)."""
    rng = np.random.default_rng(0)
    coarse = (
        rng.integers(0, 256, (count, 4, 4, 3)).repeat(-(-side // 4), 1).repeat(-(-side // 4), 2)
    )
    grain = rng.normal(0, 8, (count, side, side, 3))
    return np.clip(coarse[:, :side, :side] + grain, 0, 255).astype("uint8")


if __name__ == "__main__":
    sys.exit(main())
