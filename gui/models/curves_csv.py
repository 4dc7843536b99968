"""The visible series of runs as one table."""

from __future__ import annotations

import csv
import dataclasses
import io
from collections.abc import Iterable, Sequence

import numpy as np

from .curves import RunCurves


@dataclasses.dataclass(frozen=True)
class Shown:
    """A run as it stands in a table: its label, its folder, and which series are visible."""

    label: str
    folder: str
    curves: RunCurves
    keys: Sequence[str]


def tidy_csv(runs: Iterable[Shown]) -> str:
    """All visible values as one table, one value a row.

    Accuracies, gap and agreement are shares in [0, 1], entropy is in nats. ``low`` and ``high``
    bound the 95 % interval of validation accuracies for their sample size.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["run", "folder", "epoch", "series", "value", "low", "high"])
    for run in runs:
        for key in run.keys:
            x, y = run.curves.points(key)
            band = run.curves.band(x, y) if key.startswith("val_") else None
            bounds = np.round(band, 6).T.tolist() if band else [("", "")] * len(x)
            for epoch, value, (low, high) in zip(x, y, bounds, strict=True):
                head = [run.label, run.folder, int(epoch), key, float(value)]
                writer.writerow(
                    [*head, *(b if b == "" else round(float(b), 6) for b in (low, high))]
                )
    return text.getvalue()
