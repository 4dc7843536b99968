"""Pictures: accuracies over the epochs of a run, and accuracy against epsilon."""

from __future__ import annotations

import os
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

from slr_keras.config import RunConfig
from slr_keras.protocol.events import EpochEnded
from slr_keras.settings import schema
from slr_keras.settings.schema import Facts

# Okabe-Ito: told apart with any colour vision. Hue = clean / robust, dash = training set.
CLEAN, ROBUST, SOFT = "#0072B2", "#D55E00", "#009E73"
LINES = (
    ("val_accuracy", "clean, validation", CLEAN, "-"),
    ("train_accuracy", "clean, training", CLEAN, ":"),
    ("val_robust_accuracy", "robust, validation", ROBUST, "-"),
    ("train_robust_accuracy", "robust, training", ROBUST, ":"),
)


def draw_curves(epochs: Sequence[EpochEnded], path: pathlib.Path, config: RunConfig) -> None:
    """Draw the epochs of a run into an image file (its suffix chooses the format)."""
    if not epochs:
        return
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 6), layout="constrained")
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    draw_accuracy(upper, epochs)
    mark_drops(upper, config)
    lower.plot([e.epoch for e in epochs], [e.label_entropy for e in epochs], color=SOFT)
    lower.set(xlabel="epoch", ylabel="label entropy\n(nats)", ylim=(0, None))
    upper.set_title(f"{config.method.name} · {config.model.name} · {config.data.name}")
    _save(figure, path)


def draw_radii(points: Sequence[Mapping[str, Any]], path: pathlib.Path) -> None:
    """Draw accuracy against epsilon with 95 % intervals, from the ``curve`` of evaluation.json."""
    from matplotlib.figure import Figure

    radii = [schema.check("eps", float, Facts("radius"), point["eps"]) for point in points]
    values = [100 * point["accuracy"] for point in points]
    low, high = ([100 * point["interval"][end] for point in points] for end in (0, 1))
    settings: Mapping[str, Any] = points[-1]["settings"]
    pixels = settings.get("norm") == "linf"
    places = [255 * radius for radius in radii] if pixels else radii
    figure = Figure(figsize=(6, 4), layout="constrained")
    axes = figure.subplots()
    axes.fill_between(places, low, high, color=ROBUST, alpha=0.2, linewidth=0)
    axes.plot(places, values, "o-", color=ROBUST)
    unit = "L-infinity radius (of 255)" if pixels else f"{settings.get('norm', '')} radius"
    axes.set(
        xlabel=unit,
        ylabel="accuracy (%)",
        ylim=(0, 100),
        title=points[-1]["attack"].partition(" at ")[0],
    )
    axes.grid(alpha=0.25)
    _save(figure, path)


def draw_distances(
    rows: Sequence[Mapping[str, Any]],
    certificates: Sequence[Mapping[str, Any]],
    path: pathlib.Path,
) -> None:
    """Draw the accuracy that distances leave at every radius, and what certificates prove.

    Attacks give upper bounds (lines), certificates lower ones (dashes; of the smoothed model).

    Args:
        rows: those of evaluation.json that have a ``distance``.
        certificates: its section of that name.
    """
    from matplotlib.figure import Figure

    panels: dict[str, list[tuple[str, Sequence[float | None], str]]] = {}
    for row in rows:
        found = row["distance"]
        panels.setdefault(found["norm"], []).append((row["attack"], found["values"], "-"))
    for found in certificates:
        label, values = f"certified, sigma {found['sigma']:g}", found["values"]
        proved = [0.0 if value is None else value for value in values]
        panels.setdefault(found["norm"], []).append((label, proved, "--"))
    figure = Figure(figsize=(5.5 * len(panels) + 0.5, 4), layout="constrained")
    each = figure.subplots(1, len(panels), squeeze=False)[0]
    for axes, (norm, lines) in zip(each, panels.items(), strict=True):
        for label, values, style in lines:
            _fall(axes, values, 255 if norm == "linf" else 1, label=label, linestyle=style)
        unit = "L-infinity radius (of 255)" if norm == "linf" else f"{norm} radius"
        axes.set(xlabel=unit, ylabel="accuracy (%)", ylim=(0, 100))
        axes.set_xlim(left=0)
        axes.grid(alpha=0.25)
        axes.legend(fontsize="small")
    _save(figure, path)


def falling(values: Sequence[float | None]) -> tuple[list[float], list[float]]:
    """Radii, and the accuracy that is left from each of them on: an image is lost at each value.

    Args:
        values: of all images: the distance at which it is lost, 0 where it is wrong from the
            start, None where it never is.

    Example:
        >>> falling([0.0, 0.3, None, 0.1])
        ([0.0, 0.1, 0.3], [0.75, 0.5, 0.25])
    """
    ends = sorted(float(value) for value in values if value is not None)
    wrong = sum(end == 0 for end in ends)
    shares = [1 - count / max(len(values), 1) for count in range(wrong, len(ends) + 1)]
    return [0.0, *ends[wrong:]], shares


def _fall(axes: Any, values: Sequence[float | None], scale: float, **style: Any) -> None:
    radii, shares = falling(values)
    places, percents = [scale * radius for radius in radii], [100 * share for share in shares]
    axes.step(places, percents, where="post", **style)


def _save(figure: Any, path: pathlib.Path) -> None:
    temporary = path.with_name(f".{path.stem}.tmp{path.suffix}")
    try:
        figure.savefig(temporary, dpi=120)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def draw_accuracy(axes: Any, epochs: Sequence[EpochEnded]) -> None:
    """The four accuracies in percent, and a mark at the best robust validation epoch."""
    for field, label, colour, dash in LINES:
        points = [(e.epoch, 100 * v) for e in epochs if (v := getattr(e, field)) is not None]
        if points:
            axes.plot(*zip(*points, strict=True), color=colour, linestyle=dash, label=label)
    rated = [(v, -e.epoch) for e in epochs if (v := e.val_robust_accuracy) is not None]
    if rated:
        best, minus_epoch = max(rated)
        axes.plot(-minus_epoch, 100 * best, "o", color=ROBUST, label="best")
    axes.set(ylabel="accuracy (%)", ylim=(0, 100))
    axes.grid(alpha=0.25)
    axes.legend(fontsize="small", ncols=2)


def mark_drops(axes: Any, config: RunConfig) -> None:
    """Thin lines where the learning rate drops and where refinement sets in."""
    for epoch in config.schedule.drops(config.train.epochs):
        axes.axvline(epoch, color="0.6", linewidth=0.8, linestyle="--")
    start = getattr(config.scheme, "start_epoch", None)
    if start is not None and start <= config.train.epochs:
        axes.axvline(start, color=SOFT, linewidth=0.8, linestyle="--")
