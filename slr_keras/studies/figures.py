"""The figures of a study, from its results alone."""

from __future__ import annotations

import io
import textwrap
from collections.abc import Iterable
from typing import Any

from slr_keras.studies import tables
from slr_keras.studies.groups import groups
from slr_keras.studies.results import Results, accuracies, strongest

WIDTH = 7.2  # inches
STYLES = ("-", "--", ":", "-.")


def accuracy(results: Results, suffix: str) -> bytes:
    """Clean against robust accuracy, a point for each run, from the best to the final epoch.

    A field for each group.
    """
    from matplotlib.figure import Figure

    parts, hues = groups(results), _hues(results)
    across = min(len(parts), 2)
    down = -(-len(parts) // across)
    height = 5.6 if len(parts) == 1 else 2.7 * down + 0.8
    drawn = Figure(figsize=(WIDTH, height), layout="constrained")
    fields = list(drawn.subplots(down, across, sharex=True, sharey=True, squeeze=False).flat)
    for place, (axes, part) in enumerate(zip(fields, parts, strict=False)):
        for short, arm in part.arms.items():
            _points(axes, results, arm, hues[short])
        axes.set_title(textwrap.fill(part.title, 48), fontsize="small")
        axes.grid(alpha=0.25)
        if place % across == 0:
            axes.set_ylabel(f"accuracy under {tables.title(strongest(results))} (%)")
        if place + across >= len(parts):
            axes.set_xlabel("clean accuracy (%)")
            axes.tick_params(labelbottom=True)
    for axes in fields[len(parts) :]:
        axes.set_axis_off()
    lines = [_line(name, hue, marker="o") for name, hue in hues.items()]
    drawn.suptitle(f"{results['study']}: dot best epoch, cross final epoch", fontsize="medium")
    drawn.legend(handles=lines, fontsize="small", loc="outside lower center", ncols=_columns(hues))
    return _saved(drawn, results, suffix)


def _points(axes: Any, results: Results, arm: str, hue: Any) -> None:
    """The runs of an arm."""
    strong, which = strongest(results), tables.models(results)
    clean, robust = ([accuracies(results, arm, w, a) for w in which] for a in ("clean", strong))
    for seed in clean[0]:
        x, y = ([100 * part[seed] for part in parts] for parts in (clean, robust))
        axes.plot(x, y, "-", color=hue, alpha=0.35, linewidth=1)
        axes.plot(x[0], y[0], "o", color=hue, markersize=6)
        axes.plot(x[-1], y[-1], "x", color=hue, markersize=5)


def recorded(results: Results) -> list[str]:
    """The analyses that any run has recorded."""
    return sorted({name for run in results["runs"] for name in run.get("analyses", {})})


def analysis(results: Results, name: str) -> bytes:
    """An analysis over the epochs: a field for each quantity, a line for each run.

    Its colour says the arm, the way it is drawn the group.
    """
    from matplotlib.figure import Figure

    from slr_keras.settings import registry

    columns = registry.get("analyses", name).columns
    shown = [c for c in columns if any(_values(run, name, c) for run in results["runs"])]
    down = -(-len(shown) // 2) or 1
    drawn = Figure(figsize=(WIDTH, 2.8 * down + 0.6), layout="constrained")
    looks, named = _looks(results), set()
    for place, column in enumerate(shown):
        axes = drawn.add_subplot(down, 2, place + 1)
        for run in results["runs"]:
            points = _values(run, name, column)
            if points:
                axes.plot(*zip(*points, strict=True), linewidth=1, **looks[run["arm"]])
                named.add(run["arm"])
        axes.set_title(columns[column], fontsize="small")
        axes.set_xlabel("epoch", fontsize="small")
        axes.grid(alpha=0.25)
    if named:
        lines, across = _key(results, named)
        drawn.legend(handles=lines, fontsize="small", loc="outside upper center", ncols=across)
    return _saved(drawn, results, "png")


def _looks(results: Results) -> dict[str, dict[str, Any]]:
    """How the lines of an arm are drawn."""
    hues = _hues(results)
    return {
        arm: {"color": hues[short], "linestyle": STYLES[number % len(STYLES)]}
        for number, part in enumerate(groups(results))
        for short, arm in part.arms.items()
    }


def _key(results: Results, drawn: set[str]) -> tuple[list[Any], int]:
    """Lines of a legend, and its columns: the names' colours, beside them the groups' styles."""
    looks = _looks(results)
    arms = [
        (part.title, name, looks[arm])
        for part in groups(results)
        for name, arm in part.arms.items()
        if arm in drawn
    ]
    hues = {name: look["color"] for _, name, look in arms}
    styles = {title: look["linestyle"] for title, _, look in arms if title}
    names = [_line(name, hue) for name, hue in hues.items()]
    if not styles:
        return names, _columns(hues)
    titles = [_line(title, "gray", linestyle=style) for title, style in styles.items()]
    gap = len(names) - len(titles)
    return [*names, *[_line(" ", "none")] * -gap, *titles, *[_line(" ", "none")] * gap], 2


def _line(label: str, hue: Any, **style: Any) -> Any:
    from matplotlib.lines import Line2D

    return Line2D([], [], color=hue, label=label, **style)


def _hues(results: Results) -> dict[str, Any]:
    """A colour for each name that an arm has in its group, the same in all figures."""
    import matplotlib

    colours = matplotlib.colormaps["tab20"].resampled(20)
    names = dict.fromkeys(short for part in groups(results) for short in part.arms)
    return {
        name: colours((2 * number + 2 * number // 20) % 20) for number, name in enumerate(names)
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


def _values(run: dict[str, Any], name: str, column: str) -> list[tuple[int, float]]:
    """(epoch, value) of a quantity in a run."""
    found = run.get("analyses", {}).get(name, {})
    pairs = zip(found.get("epoch", ()), found.get(column, ()), strict=False)
    return [(epoch, value) for epoch, value in pairs if value is not None]
