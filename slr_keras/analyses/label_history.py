"""The label bank over the epochs: how each label softened."""

from __future__ import annotations

import dataclasses
from typing import Any

from slr_keras.analyses._base import Analysis, Probe

Array = Any


@dataclasses.dataclass(frozen=True)
class LabelHistory(Analysis):
    """Rows of the label bank, with the probability that is left to given, true and other classes.

    The rows of an epoch are in ``analysis/label_history/<epoch>.npz``, float16, with the samples'
    ``index``, ``given`` and ``true`` class: 2 K bytes a sample and evaluation. Nothing without a
    bank. The images lie once beside them, in ``analysis/images.npz``.
    """

    name = "label_history"
    keeps_images = True
    columns = {
        "given": "given class, right labels",
        "given_wrong": "given class, wrong labels",
        "true_wrong": "true class, wrong labels",
    }

    def measure(self, probe: Probe) -> tuple[dict[str, float | None], dict[str, Array]]:
        """Mean probabilities; arrays: ``rows`` (n, K), ``index``, ``given`` and ``true`` (n,)."""
        import numpy as np

        seen = probe.train
        scalars: dict[str, float | None] = dict.fromkeys(self.columns)
        if seen.soft is None:
            return scalars, {}
        rows, each = np.asarray(seen.soft), np.arange(len(seen.label))
        given, true = rows[each, seen.label], rows[each, seen.true]
        for name, values, chosen in (
            ("given", given, ~seen.wrong),
            ("given_wrong", given, seen.wrong),
            ("true_wrong", true, seen.wrong),
        ):
            scalars[name] = float(values[chosen].mean()) if chosen.any() else None
        index = each if seen.index is None else seen.index
        kept = {"index": index, "given": seen.label, "true": seen.true}
        return scalars, {"rows": rows.astype("float16"), **kept}
