"""Robust overfitting on a laptop, with and without label refinement: ``make demo``.

Trains the presets ``cifar10-1k-at`` and ``cifar10-1k-slr`` (about eight minutes each on two
idle cores), draws one figure and prints one table:

    python -m benchmarks.phenomenon --seeds 0 1 2

Runs that are complete are not run again, begun ones go on.
"""

from __future__ import annotations

import argparse
import json
import pathlib
import subprocess
import sys
from typing import Any

import numpy as np

from slr_keras.run_folder import RunFolder

METHODS = {"AT": "cifar10-1k-at", "AT + SLR": "cifar10-1k-slr"}
COLOURS = {"AT": "#D55E00", "AT + SLR": "#0072B2"}


def main() -> int:
    """Train what is missing, then draw and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0], help="[0]")
    parser.add_argument("--runs", type=pathlib.Path, default=pathlib.Path("runs/demo"))
    parser.add_argument("--figure", type=pathlib.Path, help="[phenomenon.png beside the runs]")
    parser.add_argument("rest", nargs="*", help="further arguments of slr_keras.train, after --")
    options = parser.parse_args()
    runs: dict[str, list[RunFolder]] = {name: [] for name in METHODS}
    for seed in options.seeds:
        for name, preset in METHODS.items():
            folder = options.runs / f"{preset}-seed{seed}"
            if code := _train(preset, seed, folder, options.rest):
                return code
            runs[name].append(RunFolder(folder))
    figure = options.figure or options.runs / "phenomenon.png"
    draw(runs, figure)
    print(table(runs))
    print(f"\nfigure {figure}")
    return 0


def _train(preset: str, seed: int, folder: pathlib.Path, rest: list[str]) -> int:
    if (folder / "summary.json").exists():
        return 0
    begun = (folder / "config.toml").exists()
    fresh = ["--preset", preset, "--seed", str(seed), "--run-dir", str(folder), *rest]
    arguments = ["--resume", str(folder)] if begun else fresh
    return subprocess.run([sys.executable, "-m", "slr_keras.train", *arguments]).returncode


def draw(runs: dict[str, list[RunFolder]], path: pathlib.Path) -> None:
    """Mean over the seeds, range as a band; left robust, right clean accuracy."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 4), layout="constrained")
    axes = figure.subplots(1, 2)
    for axis, kind in zip(axes, ("robust_accuracy", "accuracy"), strict=True):
        for name, folders in runs.items():
            _curve(axis, name, folders, f"val_{kind}", "-", "validation")
            _curve(axis, name, folders, f"train_{kind}", ":", "training")
        axis.set(xlabel="epoch", ylim=(0, 100))
        axis.grid(alpha=0.25)
    axes[0].set(ylabel="accuracy (%)", title="robust (PGD-10, 8/255)")
    axes[1].set(title="clean")
    axes[0].legend(fontsize="small")
    figure.savefig(path, dpi=110)


def _curve(axis: Any, name: str, folders: list[RunFolder], field: str, dash: str, of: str) -> None:
    rated = [[e for e in folder.epochs() if getattr(e, field) is not None] for folder in folders]
    values = 100 * np.array([[getattr(e, field) for e in run] for run in rated])
    epochs = [e.epoch for e in rated[0]]
    axis.plot(epochs, values.mean(0), dash, color=COLOURS[name], label=f"{name}, {of}")
    axis.fill_between(epochs, values.min(0), values.max(0), color=COLOURS[name], alpha=0.15)


def table(runs: dict[str, list[RunFolder]]) -> str:
    """Markdown: test accuracy of the best and the final epoch, mean and range over the seeds."""
    lines = [
        "| method | robust, best epoch | robust, final | drop | clean, best epoch | clean, final |",
        "|---|---|---|---|---|---|",
    ]
    for name, folders in runs.items():
        summaries = [json.loads(folder["summary.json"].read_text()) for folder in folders]
        robust = {w: _column(summaries, w, "robust_accuracy") for w in ("best", "final")}
        clean = {w: _column(summaries, w, "accuracy") for w in ("best", "final")}
        drop = robust["best"] - robust["final"]
        cells = (robust["best"], robust["final"], drop, clean["best"], clean["final"])
        lines.append(f"| {name} | {' | '.join(map(_spread, cells))} |")
    return "\n".join(lines)


def _column(summaries: list[dict[str, Any]], which: str, field: str) -> np.ndarray:
    return 100 * np.array([summary[which][field] for summary in summaries])


def _spread(values: np.ndarray) -> str:
    mean = f"{values.mean():.1f}"
    return mean if len(values) == 1 else f"{mean} ({values.min():.1f} to {values.max():.1f})"


if __name__ == "__main__":
    sys.exit(main())
