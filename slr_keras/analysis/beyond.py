"""What an evaluation says beyond one ball: distances, natural changes, certificates."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from slr_keras.analysis import figures, words
from slr_keras.corruptions._base import GROUPS
from slr_keras.evaluation.specs import CORRUPTIONS, is_change
from slr_keras.settings import registry

Evaluation = Mapping[str, Any]
SMOOTHED = "l2"  # the norm of randomised smoothing's certificates


def attack_rows(results: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows of the table of attacks: without those of single natural changes, which have a
    table of their own; the row of all of them says how many there were.

    Example:
        >>> rows = [{"attack": "clean"}, {"attack": "corruptions: fog-3"}]
        >>> attack_rows(rows)
        [{'attack': 'clean'}]
    """
    whole = [row for row in results if not is_change(str(row["attack"]))]
    return [_brief(row) if row["attack"] == CORRUPTIONS else row for row in whole]


def _brief(row: dict[str, Any]) -> dict[str, Any]:
    return row | {"settings": {"changes": len(row.get("settings", {}).get("kinds", ()))}}


def view(evaluation: Evaluation, ball: tuple[str, float], key: str) -> dict[str, Any]:
    """What the page shows of it; None for each part that was not measured.

    Args:
        evaluation: the content of evaluation.json.
        ball: norm and radius of the training, for a mark in the figures.
        key: begins the ids of the figures.
    """
    return {
        "distances": _distances(evaluation, ball, key),
        "natural": natural(evaluation),
        "proofs": _proofs(evaluation, ball, key),
    }


# -- distances --------------------------------------------------------------------------------


def nearest_rows(evaluation: Evaluation) -> list[dict[str, Any]]:
    """The rows of the attacks that look for the nearest adversarial image."""
    return [row for row in evaluation["results"] if row.get("distance")]


def _distances(evaluation: Evaluation, ball: tuple[str, float], key: str) -> dict[str, Any] | None:
    rows = nearest_rows(evaluation)
    if not rows:
        return None
    norms = list(dict.fromkeys(row["distance"]["norm"] for row in rows))
    drawn = [_radii(evaluation, norm, ball, f"{key}-radii-{norm}") for norm in norms]
    return {
        "rows": rows,
        "figures": drawn,
        "optimal": any(row["distance"].get("optimality") is not None for row in rows),
    }


def _radii(evaluation: Evaluation, norm: str, ball: tuple[str, float], key: str) -> dict[str, Any]:
    """The figure of accuracy against the radius: what attacks leave, and in L2 what is proved."""
    lines = [
        figures.Fall(row["attack"], row["distance"]["values"])
        for row in nearest_rows(evaluation)
        if row["distance"]["norm"] == norm
    ]
    proved = evaluation["certificates"] if norm == SMOOTHED else []
    lines += [
        figures.Fall(f"certified, σ {one['sigma']:g}", [v or 0.0 for v in one["values"]], True)
        for one in proved
    ]
    radius = ball[1] if ball[0] == norm else None
    return {
        "drawn": figures.radii(lines, norm, radius, key),
        "proved": bool(proved),
        "ball": bool(radius),
    }


# -- natural changes --------------------------------------------------------------------------


def natural(evaluation: Evaluation) -> dict[str, Any] | None:
    """Accuracies by group, kind and severity, their means, and the calibration error."""
    found = evaluation["corruptions"]
    if not found.get("kinds"):
        return None
    levels = sorted({int(level) for row in found["kinds"].values() for level in row})
    gaps: Mapping[str, Any] = found.get("ece") or {}
    by_kind: Mapping[str, Any] = gaps.get("kinds") or {}
    groups: dict[str, list[dict[str, Any]]] = {name: [] for name in GROUPS}
    for kind, errors in found["kinds"].items():
        shares = {int(level): 1 - error for level, error in errors.items()}
        row = {
            "name": kind.replace("_", " "),
            "cells": [shares.get(level) for level in levels],
            "mean": _mean(shares.values()),
            "ece": by_kind.get(kind),
        }
        groups.setdefault(_group(kind), []).append(row)
    groups = {name: rows for name, rows in groups.items() if rows}
    kinds = [row for rows in groups.values() for row in rows]
    means = {name: _mean(row["mean"] for row in rows) for name, rows in groups.items()}
    error = found.get("error")
    mean = _mean(row["mean"] for row in kinds) if error is None else 1 - error
    return {
        "levels": levels,
        "groups": [(name, means[name], rows) for name, rows in groups.items()],
        "columns": [_mean(row["cells"][i] for row in kinds) for i in range(len(levels))],
        "mean": mean,
        "changes": sum(map(len, found["kinds"].values())),
        "kinds": len(kinds),
        "clean": found.get("clean_error"),
        "mce": found.get("mce"),
        "ece": gaps,
    }


