"""The tables of studies in README and the pages, from what the studies have left in docs/results.

python -m benchmarks.results            # write them
python -m benchmarks.results --check    # exit code 1 if one of them says something else
python -m benchmarks.results --pages    # draw figures and report pages of docs/results anew, too

Between ``<!-- results: NAME -->`` and ``<!-- end -->`` stands the table of docs/results/NAME.
"""

from __future__ import annotations

import pathlib
import re
import sys

from slr_keras.studies import pages as study_pages
from slr_keras.studies import results, tables

ROOT = pathlib.Path(__file__).parent.parent
PLACE = re.compile(r"(<!-- results: ([\w-]+) -->\n).*?(<!-- end -->)", re.DOTALL)


def main(arguments: list[str]) -> int:
    """Write, or compare."""
    if "--pages" in arguments:
        for folder in sorted((ROOT / "docs" / "results").iterdir()):
            study_pages.write(folder, results.load(folder))
    other = 0
    for page in pages():
        text = page.read_text(encoding="utf-8")
        wanted = filled(text, page)
        other |= text != wanted
        if "--check" not in arguments:
            page.write_text(wanted, encoding="utf-8")
    return int(other and "--check" in arguments)


def pages() -> list[pathlib.Path]:
    """README and the pages."""
    return [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def filled(text: str, page: pathlib.Path) -> str:
    """A page's text with the tables of the studies that it has places for."""
    return PLACE.sub(lambda found: found[1] + block(found[2], page) + found[3], text)


def block(name: str, page: pathlib.Path) -> str:
    """The table of a study, its footing, and its figure."""
    folder = ROOT / "docs" / "results" / name
    table = tables.table(results.load(folder))
    figure = (folder / "figure.png").relative_to(page.parent).as_posix()
    return f"{table}\n\n![{name}]({figure})\n"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
