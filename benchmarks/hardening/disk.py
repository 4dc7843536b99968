"""A disk that is full at every size: one line, nothing half-written is taken for whole, and the run
goes on when there is room. A small file system in memory stands for the disk; it takes root.
"""

from __future__ import annotations

import pathlib
import random
import shutil
import subprocess
from collections.abc import Iterator

from benchmarks.hardening import _runs
from benchmarks.hardening._jobs import Done, run

LARGE = 64 * 2**20


def tries(count: int, seed: int, folder: pathlib.Path) -> Iterator[tuple[str, str]]:
    """``(job, complaint)`` for disks of ``count`` sizes, from nothing to all that the run needs."""
    whole = _runs.peace(folder)
    need = sum(path.stat().st_size for path in whole.rglob("*") if path.is_file()) + 2**20
    rng = random.Random(seed)
    disk = folder / "disk"
    disk.mkdir()
    for number in range(count):
        size = int(need * (number + rng.random()) / count) // 4096 * 4096 + 4096
        _mount(disk, size)
        try:
            yield "full disk", _one(disk, whole, folder, size)
        finally:
            subprocess.run(["umount", str(disk)], check=True)


def _one(disk: pathlib.Path, whole: pathlib.Path, folder: pathlib.Path, size: int) -> str:
    place, log = disk / "run", folder / "disk.log"
    done = run("train", [*_runs.FLAGS, "--run-dir", place], log)
    wrong = done.complaint()
    if wrong:
        return f"{size:,} bytes: {wrong}"
    _mount(disk, LARGE, again=True)
    done = _again(place, log)
    wrong = done.complaint((0,)) or "; ".join(_runs.differences(whole, place))
    return wrong and f"{size:,} bytes, then room: {wrong}"


def _again(place: pathlib.Path, log: pathlib.Path) -> Done:
    """Go on; where it did not even begin, begin."""
    if (place / "config.toml").exists():
        return run("train", ["--resume", place, "--progress", "quiet"], log)
    shutil.rmtree(place, ignore_errors=True)
    return run("train", [*_runs.FLAGS, "--run-dir", place], log)


def _mount(disk: pathlib.Path, size: int, again: bool = False) -> None:
    options = f"{'remount,' * again}size={size}"
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(disk)], capture_output=True, text=True
    )
    if done.returncode:
        raise SystemExit(f"no small disk can be made here: {done.stderr.strip()}")