def _group(kind: str) -> str:
    known = registry.variants("corruptions")
    return known[kind].group if kind in known else ""


def _mean(shares: Any) -> float:
    return float(np.mean([share for share in shares if share is not None]))


# -- certificates -----------------------------------------------------------------------------


def _proofs(evaluation: Evaluation, ball: tuple[str, float], key: str) -> dict[str, Any] | None:
    found = evaluation["certificates"]
    if not found:
        return None
    tables = [{row["eps"]: row for row in one["radii"]} for one in found]
    radii = sorted({eps for table in tables for eps in table})
    elsewhere = any(row["distance"]["norm"] == SMOOTHED for row in nearest_rows(evaluation))
    return {
        "all": found,
        "radii": [(eps, [table.get(eps) for table in tables]) for eps in radii],
        "figure": None if elsewhere else _radii(evaluation, SMOOTHED, ball, f"{key}-proofs"),
    }


# -- in short ---------------------------------------------------------------------------------


def measures(evaluation: Evaluation) -> dict[str, tuple[str, str]]:
    """Its figures by name, each with what stands beside it: for runs side by side."""
    found: dict[str, tuple[str, str]] = {}
    for row in nearest_rows(evaluation):
        far = row["distance"]
        name = f"median distance, {row['attack']} ({words.norm_name(far['norm'])})"
        found[name] = _median(far)
    changed = natural(evaluation)
    if changed:
        found["corruption error"] = words.percent(1 - changed["mean"]), _changes(changed)
        if changed["ece"].get("mean") is not None:
            found["ECE, corruptions"] = words.percent(changed["ece"]["mean"]), ""
    for one in evaluation["certificates"]:
        for row in one["radii"]:
            name = f"certified at L2 {row['eps']:g}, σ {one['sigma']:g}"
            found[name] = words.percent(row["accuracy"]), words.interval(row.get("interval"))
        found[f"mean certified radius, σ {one['sigma']:g}"] = f"{one['average_radius']:.3g}", ""
    return found


def _median(far: Mapping[str, Any]) -> tuple[str, str]:
    shown = words.distance_interval(far["interval"], far["norm"])
    return words.distance(far["median"], far["norm"]), f"{shown}, {far['images']} images"


def _changes(changed: Mapping[str, Any]) -> str:
    return f"{changed['kinds']} kinds, {changed['changes']} changes"


def sentences(evaluation: Evaluation) -> list[str]:
    """The same as sentences of a model card."""
    said = []
    for row in nearest_rows(evaluation):
        far = row["distance"]
        median, beside = _median(far)
        norm = words.norm_name(far["norm"])
        said.append(
            f"Median {norm} distance of the nearest adversarial image ({row['attack']}): "
            f"{median} ({beside} classified correctly)."
        )
    changed = natural(evaluation)
    if changed:
        error = words.percent(1 - changed["mean"])
        said.append(f"Mean error under natural changes ({_changes(changed)}): {error}.")
    for one in evaluation["certificates"]:
        best = [row for row in one["radii"] if row["eps"]] or one["radii"]
        shares = ", ".join(f"{words.percent(row['accuracy'])} at {row['eps']:g}" for row in best)
        said.append(
            f"Certified L2 accuracy of the network smoothed with noise of {one['sigma']:g} "
            f"(not of the network alone): {shares}."
        )
    return said
