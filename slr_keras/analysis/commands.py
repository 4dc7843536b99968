"""The command lines that make a run, its evaluation and its report again."""

from __future__ import annotations

import math
import shlex
from collections.abc import Sequence
from typing import Any

from slr_keras.analysis import words
from slr_keras.analysis.record import EMPTY, Record
from slr_keras.corruptions._base import SEVERITIES
from slr_keras.evaluation.specs import CORRUPTIONS, WORST
from slr_keras.settings import schema

FIRST_ATTACKS, FIRST_SAMPLES = ("clean", "pgd-20", "autoattack"), 1000


def line(job: str, *arguments: Any) -> str:
    """``python -m slr_keras.<job>`` with arguments, as a shell takes them."""
    return shlex.join(["python", "-m", f"slr_keras.{job}", *map(str, arguments)])


def attacks(record: Record) -> list[str]:
    """The flags of an evaluation: that of evaluation.json again, else one to begin with."""
    evaluation = record.evaluation or EMPTY
    rows = [row for row in evaluation["results"] if row["attack"] != WORST]
    sources = {str(row["attack"]): row.get("settings", {}).get("source") for row in rows}
    own = [name for name, source in sources.items() if not source]
    done = list(dict.fromkeys(_asked(name, own) for name in own))
    samples = rows[0].get("samples", FIRST_SAMPLES) if rows else FIRST_SAMPLES
    flags = ["--attacks", *(done or FIRST_ATTACKS), "--num-samples", str(samples)]
    (norm, eps), training = _ball(record), record.config.attack
    if norm != training.norm or not math.isclose(
        schema.number(str(eps)), training.eps, rel_tol=1e-6
    ):
        flags += ["--norm", norm, "--eps", words.value(eps)]
    for name, source in sources.items():
        if source:
            attack = name.partition(": ")[2]
            flags += ["--transfer-from", str(source), "--transfer-attack", attack]
    sigmas = [words.value(proved["sigma"]) for proved in evaluation["certificates"]]
    return [*flags, "--certify", *sigmas] if sigmas else flags


def _asked(row: str, rows: Sequence[str]) -> str:
    """What a row was asked for by: its suite's name, or its own where no whole suite was run."""
    suite, _, part = row.partition(": ")
    if suite != CORRUPTIONS or suite in rows:
        return suite
    kind = part.rpartition("-")[0]
    whole = all(f"{suite}: {kind}-{severity}" in rows for severity in SEVERITIES)
    return kind if whole else part


def _ball(record: Record) -> tuple[str, Any]:
    """Norm and radius of the evaluation, else of the training."""
    for row in (record.evaluation or EMPTY)["results"]:
        settings = row.get("settings", {})
        if {"norm", "eps"} <= settings.keys() and _is_radius(settings["eps"]):
            return str(settings["norm"]), settings["eps"]
    return record.config.attack.norm, _shown(record.config.attack.eps)


def _shown(radius: float) -> Any:
    """As settings are written: ``"8/255"``."""
    return schema.show(radius, schema.Facts("radius", unit=schema.PIXELS))


def radii(record: Record) -> str:
    """Nine radii up to twice that of the ball."""
    twice = _shown(2 * schema.number(str(_ball(record)[1])))
    return f"0:{words.value(twice)}:9"


def _is_radius(eps: Any) -> bool:
    found = schema.number(str(eps))
    return isinstance(found, float) and 0 <= found < math.inf
