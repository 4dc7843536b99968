"""README's tables of studies, from what the studies have left in docs/results.

python -m benchmarks.results            # write them
python -m benchmarks.results --check    # exit code 1 if README says something else

Between ``<!-- results: NAME -->`` and ``<!-- end -->`` stands the table of docs/results/NAME.
"""

from __future__ import annotations

import pathlib
import re
import sys

from slr_keras.studies import results, tables

ROOT = pathlib.Path(__file__).parent.parent
PLACE = re.compile(r"(<!-- results: ([\w-]+) -->\n).*?(<!-- end -->)", re.DOTALL)


def main(arguments: list[str]) -> int:
    """Write, or compare."""
    readme = ROOT / "README.md"
    text = readme.read_text(encoding="utf-8")
    wanted = filled(text)
    if "--check" in arguments:
        return int(text != wanted)
    readme.write_text(wanted, encoding="utf-8")
    return 0


def filled(text: str) -> str:
    """A text with the tables of the studies that it has places for."""
    return PLACE.sub(lambda found: found[1] + block(found[2]) + found[3], text)


def block(name: str) -> str:
    """The table of a study, its footing, and its figure."""
    folder = ROOT / "docs" / "results" / name
    table = tables.table(results.load(folder))
    return f"{table}\n\n![{name}](docs/results/{name}/figure.png)\n"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
