"""Table, figure and page of a study, from its results alone."""

from __future__ import annotations

import base64
import html
import importlib.resources
import json
import pathlib
from collections.abc import Mapping

from slr_keras.run_folder import write_atomically
from slr_keras.studies import figures, tables
from slr_keras.studies.groups import arms, groups
from slr_keras.studies.results import Results
from slr_keras.studies.work import RESULTS


def write(folder: pathlib.Path, results: Results) -> list[pathlib.Path]:
    """results.json, and its tables, figures and report.html; the paths of these."""
    folder.mkdir(parents=True, exist_ok=True)
    write_atomically(folder / RESULTS, (json.dumps(results, indent=1) + "\n").encode())
    files = {"table.md": f"{tables.table(results)}\n".encode()}
    files |= {
        "table.tex": tables.latex(results).encode(),
        "table.csv": tables.csv_text(results).encode(),
    }
    files |= {f"figure.{suffix}": figures.accuracy(results, suffix) for suffix in ("png", "svg")}
    files |= {f"{name}.png": figures.analysis(results, name) for name in figures.recorded(results)}
    pictures = {name: files[name] for name in files if name.endswith((".svg", ".png"))}
    del pictures["figure.png"]  # drawn twice: the page shows the sharper one
    files["report.html"] = page(results, pictures).encode()
    for name, data in files.items():
        (folder / name).write_bytes(data)
    return [folder / name for name in files]


PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{name} – slr_keras study</title>
<style>
{style}
{own}
</style>
</head>
<body>
<header><p class="kicker">Study</p><h1>{name}</h1><p class="summary">{question}</p></header>
<main>
<div class="wide"><table>
<thead>{head}</thead>
{bodies}
</table></div>
<p class="soft small">{footing}</p>
{pictures}
</main>
</body>
</html>
"""
OWN = """th, td { padding: .38rem .5rem; }
body { max-width: 74rem; }
thead tr:first-child th { border-bottom: 0; padding-bottom: 0; }
thead tr + tr th:nth-child(n) { padding: .38rem .5rem; text-align: right; }
thead th.of { border-bottom: 1px solid var(--line); text-align: center; }
tbody th { min-width: 7rem; white-space: normal; }
tbody th[scope=rowgroup] { font-weight: 600; padding-top: 1.2rem; }
th[scope=rowgroup] span { left: 0; position: sticky; }
tbody td small { color: var(--quiet); display: block; font-size: .78rem; }
tbody td:last-child { min-width: 8.4rem; white-space: normal; }
figure img { background: white; border-radius: 8px; display: block; height: auto; width: 100%; }
figure { max-width: 44rem; }
@media (max-width: 40rem) {
  body { padding: 1.2rem .8rem 2rem; }
  tbody th, thead th:first-child { background: var(--ground); left: 0; position: sticky; }
}
@media print {
  @page { size: A4 landscape; }
  body { max-width: none; }
  .wide { font-size: 9pt; }
  figure img { width: 17cm; }
}"""


def page(results: Results, pictures: Mapping[str, bytes]) -> str:
    """One self-contained HTML page with the pictures, by the names of their files."""
    css = importlib.resources.files("slr_keras.analysis") / "report.css"
    return PAGE.format(
        name=html.escape(results["study"]),
        question=html.escape(results["question"]),
        style=css.read_text(encoding="utf-8").strip(),
        own=OWN,
        head=_head(results),
        bodies=_bodies(results),
        footing=html.escape(tables.footing(results)),
        pictures="\n".join(_picture(name, data) for name, data in pictures.items()),
    )


def _head(results: Results) -> str:
    """The columns' names, the attacks below the model that they met."""
    which, attacks = tables.models(results), results["attacks"]
    measured = len(which) * len(attacks)
    first, after = (
        tables.header(results)[part] for part in (slice(0, 2), slice(2 + measured, None))
    )
    tall = '<th scope="col" rowspan="2">{}</th>'
    cells = [tall.format(html.escape(text)) for text in first]
    cells += [
        f'<th scope="colgroup" class="of" colspan="{len(attacks)}">{w} epoch</th>' for w in which
    ]
    cells += [tall.format(html.escape(text).replace(" %", "&nbsp;%")) for text in after]
    below = [f'<th scope="col">{html.escape(tables.title(a))}</th>' for _ in which for a in attacks]
    return f"<tr>{''.join(cells)}</tr>\n<tr>{''.join(below)}</tr>"


def _bodies(results: Results) -> str:
    """The rows, those of a group together below what their names have in common."""
    cells = dict(zip(arms(results), tables.rows(results), strict=True))
    width, bodies = len(tables.header(results)), []
    for part in groups(results):
        title = f"<span>{html.escape(part.title)}</span>"
        above = f'<tr><th scope="rowgroup" colspan="{width}">{title}</th></tr>'
        rows = [above] if part.title else []
        rows += [_row([short, *cells[arm][1:]]) for short, arm in part.arms.items()]
        bodies += ["<tbody>", *rows, "</tbody>"]
    return "\n".join(bodies)


def _row(cells: list[str]) -> str:
    """A row; what stands in brackets behind a figure comes below it."""
    arm, *others = (html.escape(cell) for cell in cells)
    parts = [cell.removesuffix(")").partition(" (") for cell in others]
    shown = [value + (rest and f"<small>{rest}</small>") for value, _, rest in parts]
    return f'<tr><th scope="row">{arm}</th>{"".join(f"<td>{cell}</td>" for cell in shown)}</tr>'


def _picture(name: str, data: bytes) -> str:
    words, kind = name.partition(".")[0].replace("_", " "), "png"
    if name == "figure.svg":
        words, kind = "Clean against robust accuracy, best and final epoch", "svg+xml"
    source = f"data:image/{kind};base64,{base64.b64encode(data).decode()}"
    return f'<figure><img alt="{words}" src="{source}"><figcaption>{words}</figcaption></figure>'
