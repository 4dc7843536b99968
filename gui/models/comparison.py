"""Runs side by side: arms and their seeds, curves, the clean-and-robust plane, tables, classes."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from slr_keras.evaluation.specs import WORST, is_part
from slr_keras.studies import results, tables

from . import run_words as words
from .asked import CORRUPTIONS
from .curves import GAP, RunCurves
from .evaluated import CLEAN, Evaluated, EvaluatedRuns
from .measured import scale, unit
from .rows import is_change
from .run_labels import labels
from .run_record import NOWHERE, RunRecord

VALIDATION = "validation, while training"
AXES = {
    "epoch": "epoch",
    "minutes": "training time (minutes)",
    "gradients": "passes with gradient, of each training image",
}
QUANTITIES = {
    "val_robust_accuracy": "Robust accuracy, validation",
    "train_robust_accuracy": "Robust accuracy, training images",
    "val_accuracy": "Clean accuracy, validation",
    GAP: "Robust generalisation gap",
    "loss": "Training loss",
    "label_entropy": "Label entropy (nats)",
    "label_agreement": "Label agreement",
    "learning_rate": "Learning rate",
}
SHARES = frozenset(name for name in QUANTITIES if "accuracy" in name) | {"label_agreement"}
_SEED = re.compile(r"[-_ ,./]*seed[-_ =]*\d+$")
_IDLE = (*NOWHERE, "seed")


@dataclasses.dataclass(frozen=True)
class Arm:
    """Runs that differ in nothing but their seed; ``label`` tells it from the other arms."""

    label: str
    records: tuple[RunRecord, ...]

    @property
    def key(self) -> str:
        """The folder of the first run: its identity."""
        return self.records[0].key


@dataclasses.dataclass(frozen=True)
class Line:
    """A curve of an arm: the mean over its seeds, and their range where there are several."""

    x: np.ndarray
    mean: np.ndarray
    low: np.ndarray | None = None
    high: np.ndarray | None = None


@dataclasses.dataclass(frozen=True)
class Arrow:
    """A run in the clean-and-robust plane, in percent: (clean, robust) at best and at the end."""

    run: str
    best: tuple[float, float]
    final: tuple[float, float] | None


def arms_of(records: Sequence[RunRecord]) -> list[Arm]:
    """The runs by what they have in common, in the order of their first ones."""
    groups: dict[Any, list[RunRecord]] = {}
    for record in records:
        facts = tuple(
            sorted((k, words.show(v)) for k, v in record.values.items() if k not in _IDLE)
        )
        groups.setdefault(facts or record.key, []).append(record)
    names = [_name(group) for group in groups.values()]
    if len(set(names)) < len(names):
        settings = [group[0].values for group in groups.values()]
        names = labels(names, settings)
    return [
        Arm(name, tuple(group)) for name, group in zip(_apart(names), groups.values(), strict=True)
    ]


def _name(group: Sequence[RunRecord]) -> str:
    """The run's name; without its seed where that is what tells the runs of an arm apart."""
    name = group[0].name
    return (_SEED.sub("", name) or name) if len(group) > 1 else name


def _apart(names: Sequence[str]) -> list[str]:
    """Names without the folder that all share; those that still are alike get a number."""
    heads = {name.rpartition("/")[0] for name in names}
    short = [name.rpartition("/")[2] if len(heads) == 1 else name for name in names]
    seen: dict[str, int] = {}
    found = []
    for name in short:
        seen[name] = seen.get(name, 0) + 1
        found.append(name if seen[name] == 1 else f"{name} ({seen[name]})")
    return found


# -- curves -----------------------------------------------------------------------------------


