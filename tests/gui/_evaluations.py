"""Hand-made evaluation.json with distances, natural changes, certificates and a curve."""

from __future__ import annotations

import json
import pathlib
from typing import Any

import numpy as np

KINDS = (
    "gaussian_noise", "shot_noise", "impulse_noise", "defocus_blur", "glass_blur", "motion_blur",
    "zoom_blur", "snow", "frost", "fog", "brightness", "contrast", "elastic_transform", "pixelate",
    "jpeg_compression",
)  # fmt: skip
SEVERITIES = range(1, 6)
CLEAN = 0.8


def errors() -> dict[str, dict[str, float]]:
    """By kind and severity: 0.20 for the first kind at 1, 0.01 more a kind, 0.05 a severity."""
    return {
        kind: {str(s): round(0.2 + 0.01 * number + 0.05 * (s - 1), 4) for s in SEVERITIES}
        for number, kind in enumerate(KINDS)
    }


def row(attack: str, accuracy: float, samples: int, **more: Any) -> dict[str, Any]:
    found = {"attack": attack, "samples": samples, "accuracy": accuracy, "interval": [0.1, 0.9]}
    return found | {"per_class": [accuracy, None], "right": "", "seconds": 3.0} | more


def distance(values: list[float | None], norm: str = "linf", **more: Any) -> dict[str, Any]:
    found = [value for value in values if value]
    median = float(np.median(found))
    facts = {"norm": norm, "images": len(found), "found": len(found), "median": median}
    bounds = [0.9 * median, 1.1 * median]
    return facts | {"interval": bounds, "optimality": 0.95, "values": values} | more


def distances(samples: int, median: float, seed: int) -> list[float | None]:
    """A fifth are wrong as they are; of the last no adversarial image was found."""
    rng = np.random.default_rng(seed)
    values = (median * np.exp(0.6 * rng.standard_normal(samples))).round(6).tolist()
    wrong = round((1 - CLEAN) * samples)
    return [0.0] * wrong + values[wrong:-1] + [None]


def certificate(samples: int, sigma: float = 0.25) -> dict[str, Any]:
    rng = np.random.default_rng(round(100 * sigma))
    values = [r if r > 0 else None for r in (sigma * (1 + rng.standard_normal(samples))).round(4)]
    radii = [sigma * n for n in range(4)]
    shares = [sum(v is not None and v >= r for v in values) / samples for r in radii]
    points = [
        {"eps": radius, "accuracy": share, "interval": [share / 2, min(1.0, 1.1 * share)]}
        for radius, share in zip(radii, shares, strict=True)
    ]
    facts = {"sigma": sigma, "samples": 1000, "samples_select": 100, "failure": 0.001, "norm": "l2"}
    figures = {"abstained": 0.04, "average_radius": 0.31, "radii": points, "values": values}
    return facts | figures | {"seconds": 5.0}


def natural() -> dict[str, Any]:
    ece = {"clean": 0.03, "mean": 0.11, "kinds": dict.fromkeys(KINDS, 0.11)}
    return {"kinds": errors(), "error": 0.37, "clean_error": 1 - CLEAN, "ece": ece}


def curve() -> list[dict[str, Any]]:
    settings = {"norm": "linf"}
    points = [("0.0", CLEAN), ("4/255", 0.6), ("8/255", 0.35), ("16/255", 0.05)]
    return [
        {"attack": f"pgd-20 at {eps}", "eps": eps, "accuracy": share, "settings": settings}
        | {"interval": [share - 0.02, share + 0.02]}
        for eps, share in points
    ]


def content(samples: int = 200, norm: str = "linf") -> dict[str, Any]:
    """Everything that an evaluation may hold, on so many images."""
    fmn, deepfool = distances(samples, 6 / 255, 1), distances(samples, 8 / 255, 2)
    rows = [
        row("clean", CLEAN, samples),
        row("fmn", 0.35, samples, distance=distance(fmn, norm)),
        row("deepfool", 0.45, samples, distance=distance(deepfool, norm)),
    ]
    for kind, shares in errors().items():
        changes = {f"corruptions: {kind}-{level}": 1 - e for level, e in shares.items()}
        rows += [row(name, share, samples) for name, share in changes.items()]
    rows.append(row("corruptions", 0.63, samples, settings={"kinds": list(KINDS)}))
    rows.append(row("worst case", 0.34, samples))
    check = {"name": "masking", "verdict": "pass", "says": "more steps find no more"}
    return {
        "format": 2, "which": "best", "epoch": 2, "samples": samples, "results": rows,
        "checks": [check], "data": "digits", "data_digest": "d", "model_digest": "m",
        "class_names": ["cat", "dog"], "device": "CPU", "versions": {"keras": "3"},
        "time": "2026-11-28T10:00:00+00:00", "seconds": 9.0, "curve": curve(),
        "corruptions": natural(), "certificates": [certificate(samples)],
    }  # fmt: skip


def write(folder: pathlib.Path, found: dict[str, Any], which: str = "best") -> None:
    """Into a run folder."""
    name = "evaluation.json" if which == "best" else f"evaluation-{which}.json"
    (folder / name).write_text(json.dumps(found | {"which": which}))
