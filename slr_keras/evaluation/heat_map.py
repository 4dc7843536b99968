"""The picture of a transfer matrix."""

from __future__ import annotations

import pathlib
from collections.abc import Sequence

import numpy as np

from slr_keras.run_folder import replacing

DARK = 55.0  # percent below which cividis is dark, so that figures on it are white
LONGEST = 24  # letters of a name on an axis


def draw_matrix(
    names: Sequence[str], accuracy: np.ndarray, attack: str, path: pathlib.Path
) -> None:
    """Draw (M, M) accuracies of models (columns) on images made on models (rows) into a PNG file.

    Args:
        names: of the models.
        accuracy: shares in [0, 1].
        attack: what it is called.
        path: of the picture, which is whole or not there.
    """
    from matplotlib.figure import Figure

    count = len(names)
    figure = Figure(figsize=(3.5 + 0.8 * count, 2.5 + 0.6 * count), layout="constrained")
    axes = figure.subplots()
    drawn = axes.pcolormesh(100 * accuracy, cmap="cividis", vmin=0, vmax=100)
    for (row, column), share in np.ndenumerate(100 * accuracy):
        ink = "white" if share < DARK else "black"
        axes.text(column + 0.5, row + 0.5, f"{share:.1f}", ha="center", va="center", color=ink)
    ticks, labels = np.arange(count) + 0.5, [_short(name) for name in names]
    axes.set_xticks(ticks, labels, rotation=30, ha="right", rotation_mode="anchor")
    axes.set_yticks(ticks, labels)
    axes.invert_yaxis()
    axes.set(xlabel="attacked model", ylabel="images made on", title=attack, aspect="equal")
    figure.colorbar(drawn, label="accuracy (%)")
    with replacing(path) as file:
        figure.savefig(file, dpi=120, format="png")


def _short(name: str) -> str:
    return name if len(name) <= LONGEST else f"{name[: LONGEST - 1]}…"