class Overlay:
    """The curves of arms; what was computed is kept until a run grows."""

    def __init__(self) -> None:
        self._curves: dict[str, tuple[int, RunCurves]] = {}
        self._lines: dict[Any, tuple[Any, Line]] = {}

    def line(self, arm: Arm, quantity: str, axis: str) -> Line:
        """Mean and range over the epochs at which all runs of the arm were measured."""
        state = tuple((r.key, len(r.epochs), r.last_epoch) for r in arm.records)
        known = self._lines.get((arm.key, quantity, axis))
        if known is None or known[0] != state:
            made = self._make(arm, quantity, axis)
            known = self._lines[arm.key, quantity, axis] = state, made
        return known[1]

    def _make(self, arm: Arm, quantity: str, axis: str) -> Line:
        scale = 100.0 if quantity in SHARES or quantity == GAP else 1.0
        found = [self._of(record).points(quantity, scale=scale) for record in arm.records]
        found = [(epochs, values) for epochs, values in found if len(epochs)]
        if not found:
            return Line(np.array([]), np.array([]))
        shared = found[0][0]
        for epochs, _ in found[1:]:
            shared = np.intersect1d(shared, epochs)
        values = np.array([y[np.isin(x, shared)] for x, y in found])
        places = np.array([place(record, shared, axis) for record in arm.records if record.epochs])
        x, mean = places.mean(0), values.mean(0)
        if len(found) == 1:
            return Line(x, mean)
        return Line(x, mean, values.min(0), values.max(0))

    def _of(self, record: RunRecord) -> RunCurves:
        known = self._curves.get(record.key)
        if known is None or known[0] != len(record.epochs):
            known = self._curves[record.key] = len(record.epochs), RunCurves(record.epochs)
        return known[1]


def place(record: RunRecord, epochs: np.ndarray, axis: str) -> np.ndarray:
    """Where epochs of a run stand on an axis of :data:`AXES`."""
    if axis == "minutes":
        ended = record.epochs
        return np.interp(epochs, ended.column("epoch"), ended.column("seconds") / 60)
    if axis == "gradients" and record.config is not None:
        return epochs * float(record.config.gradients)
    return epochs.astype(float)


# -- evaluations ------------------------------------------------------------------------------


def attacks_of(arms: Sequence[Arm], evaluated: EvaluatedRuns) -> list[str]:
    """Every attack that a run of these was evaluated with, and the mean over natural changes."""
    names = (
        name
        for arm in arms
        for record in arm.records
        for one in evaluated.of(record.path).values()
        for name in one.attacks
    )
    return [name for name in dict.fromkeys(names) if name != CLEAN and not is_change(name)]


def arrows(arm: Arm, attack: str, evaluated: EvaluatedRuns) -> list[Arrow]:
    """The runs of an arm in the plane, under an attack or as validated while training."""
    found = (_arrow(record, attack, evaluated) for record in arm.records)
    return [arrow for arrow in found if arrow is not None]


def _arrow(record: RunRecord, attack: str, evaluated: EvaluatedRuns) -> Arrow | None:
    if attack == VALIDATION:
        f = record.figures
        best, final = _point(f.clean, f.best_robust), _point(f.final_clean, f.final_robust)
    else:
        models = evaluated.of(record.path)
        best, final = (_under(models.get(which), attack) for which in ("best", "final"))
    if best is None:
        best, final = final, None
    return None if best is None else Arrow(record.name, best, final)


def _under(model: Evaluated | None, attack: str) -> tuple[float, float] | None:
    return None if model is None else _point(model.accuracy(CLEAN), model.accuracy(attack))


def _point(clean: float | None, robust: float | None) -> tuple[float, float] | None:
    return None if clean is None or robust is None else (100 * clean, 100 * robust)


def as_results(arms: Sequence[Arm], evaluated: EvaluatedRuns) -> results.Results:
    """The evaluations of arms as those of a study: what its tables are made of."""
    found_attacks = list(filter(_is_whole, attacks_of(arms, evaluated)))
    found_attacks.sort(key=lambda name: name != CORRUPTIONS)  # the last ones decide
    attacks = [CLEAN, *found_attacks]
    runs = [
        _of_run(arm, record, found, attacks)
        for arm in arms
        for record in arm.records
        if (found := evaluated.of(record.path))
    ]
    samples = [m["samples"] for arm in arms for m in _contents(arm, evaluated)]
    return {
        "arms": [arm.label for arm in arms],
        "attacks": attacks,
        "num_samples": max(samples, default=0),
        "missing": [r.name for arm in arms for r in arm.records if not evaluated.of(r.path)],
        "commit": "",
        "runs": runs,
    }


