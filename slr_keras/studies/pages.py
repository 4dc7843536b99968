"""Table, figure and page of a study, from its results alone."""

from __future__ import annotations

import base64
import html
import importlib.resources
import io
import json
import pathlib
from collections.abc import Iterable, Mapping
from typing import Any

from slr_keras.run_folder import write_atomically
from slr_keras.studies import tables
from slr_keras.studies.results import Results, accuracies, strongest
from slr_keras.studies.work import RESULTS

WIDTH = 7.2  # inches of a figure


def write(folder: pathlib.Path, results: Results) -> list[pathlib.Path]:
    """results.json, and its tables, figures and report.html; the paths of these."""
    folder.mkdir(parents=True, exist_ok=True)
    write_atomically(folder / RESULTS, (json.dumps(results, indent=1) + "\n").encode())
    files = {"table.md": f"{tables.table(results)}\n".encode()}
    files |= {
        "table.tex": tables.latex(results).encode(),
        "table.csv": tables.csv_text(results).encode(),
    }
    files |= {f"figure.{suffix}": figure(results, suffix) for suffix in ("png", "svg")}
    files |= {f"{name}.png": analysis(results, name) for name in recorded(results)}
    pictures = {name: files[name] for name in files if name.endswith((".svg", ".png"))}
    del pictures["figure.png"]  # drawn twice: the page shows the sharper one
    files["report.html"] = page(results, pictures).encode()
    for name, data in files.items():
        (folder / name).write_bytes(data)
    return [folder / name for name in files]


# -- the figures ------------------------------------------------------------------------------


def figure(results: Results, suffix: str) -> bytes:
    """Clean against robust accuracy, a point for each run, from the best to the final epoch."""
    from matplotlib.figure import Figure

    strong, which, names = strongest(results), tables.models(results), tables.arms(results)
    drawn = Figure(figsize=(WIDTH, 5.6), layout="constrained")
    axes = drawn.subplots()
    for arm, hue in _hues(results).items():
        clean, robust = ([accuracies(results, arm, w, a) for w in which] for a in ("clean", strong))
        for seed in clean[0]:
            x, y = ([100 * part[seed] for part in parts] for parts in (clean, robust))
            axes.plot(x, y, "-", color=hue, alpha=0.35, linewidth=1)
            axes.plot(x[0], y[0], "o", color=hue, markersize=6)
            axes.plot(x[-1], y[-1], "x", color=hue, markersize=5)
        axes.plot([], [], "o-", color=hue, label=arm)
    axes.set(xlabel="clean accuracy (%)", ylabel=f"accuracy under {tables.title(strong)} (%)")
    axes.set_title(f"{results['study']}: dot best epoch, cross final epoch", fontsize="medium")
    axes.grid(alpha=0.25)
    drawn.legend(fontsize="small", loc="outside lower center", ncols=_columns(names))
    return _saved(drawn, results, suffix)


def recorded(results: Results) -> list[str]:
    """The analyses that any run has recorded."""
    return sorted({name for run in results["runs"] for name in run.get("analyses", {})})


def analysis(results: Results, name: str) -> bytes:
    """An analysis over the epochs: a field for each quantity, a line for each run, by arm."""
    from matplotlib.figure import Figure

    from slr_keras.settings import registry

    columns = registry.get("analyses", name).columns
    shown = [c for c in columns if any(_points(run, name, c) for run in results["runs"])]
    down = -(-len(shown) // 2) or 1
    drawn = Figure(figsize=(WIDTH, 2.8 * down + 0.6), layout="constrained")
    hues, named = _hues(results), []
    for place, column in enumerate(shown):
        axes = drawn.add_subplot(down, 2, place + 1)
        for run in results["runs"]:
            points, arm = _points(run, name, column), run["arm"]
            if points:
                label = None if arm in named else arm
                axes.plot(*zip(*points, strict=True), color=hues[arm], label=label, linewidth=1)
                named.append(arm)
        axes.set_title(columns[column], fontsize="small")
        axes.set_xlabel("epoch", fontsize="small")
        axes.grid(alpha=0.25)
    if named:
        drawn.legend(fontsize="small", loc="outside upper center", ncols=_columns(named))
    return _saved(drawn, results, "png")


def _hues(results: Results) -> dict[str, Any]:
    """A colour for each arm, the same in all figures."""
    import matplotlib

    colours = matplotlib.colormaps["tab20"].resampled(20)
    return {
        arm: colours((2 * number + 2 * number // 20) % 20)
        for number, arm in enumerate(tables.arms(results))
    }


def _columns(names: Iterable[str]) -> int:
    """How many small names stand side by side on a figure."""
    return max(1, int(WIDTH / (0.08 * max(map(len, names), default=1) + 0.5)))


def _saved(drawn: Any, results: Results, suffix: str) -> bytes:
    import matplotlib

    buffer = io.BytesIO()
    plain: dict[str, Any] = {"Date": None} if suffix == "svg" else {}
    with matplotlib.rc_context({"svg.hashsalt": results["study"]}):
        drawn.savefig(buffer, format=suffix, dpi=110, metadata=plain)
    return buffer.getvalue()


def _points(run: dict[str, Any], name: str, column: str) -> list[tuple[int, float]]:
    found = run.get("analyses", {}).get(name, {})
    pairs = zip(found.get("epoch", ()), found.get(column, ()), strict=False)
    return [(epoch, value) for epoch, value in pairs if value is not None]


# -- the page ---------------------------------------------------------------------------------

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
<tbody>
{rows}
</tbody></table></div>
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
tbody td small { color: var(--quiet); display: block; font-size: .78rem; }
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
        rows="\n".join(map(_row, tables.rows(results))),
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
    cells += [tall.format(html.escape(text)) for text in after]
    below = [f'<th scope="col">{html.escape(tables.title(a))}</th>' for _ in which for a in attacks]
    return f"<tr>{''.join(cells)}</tr>\n<tr>{''.join(below)}</tr>"


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
