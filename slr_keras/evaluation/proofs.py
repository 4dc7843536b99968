"""Certified accuracy: what randomised smoothing proves, as figures of an evaluation."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from slr_keras.evaluation.distances import rounded
from slr_keras.evaluation.intervals import wilson
from slr_keras.evaluation.measurement import Measurement
from slr_keras.evaluation.searches import ABSTAINED
from slr_keras.evaluation.smoothing import certified_accuracy


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
    right, count = outcome == 0, len(outcome)
    radii = np.arange(0.0, smoothing.largest_radius, smoothing.sigma).tolist()
    shares = certified_accuracy(radius, right, radii).tolist()
    return dataclasses.asdict(smoothing) | {
        "norm": "l2",
        "abstained": float((outcome == ABSTAINED).mean()),
        "average_radius": round(float((radius * right).mean()), 6),
        "radii": [_at(*point, count) for point in zip(radii, shares, strict=True)],
        "values": [rounded(r) if ok else None for r, ok in zip(radius, right, strict=True)],
        "seconds": round(float(measured.tally.seconds[number]), 2),
    }


def _at(eps: float, share: float, count: int) -> dict[str, Any]:
    interval = wilson(round(share * count), count)
    return {"eps": round(eps, 6), "accuracy": share, "interval": interval}
