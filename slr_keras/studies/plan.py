"""A study file as runs: base settings, arms, and a grid that multiplies them."""

from __future__ import annotations

import dataclasses
import itertools
import math
import pathlib
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from slr_keras import config as configs
from slr_keras.errors import SettingError, UserError, did_you_mean
from slr_keras.evaluation.specs import Ball, make_steps
from slr_keras.settings import plugins
from slr_keras.studies.lines import TOP, where

SHIPPED = pathlib.Path(__file__).parent
KEYS = ("name", "question", "plugin", "base", "grid", "arm", "evaluation")
EVALUATION: dict[str, Any] = {"attacks": ["clean", "pgd-20", "autoattack"], "num_samples": 1000}
WHICH = ("best", "final")


@dataclasses.dataclass(frozen=True)
class StudyRun:
    """One run of a study.

    Attributes:
        name: of its folder.
        arm: its arm, which a row of the table stands for.
        seed: of the run; runs that differ in nothing else belong together.
        config: all of its settings.
        point: of the grid, in words; runs of other points are not compared with it.
        against: the arm that it is compared with, itself for none; empty: the first one of its
            point.
    """

    name: str
    arm: str
    seed: int
    config: configs.RunConfig
    point: str = ""
    against: str = ""


@dataclasses.dataclass(frozen=True)
class Study:
    """What a study file asks for.

    Attributes:
        name: of the study, a folder's name.
        question: what it is to answer, a sentence.
        runs: in the order in which they are run: all arms of a seed before the next seed.
        attacks: of the evaluation, names as ``evaluate --attacks`` takes them.
        num_samples: test images of the evaluation.
        which: models of each run that are evaluated.
        planned: what the file asks for, where ``runs`` are only some of it.
    """

    name: str
    question: str
    runs: list[StudyRun]
    attacks: list[str]
    num_samples: int
    which: tuple[str, ...] = WHICH
    planned: Sequence[StudyRun] = ()

    @property
    def arms(self) -> list[str]:
        """The arms in their order; the first is what the others are compared with."""
        return list(dict.fromkeys(run.arm for run in self.planned or self.runs))

    def only(self, words: Sequence[str]) -> Study:
        """The runs whose names hold one of the words; a whole name is that run alone.

        Raises:
            UserError: there is none.
        """
        whole = {run.name for run in self.runs}.intersection(words)
        parts = [word for word in words if word not in whole]
        runs = [
            run for run in self.runs if run.name in whole or any(part in run.name for part in parts)
        ]
        if not runs:
            names = ", ".join(run.name for run in self.runs)
            raise UserError(
                f"--only: no run is called like {' or '.join(words)}, there are {names}"
            )
        return dataclasses.replace(self, runs=runs, planned=self.planned or self.runs)


def shipped() -> list[str]:
    """The studies that come with the package."""
    return sorted(path.stem for path in SHIPPED.glob("*.toml"))


def find(name: str) -> pathlib.Path:
    """The file of a study: a path, or the name of one that ships."""
    if name in shipped():
        return SHIPPED / f"{name}.toml"
    if not name.endswith(".toml"):
        known = shipped()
        raise UserError(f"unknown study: {name!r}.{did_you_mean(name, known)} Or give a .toml file")
    return pathlib.Path(name)


def read(
    path: pathlib.Path,
    changes: Mapping[str, Any] | None = None,
    ask: Callable[[int], None] = lambda count: None,
) -> Study:
    """The study of a file.

    Args:
        path: the file.
        changes: settings that win over those of every run.
        ask: is told how many runs there will be, before they are made; it may raise.

    Raises:
        UserError: no such file, a key that means nothing, or an arm whose settings do not hold.
    """
    table = configs.read_toml(path)
    for key in table:
        if key not in KEYS:
            hint = did_you_mean(key, KEYS)
            at = where(path, key, TOP, (key, 0))
            raise UserError(f"{at}: unknown key {key!r}, expected {', '.join(KEYS)}.{hint}")
    given = table.get("evaluation", {})
    asked = EVALUATION | {"which": list(WHICH)} | (given if isinstance(given, dict) else {})
    _check_kinds(path, table, asked)
    unknown = asked.keys() - {"attacks", "num_samples", "which"}
    if unknown or not set(asked["which"]) <= set(WHICH):
        raise UserError(
            f"{path}: [evaluation] takes attacks, num_samples and which (best, final), "
            f"received {', '.join(sorted(unknown)) or asked['which']}"
        )
    plugins.use(_plugins(table))
    try:
        make_steps(asked["attacks"], Ball())
    except UserError as error:
        at = where(path, "attacks", ("evaluation", 0))
        raise UserError(f"{at}: evaluation.attacks: {error}") from None
    name = str(table.get("name", path.stem))
    if slug(name) != name:
        raise UserError(f"{path}: name: expected letters, digits and hyphens, received {name!r}")
    return Study(
        name=name,
        question=str(table.get("question", "")),
        runs=_runs(path, table, changes or {}, ask),
        attacks=list(asked["attacks"]),
        num_samples=int(asked["num_samples"]),
        which=tuple(which for which in WHICH if which in asked["which"]),
    )


