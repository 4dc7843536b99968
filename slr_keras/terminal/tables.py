"""The tables of an evaluation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from slr_keras.evaluation.specs import is_change
from slr_keras.terminal.console import percent

MARKS = {"pass": "green", "warn": "yellow", "fail": "bold red"}
Result = dict[str, Any]


def show(result: Result, curve_attack: str, class_names: Sequence[str] | None) -> None:
    """Print what evaluation.json holds; accuracy in each class where their names are given."""
    from rich.console import Console

    console = Console()
    title = f"Accuracy on {result['samples']} {result['split']} images"
    console.print(_accuracies(title, "attack", "attack", _shown(result)))
    if class_names is not None:
        console.print(_classes(result["per_class"], class_names))
    if result["corruptions"]:
        console.print(_corruptions(result["corruptions"]))
    for proved in result["certificates"]:
        console.print(_certificate(proved))
    if result["curve"]:
        title = f"Accuracy against epsilon, {curve_attack}"
        console.print(_accuracies(title, "epsilon", "eps", result["curve"]))
    for check in result["checks"]:
        mark = f"[{MARKS[check['verdict']]}]{check['verdict']:4}[/]"
        console.print(f"{mark}  {check['name']:13}  {check['says']}", highlight=False)


def _shown(result: Result) -> list[Result]:
    """The rows but for single corruptions, which have a table of their own."""
    return [row for row in result["results"] if not is_change(row["attack"])]


def _table(title: str, *columns: str) -> Any:
    """The first column holds words, the others figures."""
    from rich.table import Table

    table = Table(title=title)
    for number, column in enumerate(columns):
        table.add_column(column, justify="right" if number else "left")
    return table


def _accuracies(title: str, head: str, key: str, rows: list[Result]) -> Any:
    far = [row["distance"] for row in rows if "distance" in row] if key == "attack" else []
    more = (f"median distance, {far[0]['norm']}", "95 % interval") if far else ()
    table = _table(title, head, "accuracy %", "95 % interval", "seconds", *more)
    for row in rows:
        shown = f"{row[key]:.4g}" if isinstance(row[key], float) else row[key]
        cells = percent(row["accuracy"]), _interval(row), f"{row['seconds']:.1f}"
        table.add_row(shown, *cells, *(_distance(row.get("distance")) if far else ()))
    return table


def _interval(row: Result) -> str:
    low, high = map(percent, row["interval"])
    return f"{low} - {high}"


def _distance(found: Result | None) -> tuple[str, ...]:
    if not found:
        return "", ""
    shown = ["none" if v is None else _length(v, found["norm"]) for v in _three(found)]
    return shown[0], f"{shown[1]} - {shown[2]}"


def _three(found: Result) -> tuple[float | None, ...]:
    return found["median"], *found["interval"]


def _length(value: float, norm: str) -> str:
    """An L-infinity distance in levels of 255, others as they are."""
    return f"{255 * value:.2f}/255" if norm == "linf" else f"{value:.4g}"


def _classes(classes: list[Result], names: Sequence[str]) -> Any:
    table = _table("Accuracy in each class", "class", "images", "clean %", "worst case %")
    for row in classes:
        number = row["class"]
        name = names[number] if number < len(names) else str(number)
        shares = percent(row["clean"]), percent(row["robust"])
        table.add_row(str(name), str(row["samples"]), *shares)
    return table


def _corruptions(found: Result) -> Any:
    severities = sorted({int(level) for kind in found["kinds"].values() for level in kind})
    title = "Accuracy % under natural change, by severity"
    table = _table(title, "kind", *map(str, severities), "mean")
    for kind, errors in found["kinds"].items():
        shares = {int(level): 1 - error for level, error in errors.items()}
        mean = sum(shares.values()) / len(shares)
        cells = (percent(shares[level]) if level in shares else "" for level in severities)
        table.add_row(kind, *cells, percent(mean))
    table.add_section()
    table.add_row("all", *[""] * len(severities), percent(1 - found["error"]))
    return table


def _certificate(found: Result) -> Any:
    abstained, radius = percent(found["abstained"]), f"{found['average_radius']:.3g}"
    title = f"Certified accuracy, sigma {found['sigma']:g} (abstained {abstained} %, mean {radius})"
    table = _table(title, "L2 radius", "certified %", "95 % interval")
    for row in found["radii"]:
        table.add_row(f"{row['eps']:.4g}", percent(row["accuracy"]), _interval(row))
    return table
