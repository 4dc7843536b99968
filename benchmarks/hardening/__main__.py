"""See the package."""

from __future__ import annotations

import argparse
import collections
import importlib
import json
import pathlib
import sys
import tempfile
import time

from rich.console import Console
from rich.progress import track
from rich.table import Table

PARTS = {"kills": 40, "damage": 60, "hostile": 0, "disk": 12, "lines": 60}  # tries by default


def main() -> int:
    """Try, count, print; 1 if anything went wrong."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.hardening")
    parser.add_argument("--part", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--count", type=int, help="tries of each part [a few]")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=pathlib.Path, help="what was found, as JSON")
    options = parser.parse_args()
    counts: collections.Counter[str] = collections.Counter()
    wrong: list[dict[str, str]] = []
    begun = time.monotonic()
    for part in options.part:
        count = PARTS[part] if options.count is None else options.count
        module = importlib.import_module(f"benchmarks.hardening.{part}")
        with tempfile.TemporaryDirectory(prefix="hardening-") as folder:
            tries = module.tries(count, options.seed, pathlib.Path(folder))
            for what, complaint in track(tries, part, total=count, transient=True):
                counts[what] += 1
                if complaint:
                    wrong.append({"what": what, "complaint": complaint})
                    Console(stderr=True).print(f"{what}: {complaint}", markup=False)
                if options.out:
                    found = {"counts": counts, "wrong": wrong, "seed": options.seed}
                    found["seconds"] = round(time.monotonic() - begun)
                    options.out.write_text(json.dumps(found, indent=1) + "\n")
    _show(counts, wrong)
    return int(bool(wrong))


def _show(counts: collections.Counter[str], wrong: list[dict[str, str]]) -> None:
    failed = collections.Counter(entry["what"] for entry in wrong)
    table = Table("what", "tries", "went wrong")
    for what, count in counts.items():
        table.add_row(what, f"{count:,}", str(failed[what]))
    Console().print(table)


if __name__ == "__main__":
    sys.exit(main())
