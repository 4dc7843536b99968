"""From the command to the first epoch on digits: ``python -m slr_keras.train``, a fresh process.

python -m benchmarks.startup
python -m benchmarks.startup --against ../older    # another checkout, in turn with this one
"""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from typing import Any

from benchmarks import _timing

ROOT = pathlib.Path(__file__).parent.parent
PHASES = "importing", "loading data", "building", "compiling", "epoch", "evaluating", "epoch_end"
TARGET = 0.7  # of the other checkout's time


def main(arguments: list[str] | None = None) -> int:
    """Time the starts; 0 if the target is reached or there is nothing to compare with."""
    parser = _timing.parser(__doc__.splitlines()[0])
    parser.add_argument("--against", metavar="FOLDER", type=pathlib.Path, help="another checkout")
    flags = parser.parse_args(arguments)
    _timing.warn_if_busy()
    sides = {"ours": ROOT} | ({"peer": flags.against.resolve()} if flags.against else {})
    works = {name: lambda folder=folder: _start(folder) for name, folder in sides.items()}
    times = _timing.alternate(works, flags.rounds, warmup=1)
    print(f"first epoch after {sorted(times['ours'].wall)[flags.rounds // 2]:.2f} s")
    if not flags.against:
        return 0
    name = "digits, command to first epoch / other checkout"
    return _timing.report(
        [_timing.Comparison(name, times["ours"], times["peer"], TARGET)], flags.json
    )


def _start(folder: pathlib.Path) -> None:
    """Train until the first epoch has ended, print when each phase began."""
    begun = time.time()
    with tempfile.TemporaryDirectory() as runs:
        run = pathlib.Path(runs) / "run"
        command = [sys.executable, "-m", "slr_keras.train", "--run-dir", str(run)]
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=os.environ | {"PYTHONPATH": str(folder)},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            phases = list(_until_first_epoch(process, run / "events.jsonl", begun))
        finally:
            process.kill()
            process.wait()
    print(f"{folder.name}: {', '.join(phases)}", flush=True)


def _until_first_epoch(process: Any, events: pathlib.Path, begun: float) -> Iterator[str]:
    seen = 0
    while process.poll() is None:
        lines = events.read_text().splitlines() if events.exists() else []
        for event in map(json.loads, lines[seen:]):
            what = event.get("phase", event["event"])
            if what in PHASES:
                yield f"{what} {event['time'] - begun:.2f}"
            if what == "epoch_end":
                return
        seen = len(lines)
        time.sleep(0.01)
    sys.exit("training ended before its first epoch; run python -m slr_keras.train to see why")


if __name__ == "__main__":
    sys.exit(main())