def _check_kinds(path: pathlib.Path, table: Mapping[str, Any], asked: Mapping[str, Any]) -> None:
    """Raise :class:`UserError` where a table, a list or a number stands for something else."""
    arms = table.get("arm", [])
    if not isinstance(arms, list) or not all(isinstance(arm, Mapping) for arm in arms):
        raise UserError(f"{path}: expected [[arm]] in double brackets, one for each arm")
    for key in ("base", "grid", "evaluation"):
        if not isinstance(table.get(key, {}), Mapping):
            raise UserError(f"{path}: expected a table [{key}], received {table[key]!r}")
    for key in ("attacks", "which"):
        value = asked[key]
        if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
            raise UserError(
                f"{path}: evaluation.{key}: expected a list of names, received {value!r}"
            )
    count = asked["num_samples"]
    if not isinstance(count, int) or isinstance(count, bool) or count < 1:
        raise UserError(f"{path}: evaluation.num_samples: expected 1 or more, received {count!r}")


def _plugins(table: Mapping[str, Any]) -> list[str]:
    """The plug-ins that a file names for all runs, for an arm or along an axis."""
    named = [table, table.get("base", {}), table.get("grid", {}), *table.get("arm", [])]
    found = itertools.chain.from_iterable(_list(place.get("plugin", [])) for place in named)
    flat = itertools.chain.from_iterable(map(_list, found))
    return list(dict.fromkeys(name for name in flat if isinstance(name, str)))


def _runs(
    path: pathlib.Path,
    table: Mapping[str, Any],
    changes: Mapping[str, Any],
    ask: Callable[[int], None],
) -> list[StudyRun]:
    grid = dict(flat(table.get("grid", {})))
    seeds = _list(grid.pop("seed", [0]))
    arms = table.get("arm", [{"name": "all"}])
    axes = [[(key, value) for value in _list(values)] for key, values in grid.items()]
    _ask(path, {"[[arm]]": arms, "seed": seeds} | dict(zip(grid, axes, strict=True)), ask)
    shared = {"plugin": _list(table.get("plugin", []))}, _nested(table.get("base", {}))
    runs = []
    for seed, point, (number, arm) in itertools.product(
        seeds, itertools.product(*axes), enumerate(arms)
    ):
        at_point = ", ".join(f"{key} {value}" for key, value in point)
        label, against = _labels(path, arm, arms, at_point)
        own = {key: value for key, value in arm.items() if key not in ("name", "against")}
        layers = [*shared, _nested(own), _nested(dict(point)), changes]
        try:
            config = _load(layers, seed)
        except UserError as error:
            key = error.path if isinstance(error, SettingError) else "preset"
            at = where(path, key, ("grid", 0), ("arm", number), ("base", 0))
            raise UserError(f"{at}, arm {label!r}: {error}") from None
        run = f"{slug(label)}-seed{seed}"
        runs.append(StudyRun(run, label, seed, config, at_point, against))
    twice = [name for name, count in Counter(run.name for run in runs).items() if count > 1]
    if twice:
        raise UserError(f"{path}: two runs would be called {min(twice)}: name arms apart")
    return runs


def _labels(
    path: pathlib.Path, arm: Mapping[str, Any], arms: Sequence[Mapping[str, Any]], point: str
) -> tuple[str, str]:
    """The arm's name at a point of the grid, and that of the arm which it is compared with."""
    if "name" not in arm:
        raise UserError(f"{path}: each [[arm]] needs a name")
    names, other = [str(each.get("name")) for each in arms], arm.get("against")
    if other is not None and other not in names:
        at = where(path, "against", ("arm", names.index(str(arm["name"]))))
        hint = did_you_mean(str(other), names)
        raise UserError(
            f"{at}, arm {arm['name']!r}: against: expected an arm's name, received {other!r}.{hint}"
        )
    label, against = (", ".join(filter(None, [name, point])) for name in (arm["name"], other))
    return label, against if other else ""


def _ask(path: pathlib.Path, axes: Mapping[str, list[Any]], ask: Callable[[int], None]) -> None:
    """Raise :class:`UserError` where nothing is to be run, else tell how much."""
    for name, values in axes.items():
        if not values:
            raise UserError(f"{path}: {name}: expected one or more, received none: nothing to run")
    ask(math.prod(map(len, axes.values())))


def _load(layers: Sequence[Mapping[str, Any]], seed: int) -> configs.RunConfig:
    preset: str | None = None
    merged: dict[str, Any] = {}
    for layer in layers:
        own = dict(layer)
        preset = own.pop("preset", preset)
        if "plugin" in own:
            own["plugin"] = _list(own["plugin"])
        merged = configs.merge(merged, own)
    return configs.load(preset, values=configs.merge(merged, {"seed": seed}))


def slug(text: str) -> str:
    """Letters, digits and hyphens of a text: ``"AT + SLR"`` as ``at-slr``.

    >>> slug("AT + SLR, data.label_noise 0.2")
    'at-slr-data-label-noise-0-2'
    """
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")


def _list(values: Any) -> list[Any]:
    return list(values) if isinstance(values, list) else [values]


def flat(table: Mapping[str, Any], before: str = "") -> Any:
    """``(dotted key, value)`` of a nested table."""
    for key, value in table.items():
        if isinstance(value, Mapping):
            yield from flat(value, f"{before}{key}.")
        else:
            yield before + key, value


def _nested(table: Mapping[str, Any]) -> dict[str, Any]:
    """The inverse of :func:`flat`, for tables that write dotted keys as texts or as tables."""
    nested: dict[str, Any] = {}
    for path, value in flat(table):
        *sections, name = path.split(".")
        place = nested
        for section in sections:
            place = place.setdefault(section, {})
        place[name] = value
    return nested
