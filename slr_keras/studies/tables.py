"""The table of a study, or of any runs that are compared, as Markdown, LaTeX and CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from slr_keras.studies.groups import arms, short_names
from slr_keras.studies.results import (
    Results,
    accuracies,
    digests,
    images,
    reference,
    strongest,
)
from slr_keras.studies.statistics import Difference, Spread, paired

NONE = "–"
NAMES = {"clean": "clean", "autoattack": "AutoAttack"}
DATES = 10  # characters of a time stamp
Columns = tuple[Sequence[str], Mapping[str, Sequence[str]]]  # names, and each arm's cells
NO_COLUMNS: Columns = ((), {})
_LATEX = str.maketrans(
    {c: rf"\{c}" for c in "&%$#_{}"}
    | {"–": "--", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "\\": r"\textbackslash{}"}
)


def table(results: Results, more: Columns = NO_COLUMNS) -> str:
    """Markdown: a row for each arm, means over the seeds and their range, and what differs.

    Args:
        more: further columns, at the right.
    """
    lines = _lines(results, more)
    lines.insert(1, ["---"] * len(lines[0]))
    text = "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
    return "\n".join([text, "", footing(results)])


def latex(results: Results, more: Columns = NO_COLUMNS) -> str:
    """A ``tabular`` with booktabs' rules, what it rests on as a comment above."""
    lines = _lines(results, more)
    head, *body = (" & ".join(cell.translate(_LATEX) for cell in c) + r" \\" for c in lines)
    layout = "l" + "r" * (len(lines[0]) - 1)
    return "\n".join(
        [
            f"% {footing(results)}",
            rf"\begin{{tabular}}{{{layout}}}",
            *(r"\toprule", head, r"\midrule", *body, r"\bottomrule"),
            r"\end{tabular}",
            "",
        ]
    )


def csv_text(results: Results) -> str:
    """One accuracy a line, unrounded: arm, seed, run, model, attack, images and 95 % interval.

    Where an attack looked for the nearest images, also their median distance and its norm.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    measured = [
        (run, which, attack, found)
        for run in results["runs"]
        for which, model in run["models"].items()
        for attack, found in model["attacks"].items()
    ]
    nearest = any(found.get("distance") for *_, found in measured)
    far = ["median_distance", "norm"] if nearest else []
    names = ["arm", "seed", "run", "model", "attack", "accuracy", "low", "high", "images"]
    writer.writerow([*names, *far])
    for run, which, attack, found in measured:
        facts = run["arm"], run["seed"], run["run"], which, attack
        figures = found["accuracy"], *(found["interval"] or ("", "")), found["samples"]
        distance = found.get("distance") or {}
        away = [distance.get("median"), distance.get("norm")] if nearest else []
        writer.writerow([*facts, *figures, *away])
    return text.getvalue()


def _lines(results: Results, more: Columns) -> list[list[str]]:
    """Header and rows."""
    names, cells = more
    found = parts(results).items()
    return [
        [*header(results), *names],
        *([*row(part, arm), *cells.get(arm, ())] for arm, part in found),
    ]


def models(results: Results) -> list[str]:
    """The models of each run that were evaluated, ``best`` first."""
    known: list[str] | None = results.get("which")
    found = known or {which for run in results["runs"] for which in run["models"]}
    return sorted(found) or ["best", "final"]


def header(results: Results) -> list[str]:
    """The columns' names."""
    columns = [f"{title(a)}, {w}" for w in models(results) for a in results["attacks"]]
    strong, which = title(strongest(results)), models(results)
    drop = [f"drop, {strong}"] if len(which) == 2 else []
    firsts = {arm: reference(results, arm) for arm in arms(results)}
    compared = {firsts[arm] for arm in firsts if common_seeds(results, arm)} or {*firsts.values()}
    short = short_names(results) if len(compared) > 1 else {}
    names = {short.get(arm, arm) for arm in compared}
    other = f"{strong}, {which[0]}, against {' or '.join(sorted(names))} (95 %; p)"
    return ["arm", "seeds", *columns, *drop, other]


def rows(results: Results) -> list[list[str]]:
    """The cells of every arm."""
    return [row(part, arm) for arm, part in parts(results).items()]


def parts(results: Results) -> dict[str, Results]:
    """For each arm the results that its row rests on: its runs and those it is compared with."""
    runs: dict[str, list[Any]] = {arm: [] for arm in arms(results)}
    for run in results["runs"]:
        runs[run["arm"]].append(run)
    facts, found = results | {"which": models(results)}, {}
    for arm, own in runs.items():
        other = reference(results, arm)
        found[arm] = facts | {"runs": own if arm == other else [*runs.get(other, ()), *own]}
    return found


