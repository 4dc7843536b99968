"""What recording all analyses costs, in parts of an epoch of the demo (``cifar10-1k-slr``).

    python -m benchmarks.recording            # random images, nothing is read
    python -m benchmarks.recording --memory   # peak memory over the size of the training set

The share is processor time at the evaluations over that of the same epochs without it, evaluation
and all, once everything is compiled; the limit is 15 %. What all need, the attack on images that
the evaluation has not attacked, counts with the first one. ``--memory``: with as many images
looked at, a training set eight times as large takes no more than its own images and label bank.
"""

from __future__ import annotations

import argparse
import json
import pathlib
import resource
import subprocess
import sys
import tempfile
import time
from typing import Any

import numpy as np

from benchmarks import _timing

WARM, MEASURED = 4, 4  # epochs
SHARE = 0.15
SLACK = 48 * 2**20  # bytes by which two equal processes may differ
IMAGES, HELD = 1000, 600  # training and other images
SIDE, CLASSES = 32, 10


def main(arguments: list[str] | None = None) -> int:
    """Measure; 0 if the limit is kept."""
    parser = _timing.parser((__doc__ or "").split("\n")[0])
    parser.add_argument("--memory", action="store_true", help="memory in place of time")
    parser.add_argument("--images", type=int, help=argparse.SUPPRESS)  # of a process of --memory
    flags = parser.parse_args(arguments)
    if flags.images:
        _run(flags.images, epochs=2)
        print(json.dumps(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024))
        return 0
    if flags.memory:
        return _memory()
    _timing.use_threads(flags.threads)
    spent, each = _run(IMAGES, WARM + MEASURED)
    for name, seconds in each.items():
        print(f"{name:20} {100 * seconds / spent:5.1f} % of an epoch")
    share = sum(each.values()) / spent
    print(f"together {100 * share:.1f} % (limit {100 * SHARE:.0f} %); an epoch {spent:.1f} s")
    return int(share > SHARE)


def _run(images: int, epochs: int) -> tuple[float, dict[str, float]]:
    """Processor seconds of an epoch without the analyses, and of each of these in one."""
    from slr_keras import config
    from slr_keras.protocol import events
    from slr_keras.run_folder import RunFolder
    from slr_keras.training.loop import train

    stamps: list[tuple[Any, float]] = []
    with tempfile.TemporaryDirectory() as place:
        changes: dict[str, Any] = {
            "run_dir": f"{place}/run",
            "data": {"name": _images(pathlib.Path(place), images), "label_noise": 0.2,
                     "train_samples": 0},
            "train": {"epochs": epochs},
            "method": {"start_epoch": 2},
            "analysis": {"record": "all"},
            "eval": {"test_samples": 10, "masking_every": 0},
        }  # fmt: skip
        settings = config.load("cifar10-1k-slr", values=changes)
        folder = RunFolder.create(settings)
        train(settings, folder, lambda event: stamps.append((event, time.process_time())))
    each: dict[str, float] = {}
    ends, before = [], 0.0
    for event, stamp in stamps:
        if isinstance(event, events.AnalysisMeasured) and event.epoch > WARM:
            each[event.analysis] = each.get(event.analysis, 0) + stamp - before
        if isinstance(event, events.EpochEnded):
            ends.append(stamp)
        if isinstance(event, events.EpochEnded | events.AnalysisMeasured):
            before = stamp
        last = before
    whole = last - ends[WARM - 1] if epochs > WARM else 0.0
    count = max(epochs - WARM, 1)
    return (whole - sum(each.values())) / count, {k: v / count for k, v in each.items()}


def _images(place: pathlib.Path, count: int) -> str:
    rng = np.random.default_rng(0)
    x = rng.integers(0, 256, (HELD + count, SIDE, SIDE, 3), dtype=np.uint8)
    y = rng.integers(0, CLASSES, len(x))
    cuts = [HELD - 100, HELD]
    splits = zip(("val", "test", "train"), np.split(x, cuts), np.split(y, cuts), strict=True)
    np.savez(
        place / "images.npz",
        **{f"{k}_{s}": a for s, *xy in splits for k, a in zip("xy", xy, strict=True)},
    )
    return str(place / "images.npz")


def _memory() -> int:
    """Peak memory of two processes, the second with eight times the images."""
    peaks = []
    for factor in (1, 8):
        words = [sys.executable, "-m", "benchmarks.recording", "--images", str(IMAGES * factor)]
        done = subprocess.run(words, capture_output=True, text=True, check=True)
        peaks.append(int(done.stdout.splitlines()[-1]))
    more = 7 * IMAGES
    own = more * (2 * SIDE * SIDE * 3 + 4 * CLASSES)  # the file's bytes, those of training
    grown = peaks[1] - peaks[0]
    print(
        f"{IMAGES:,} images {peaks[0] / 2**20:.0f} MiB, {8 * IMAGES:,} {peaks[1] / 2**20:.0f} MiB"
    )
    print(f"grown by {grown / 2**20:.0f} MiB, of these images and labels {own / 2**20:.0f} MiB")
    return int(grown > own + SLACK)


if __name__ == "__main__":
    sys.exit(main())