def distances(
    arms: Sequence[Arm], evaluated: EvaluatedRuns
) -> tuple[list[str], dict[str, list[str]]]:
    """Columns of median distances, and each arm's cells: mean and range over its seeds."""
    found: dict[tuple[str, str, str], dict[str, list[float | None]]] = {}
    for arm in arms:
        for record in arm.records:
            for which, one in sorted(evaluated.of(record.path).items()):
                for attack, far in one.measured.distances.items():
                    column = found.setdefault((which, attack, far.norm), {})
                    column.setdefault(arm.label, []).append(far.median)
    columns = sorted(found)
    header = [
        f"median distance, {tables.title(attack)}, {which} ({unit(norm)})"
        for which, attack, norm in columns
    ]
    cells = {a.label: [_spread(found[c].get(a.label, ()), c[2]) for c in columns] for a in arms}
    return header, cells


def _spread(medians: Sequence[float | None], norm: str) -> str:
    """Mean and range; a dash where a run has no median."""
    known = [value * scale(norm) for value in medians if value is not None]
    if not known or len(known) < len(medians):
        return tables.NONE
    mean = f"{np.mean(known):.3g}"
    return mean if len(known) == 1 else f"{mean} ({min(known):.3g} to {max(known):.3g})"


def _is_whole(attack: str) -> bool:
    """Not a part of a suite, as ``autoattack: apgd-ce``, nor the worst of all rows."""
    return not is_part(attack) and attack != WORST


def _of_run(
    arm: Arm, record: RunRecord, found: dict[str, Evaluated], attacks: Sequence[str]
) -> dict[str, Any]:
    models = {
        which: results.of_evaluation(_complete(one.content), attacks)
        for which, one in found.items()
    }
    return {
        "run": record.name,
        "arm": arm.label,
        "seed": record.values.get("seed", 0),
        "training_seconds": words.training_seconds(record) or 0.0,
        "models": models,
    }


def _complete(content: dict[str, Any]) -> dict[str, Any]:
    """With what evaluations of older versions did not write."""
    missing = dict.fromkeys(("epoch", "device", "time", "data_digest", "model_digest"), "")
    return missing | {"versions": {}, "seconds": 0.0} | content


def _contents(arm: Arm, evaluated: EvaluatedRuns) -> Iterable[dict[str, Any]]:
    for record in arm.records:
        yield from (one.content for one in evaluated.of(record.path).values())


# -- classes and settings ---------------------------------------------------------------------


def class_names(arms: Sequence[Arm], evaluated: EvaluatedRuns) -> list[str]:
    """The names of the classes, or their numbers where no evaluation says."""
    contents = [content for arm in arms for content in _contents(arm, evaluated)]
    named = next((c["class_names"] for c in contents if c.get("class_names")), None)
    if named:
        return list(map(str, named))
    rows = [row for content in contents for row in content.get("results", ())]
    return [str(n) for n in range(max((len(r.get("per_class") or ()) for r in rows), default=0))]


def by_class(arm: Arm, attack: str, evaluated: EvaluatedRuns) -> list[float | None]:
    """Accuracy of the best model in each class in percent, the mean over the arm's seeds."""
    shares = []
    for record in arm.records:
        models = evaluated.of(record.path)
        model = models.get("best") or next(iter(models.values()), None)
        row = model.row(attack) if model else None
        if row is not None and row.get("per_class"):
            shares.append(row["per_class"])
    classes = max(map(len, shares), default=0)
    columns = ([s[n] for s in shares if n < len(s) and s[n] is not None] for n in range(classes))
    return [100 * float(np.mean(column)) if column else None for column in columns]


def settings_table(arms: Sequence[Arm]) -> tuple[list[str], list[list[str]]]:
    """Header and rows: the settings that tell the arms apart."""
    paths = [p for p in words.differing([arm.records[0] for arm in arms]) if p not in _IDLE]
    rows = [[path, *(_value(arm, path) for arm in arms)] for path in paths]
    return ["setting", *(arm.label for arm in arms)], rows


def _value(arm: Arm, path: str) -> str:
    values = arm.records[0].values
    return words.show(values[path]) if path in values else tables.NONE