def row(results: Results, arm: str) -> list[str]:
    """The cells of an arm, in percent."""
    which, strong = models(results), strongest(results)
    cells = [
        spread(accuracies(results, arm, one, attack).values())
        for one in which
        for attack in results["attacks"]
    ]
    if len(which) == 2:
        best, final = (accuracies(results, arm, one, strong) for one in which)
        cells.append(spread(best[seed] - final[seed] for seed in best if seed in final))
    found = against(results, arm)
    compared = difference(found) if found else NONE
    seeds = {run["seed"] for run in results["runs"] if run["arm"] == arm}
    return [arm, str(len(seeds)), *cells, compared]


def against(results: Results, arm: str) -> Difference | None:
    """An arm against its reference, best model under the strongest attack, on the same images."""
    first, which, strong = reference(results, arm), models(results)[0], strongest(results)
    ours, theirs = (images(results, name, which, strong) for name in (arm, first))
    seeds = [s for s in common_seeds(results, arm) if s in ours and s in theirs]
    return (
        paired([ours[seed] for seed in seeds], [theirs[seed] for seed in seeds]) if seeds else None
    )


def common_seeds(results: Results, arm: str) -> list[int]:
    """Seeds for which the arm and its reference, where it has one, saw the same images."""
    first, which = reference(results, arm), models(results)[0]
    if arm == first:
        return []
    ours, theirs = (digests(results, name, which) for name in (arm, first))
    return [s for s in sorted(ours.keys() & theirs.keys()) if ours[s] == theirs[s]]


def spread(values: Iterable[float]) -> str:
    """``"17.6 (15.4 to 20.1)"``: mean and range in percent; one value has no range."""
    found = Spread(tuple(values))
    if not found.values:
        return NONE
    low, high = found.range
    mean = f"{100 * found.mean:.1f}"
    return mean if len(found.values) == 1 else f"{mean} ({100 * low:.1f} to {100 * high:.1f})"


def difference(found: Difference) -> str:
    """``"+3.5 (+1.2 to +5.8, images; p 0.004)"`` in percentage points."""
    low, high = (f"{100 * bound:+.1f}" for bound in found.interval)
    p = "" if found.p is None else f"; p {found.p:.2g}"
    return f"{100 * found.mean:+.1f} ({low} to {high}, {found.by}{p})"


def title(attack: str) -> str:
    """An attack's name as it stands in a heading."""
    return NAMES.get(attack, attack.upper() if attack.startswith("pgd") else attack)


def _images(measured: Iterable[Mapping[str, Any]]) -> str:
    """``"1,000"``, or ``"360 to 1,000"`` where data sets have as many test images."""
    counts = {row["samples"] for model in measured for row in model["attacks"].values()}
    return " to ".join(f"{count:,}" for count in sorted({min(counts), max(counts)}))


def _margin(measured: Iterable[Mapping[str, Any]]) -> str:
    """How far chance in the images may move a figure, at most; each interval is in the CSV."""
    rows = [row for model in measured for row in model["attacks"].values() if row["interval"]]
    gaps = [abs(bound - row["accuracy"]) for row in rows for bound in row["interval"]]
    return f", known to ±{100 * max(gaps):.1f} points (95 %, over images)" if gaps else ""


def footing(results: Results) -> str:
    """What the figures rest on: images, seeds, machine, versions, date."""
    measured = [model for run in results["runs"] for model in run["models"].values()]
    if not measured:
        return "No run is done."
    devices = sorted({model["device"] for model in measured})
    frameworks = {f"{k} {v}" for m in measured for k, v in m["versions"].items() if k != "python"}
    days = sorted({model["time"][:DATES] for model in measured})
    when = " to ".join(dict.fromkeys((days[0], days[-1])))
    hours = sum(run["training_seconds"] for run in results["runs"]) / 3600
    hours += sum(model["seconds"] for model in measured) / 3600
    missing = results["missing"]
    left = f" Not done: {', '.join(missing)}." if missing else ""
    return (
        f"Percent of {_images(measured)} test images. One value for one seed{_margin(measured)}; "
        "mean and range for more. Differences are paired, on the same images, their interval over "
        "seeds (three or more) or over images, p McNemar's on all images. best: the epoch of "
        f"highest robust accuracy on validation images. {when}, {', '.join(devices)}, "
        f"{', '.join(sorted(frameworks))}, commit {results['commit'] or 'unknown'}; {hours:.1f} "
        f"hours of training and evaluation.{left}"
    )
