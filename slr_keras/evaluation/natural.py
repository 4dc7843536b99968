"""What natural changes of the images do to accuracy and calibration, kind by kind."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from slr_keras.analyses import _reliability as reliability
from slr_keras.corruptions import _summary
from slr_keras.corruptions._base import SEVERITIES
from slr_keras.evaluation.intervals import Z95
from slr_keras.evaluation.measurement import Measurement


def mean_of(right: np.ndarray) -> tuple[float, tuple[float, float]]:
    """Mean accuracy over changes and images (C, N), and a 95 % interval over the images.

    The changes of one image are not independent, so the interval is that of the mean over images
    of the share of changes under which each is classified correctly.

    Example:
        >>> mean_of(np.array([[True, True], [False, False]]))
        (0.5, (0.5, 0.5))
    """
    shares = right.mean(axis=0)
    mean, count = float(shares.mean()), len(shares)
    half = Z95 * float(shares.std(ddof=1) / count**0.5) if count > 1 else 1.0
    return mean, (max(0.0, mean - half), min(1.0, mean + half))


def summary(measured: Measurement, baseline: dict[str, Any] | None = None) -> dict[str, Any]:
    """The section ``corruptions`` of an evaluation; empty where nothing was changed.

    Holds the error of each kind at each severity (``kinds``), their mean (``error``), the clean
    error, the expected calibration error (``ece``) of clean and changed images, and, where every
    severity was looked at, what :class:`slr_keras.corruptions._summary.Summary` says.

    Args:
        baseline: the same section of another model, to divide errors by.

    Raises:
        DataError: the baseline lacks a kind.
    """
    steps = [(n, step) for n, step in enumerate(measured.steps) if step.corruption is not None]
    if not steps:
        return {}
    errors: dict[str, dict[str, float]] = {}
    gaps: dict[str, list[float]] = {}
    for number, step in steps:
        change, right = step.corruption, measured.robust(number)
        errors.setdefault(change.name, {})[str(change.severity)] = 1 - float(right.mean())
        confidence = measured.tally.value[number]
        gaps.setdefault(change.name, []).append(reliability.of_confidence(confidence, right).ece)
    means = [float(np.mean(list(found.values()))) for found in errors.values()]
    ece = {kind: round(float(np.mean(values)), 6) for kind, values in gaps.items()}
    mean = round(float(np.mean(list(ece.values()))), 6)
    found = {"kinds": errors, "error": float(np.mean(means))}
    found["clean_error"] = 1 - float(measured.clean.mean())
    found["ece"] = {"clean": _clean_ece(measured), "mean": mean, "kinds": ece}
    return found | _compared(found, baseline)


def _compared(found: dict[str, Any], baseline: dict[str, Any] | None) -> dict[str, Any]:
    """Means by severity and group, and the errors over those of a baseline."""
    wanted = {str(severity) for severity in SEVERITIES}
    if any(set(kind) != wanted for kind in found["kinds"].values()):
        return {}
    options: dict[str, Any] = {}
    if baseline:
        options = {"baseline": _rows(baseline), "baseline_clean": baseline.get("clean_error")}
    said = dataclasses.asdict(_summary.summary(_rows(found), found["clean_error"], **options))
    return {key: value for key, value in said.items() if value is not None and key != "mean"}


def _rows(section: dict[str, Any]) -> dict[str, list[float]]:
    return {kind: list(errors.values()) for kind, errors in section["kinds"].items()}


def _clean_ece(measured: Measurement) -> float | None:
    for number, step in enumerate(measured.steps):
        if step.clean:
            found = reliability.of_confidence(measured.tally.value[number], measured.clean)
            return round(found.ece, 6)
    return None
