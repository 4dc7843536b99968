"""Table, figure and page of a study, from its results alone."""

from __future__ import annotations

import base64
import html
import io
import json
import pathlib
from collections.abc import Mapping
from typing import Any

from slr_keras.run_folder import write_atomically
from slr_keras.studies import tables
from slr_keras.studies.results import FILE, Results, accuracies, strongest


def write(folder: pathlib.Path, results: Results) -> list[pathlib.Path]:
    """results.json, and its tables, figures and report.html; the paths of these."""
    folder.mkdir(parents=True, exist_ok=True)
    write_atomically(folder / FILE, (json.dumps(results, indent=1) + "\n").encode())
    files = {"table.md": f"{tables.table(results)}\n".encode()}
    files |= {
        "table.tex": tables.latex(results).encode(),
        "table.csv": tables.csv_text(results).encode(),
    }
    files |= {f"figure.{suffix}": figure(results, suffix) for suffix in ("png", "svg")}
    files |= {f"{name}.png": analysis(results, name) for name in recorded(results)}
    pictures = {name: data for name, data in files.items() if name.endswith(".png")}
    files["report.html"] = page(results, pictures).encode()
    for name, data in files.items():
        (folder / name).write_bytes(data)
    return [folder / name for name in files]


# -- the figure -------------------------------------------------------------------------------


def figure(results: Results, suffix: str) -> bytes:
    """Clean against robust accuracy, a point for each run, from the best to the final epoch."""
    import matplotlib
    from matplotlib.figure import Figure

    strong, which = strongest(results), tables.models(results)
    drawn = Figure(figsize=(8, 5), layout="constrained")
    axes = drawn.subplots()
    colours = matplotlib.colormaps["tab20"].resampled(20)
    for number, arm in enumerate(tables.arms(results)):
        hue = colours((2 * number + 2 * number // 20) % 20)
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
    axes.legend(fontsize="small", loc="center left", bbox_to_anchor=(1, 0.5))
    buffer = io.BytesIO()
    plain: dict[str, Any] = {"Date": None} if suffix == "svg" else {}
    with matplotlib.rc_context({"svg.hashsalt": results["study"]}):
        drawn.savefig(buffer, format=suffix, dpi=110, metadata=plain)
    return buffer.getvalue()


def recorded(results: Results) -> list[str]:
    """The analyses that any run has recorded."""
    return sorted({name for run in results["runs"] for name in run.get("analyses", {})})


def analysis(results: Results, name: str) -> bytes:
    """An analysis over the epochs: a field for each quantity, a line for each run, by arm."""
    import matplotlib
    from matplotlib.figure import Figure

    from slr_keras.settings import registry

    columns = registry.get("analyses", name).columns
    shown = [c for c in columns if any(_points(run, name, c) for run in results["runs"])]
    wide = min(len(shown), 4) or 1
    drawn = Figure(figsize=(3.2 * wide, 2.8 * -(-len(shown) // wide) + 0.4), layout="constrained")
    colours, named = matplotlib.colormaps["tab10"], set()
    for place, column in enumerate(shown):
        axes = drawn.add_subplot(-(-len(shown) // wide), wide, place + 1)
        for run in results["runs"]:
            hue = colours(results["arms"].index(run["arm"]) % 10)
            points = _points(run, name, column)
            if points:
                label = None if run["arm"] in named else run["arm"]
                axes.plot(*zip(*points, strict=True), color=hue, label=label, linewidth=1)
                named.add(run["arm"])
        axes.set_title(columns[column], fontsize="small")
        axes.grid(alpha=0.25)
    if named:
        drawn.legend(fontsize="small", loc="outside upper center", ncols=4)
    buffer = io.BytesIO()
    drawn.savefig(buffer, format="png", dpi=100)
    return buffer.getvalue()


def _points(run: dict[str, Any], name: str, column: str) -> list[tuple[int, float]]:
    found = run.get("analyses", {}).get(name, {})
    pairs = zip(found.get("epoch", ()), found.get(column, ()), strict=False)
    return [(epoch, value) for epoch, value in pairs if value is not None]


# -- the page ---------------------------------------------------------------------------------

PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>{name}</title>
<style>
:root {{ color-scheme: light dark }}
body {{ font: 15px/1.5 system-ui, sans-serif; max-width: 70rem; margin: 2rem auto }}
table {{ border-collapse: collapse; font-variant-numeric: tabular-nums }}
td, th {{ padding: .25rem .6rem; border-bottom: 1px solid #8885; text-align: right }}
td:first-child, th:first-child {{ text-align: left }}
img {{ max-width: 100%; background: white }}
</style>
<h1>{name}</h1><p>{question}</p>
<div style="overflow-x: auto"><table>{rows}</table></div>
<p><small>{footing}</small></p>
{pictures}
</html>
"""


def page(results: Results, pictures: Mapping[str, bytes]) -> str:
    """One self-contained HTML page with the pictures, by their names."""
    rows = [_cells("th", tables.header(results))]
    rows += [_cells("td", tables.row(results, arm)) for arm in tables.arms(results)]
    return PAGE.format(
        name=html.escape(results["study"]),
        question=html.escape(results["question"]),
        rows="".join(rows),
        footing=html.escape(tables.footing(results)),
        pictures="".join(_picture(name, data) for name, data in pictures.items()),
    )


def _picture(name: str, data: bytes) -> str:
    words = name.removesuffix(".png").replace("_", " ")
    if words == "figure":
        words = "Clean against robust accuracy, best and final epoch"
    source = base64.b64encode(data).decode()
    return f'<p>{words}</p><img alt="{words}" src="data:image/png;base64,{source}">'


def _cells(kind: str, texts: list[str]) -> str:
    return "<tr>" + "".join(f"<{kind}>{html.escape(text)}</{kind}>" for text in texts) + "</tr>"
