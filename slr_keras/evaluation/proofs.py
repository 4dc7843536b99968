"""Certified accuracy: what randomised smoothing proves, as figures of an evaluation."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from slr_keras.evaluation.distances import rounded
from slr_keras.evaluation.intervals import wilson
from slr_keras.evaluation.measurement import Measurement
from slr_keras.evaluation.searches import ABSTAINED


def summary(measured: Measurement) -> list[dict[str, Any]]:
    """The section ``certificates``: one for each size of noise.

    Each holds the settings, the share of images on which the smoothed model abstains, certified
    accuracy at radii (L2, pixels in [0, 1]), the average certified radius over all images, and
    ``values``: the radius of each image that is classified correctly, None for the others.
    """
    steps = enumerate(measured.steps)
    return [_certificate(measured, number) for number, step in steps if step.certificate]


def _certificate(measured: Measurement, number: int) -> dict[str, Any]:
    smoothing = measured.steps[number].certificate
    outcome, radius = measured.tally.fooled[number], measured.tally.value[number]
    right = outcome == 0
    radii = np.arange(0.0, smoothing.largest_radius, smoothing.sigma)
    proved = np.where(right, radius, 0.0)
    return dataclasses.asdict(smoothing) | {
        "norm": "l2",
        "abstained": float((outcome == ABSTAINED).mean()),
        "average_radius": round(float(proved.mean()), 6),
        "radii": [_at(right & (radius >= eps), float(eps)) for eps in radii],
        "values": [rounded(r) if ok else None for r, ok in zip(radius, right, strict=True)],
        "seconds": round(float(measured.tally.seconds[number]), 2),
    }


def _at(certified: np.ndarray, eps: float) -> dict[str, Any]:
    hits, count = int(certified.sum()), len(certified)
    return {"eps": round(eps, 6), "accuracy": hits / count, "interval": wilson(hits, count)}
