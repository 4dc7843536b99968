"""curves.png: clean and robust accuracy over the epochs, and how the labels soften."""

from __future__ import annotations

import os
import pathlib
from collections.abc import Sequence
from typing import Any

from slr_keras.config import RunConfig
from slr_keras.events import EpochEnded

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
    start = getattr(config.method, "start_epoch", None)
    if start is not None and start <= config.train.epochs:
        axes.axvline(start, color=SOFT, linewidth=0.8, linestyle="--")
