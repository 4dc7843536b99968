"""What a run folder says of its run, read and checked; loads no framework."""

from __future__ import annotations

import dataclasses
import hashlib
import math
import pathlib
from typing import Any

from slr_keras import config as configs
from slr_keras import texts
from slr_keras.analysis.verdict import Verdict, judge
from slr_keras.errors import RunError
from slr_keras.protocol import events
from slr_keras.run_folder import RunFolder
from slr_keras.settings import schema

WHICH = ("best", "final")
NOWHERE = ("run_dir", "overwrite")  # settings that say nothing of the result
EMPTY: dict[str, Any] = {  # an evaluation that was not made
    "results": [],
    "curve": [],
    "checks": [],
    "corruptions": {},
    "certificates": [],
}


@dataclasses.dataclass(frozen=True)
class Record:
    """One run: its configuration and everything that was measured of it.

    Attributes:
        title: the folder's name.
        started: the last start of the run; None if events.jsonl holds none.
        ended: seconds since 1970 of the last event.
        summary: summary.json; None while the run is not finished.
        evaluation: evaluation.json, None without one; its ``results``, ``curve``, ``checks``,
            ``corruptions`` and ``certificates`` are there and checked, if empty.
        file: the model that is looked at, and which of the two it is; None without one.
        catastrophe: where catastrophic overfitting was told; None if it was not.
        diagnoses: what was told to go wrong, in order.
        analyses: what was recorded beside accuracies, in order.
    """

    folder: RunFolder
    title: str
    config: configs.RunConfig
    toml: str
    epochs: list[events.EpochEnded]
    started: events.RunStarted | None
    ended: float | None
    status: str
    summary: dict[str, Any] | None
    evaluation: dict[str, Any] | None
    file: pathlib.Path | None
    which: str | None
    catastrophe: events.CatastrophicOverfitting | None = None
    diagnoses: tuple[events.Diagnosed, ...] = ()
    analyses: tuple[events.AnalysisMeasured, ...] = ()

    @property
    def verdict(self) -> Verdict | None:
        """Robust overfitting at the end; None where there is no best or no final epoch."""
        summary = self.summary
        if summary is None or not all(which in summary for which in WHICH):
            return None
        best, final = (summary[which]["robust_accuracy"] for which in WHICH)
        return judge(best, final, summary["test_samples"], summary["best"]["epoch"], self.epochs)

    def file_digest(self) -> str | None:
        """The first 16 digits of the SHA-256 of the model file."""
        return hashlib.sha256(self.file.read_bytes()).hexdigest()[:16] if self.file else None


def read(path: str) -> Record:
    """The record of the run folder at ``path``.

    Raises:
        RunError: it is none, has no epoch yet, or a file in it is damaged.
    """
    folder = RunFolder.open(path)
    config = folder.config()
    happened = _events(folder["events.jsonl"])
    epochs = [event for _, event in happened if isinstance(event, events.EpochEnded)]
    if not epochs:
        raise RunError(
            f"{path} has no history: no epoch has ended yet (events.jsonl). "
            f"Train on with python -m slr_keras.train --resume {path}"
        )
    starts = [event for _, event in happened if isinstance(event, events.RunStarted)]
    which = next((w for w in WHICH if folder[f"{w}.keras"].is_file()), None)
    return Record(
        folder=folder,
        title=folder.path.resolve().name,
        config=config,
        toml=folder["config.toml"].read_text(encoding="utf-8"),
        epochs=epochs,
        started=starts[-1] if starts else None,
        ended=happened[-1][0],
        status=folder.status(),
        summary=_summary(folder["summary.json"]),
        evaluation=read_evaluation(folder["evaluation.json"]),
        file=folder[f"{which}.keras"] if which else None,
        which=which,
        catastrophe=folder.catastrophe(),
        diagnoses=tuple(folder.diagnoses()),
        analyses=tuple(folder.analyses()),
    )


def _events(path: pathlib.Path) -> list[tuple[float | None, events.Event]]:
    found = []
    text = path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""
    for line in text.splitlines():
        try:
            event, time = events.decode(line), texts.from_json(line).get("time")
        except ValueError:  # cut off by a crash
            continue
        if event is not None:
            found.append((time, event))
    return found


def _load(path: pathlib.Path) -> Any:
    """The content of a JSON file, None where there is no such file."""
    try:
        content = texts.from_json(path.read_bytes())
    except FileNotFoundError:
        return None
    except OSError as error:
        raise RunError(f"cannot read {path}: {error.strerror}") from None
    except ValueError as error:
        raise _damaged(path, f"no JSON: {error}") from None
    if not isinstance(content, dict):
        raise _damaged(path, f"expected a table, received {type(content).__name__}")
    return content


def _damaged(path: pathlib.Path, what: str) -> RunError:
    again = "python -m slr_keras.evaluate makes it anew" if "evaluation" in path.name else ""
    return RunError(f"{path} is damaged ({what}); remove it{again and '; ' + again}")


def _summary(path: pathlib.Path) -> dict[str, Any] | None:
    content = _load(path)
    if content is None:
        return None
    samples = content.get("test_samples")
    if not isinstance(samples, int) or samples < 1:
        raise _damaged(path, f"test_samples: expected a number of images, received {samples!r}")
    for which in WHICH:
        if which in content:
            row = content[which]
            if not isinstance(row, dict) or not isinstance(row.get("epoch"), int):
                raise _damaged(path, f"{which}: expected epoch and accuracies, received {row!r}")
            for name in ("accuracy", "robust_accuracy"):
                if not _is_share(row.get(name)):
                    raise _damaged(path, f"{which}.{name}: {row.get(name)!r} is no accuracy")
    if not isinstance(content.get("attack"), str):
        raise _damaged(path, f"attack: expected a name, received {content.get('attack')!r}")
    return content


def read_evaluation(path: pathlib.Path) -> dict[str, Any] | None:
    """The content of a file that ``evaluate`` has written; None where there is no such file.

    Raises:
        RunError: it is damaged.
    """
    content = _load(path)
    if content is None:
        return None
    if not content.get("results") and not content.get("curve"):
        raise _damaged(path, "it holds no results")
    for name, naming in (("results", "attack"), ("curve", "eps")):
        rows = content.setdefault(name, [])
        if not isinstance(rows, list):
            raise _damaged(path, f"{name}: expected a list, received {type(rows).__name__}")
        for number, row in enumerate(rows):
            where = f"{name}[{number}]"
            if not isinstance(row, dict) or naming not in row or not _is_share(row.get("accuracy")):
                raise _damaged(path, f"{where}: expected {naming} and an accuracy in [0, 1]")
            _check_interval(path, where, row)
            _check_parts(path, where, row)
            _check_distance(path, f"{where}.distance", row.get("distance"))
    _check_corruptions(path, content.setdefault("corruptions", {}))
    _check_certificates(path, content.setdefault("certificates", []))
    checks = content.setdefault("checks", [])
    wanted = {"name", "verdict", "says"}
    if not isinstance(checks, list) or not all(_has(check, wanted) for check in checks):
        raise _damaged(path, f"checks: expected tables with {', '.join(sorted(wanted))}")
    return content


def _check_parts(path: pathlib.Path, where: str, row: dict[str, Any]) -> None:
    shares = row.get("per_class") or []
    if not isinstance(shares, list) or not all(one is None or _is_share(one) for one in shares):
        raise _damaged(path, f"{where}.per_class: expected accuracies in [0, 1]")
    if not isinstance(row.get("settings", {}), dict):
        raise _damaged(path, f"{where}.settings: expected a table")
    for name in ("samples", "seconds"):
        number = row.get(name, 0)
        if isinstance(number, bool) or not isinstance(number, (int, float)) or not number >= 0:
            raise _damaged(path, f"{where}.{name}: expected a number, received {number!r}")


def _check_distance(path: pathlib.Path, where: str, found: Any) -> None:
    if found is None:
        return
    wanted = {"norm", "images", "found", "median", "interval", "values"}
    if not _has(found, wanted):
        raise _damaged(path, f"{where}: expected a table with {', '.join(sorted(wanted))}")
    sizes = [found["median"], *_listed(found["interval"], 2), *_listed(found["values"])]
    counted = all(isinstance(found[name], int) for name in ("images", "found"))
    if not counted or not all(size is None or _is_size(size) for size in sizes):
        raise _damaged(path, f"{where}: expected numbers of images and distances >= 0")
    if not _is_share(found.get("optimality") or 0):
        raise _damaged(path, f"{where}.optimality: expected a share in [0, 1]")


def _check_corruptions(path: pathlib.Path, found: Any) -> None:
    kinds = found.get("kinds", {}) if isinstance(found, dict) else None
    if not isinstance(kinds, dict) or not all(map(_is_errors, kinds.values())):
        raise _damaged(path, "corruptions.kinds: expected errors in [0, 1] by kind and severity")
    gaps = found.get("ece", {})
    by_kind = gaps.get("kinds", {}) if isinstance(gaps, dict) else None
    if not isinstance(by_kind, dict):
        raise _damaged(path, "corruptions.ece: expected tables of shares in [0, 1]")
    shares = [
        found.get("error"),
        found.get("clean_error"),
        gaps.get("clean"),
        gaps.get("mean"),
        *by_kind.values(),
    ]
    if not all(share is None or _is_share(share) for share in shares):
        raise _damaged(path, "corruptions: expected errors and ECE in [0, 1]")
    if not _is_size(found.get("mce") or 0):
        raise _damaged(path, "corruptions.mce: expected a number >= 0")


def _is_errors(row: Any) -> bool:
    whole = isinstance(row, dict) and all(str(level).isdecimal() for level in row)
    return whole and bool(row) and all(map(_is_share, row.values()))


def _check_certificates(path: pathlib.Path, found: Any) -> None:
    wanted = {"sigma", "abstained", "average_radius", "radii", "values"}
    if not isinstance(found, list) or not all(_has(one, wanted) for one in found):
        raise _damaged(path, f"certificates: expected tables with {', '.join(sorted(wanted))}")
    for number, one in enumerate(found):
        where = f"certificates[{number}]"
        sizes = [one["sigma"], one["average_radius"], *_listed(one["values"], none=0)]
        if not all(map(_is_size, sizes)) or not _is_share(one["abstained"]):
            raise _damaged(path, f"{where}: expected radii >= 0 and a share of abstentions")
        for row in _listed(one["radii"]):
            if not isinstance(row, dict) or not _is_share(row.get("accuracy")):
                raise _damaged(path, f"{where}.radii: expected eps and an accuracy in [0, 1]")
            if not _is_size(row.get("eps")):
                raise _damaged(path, f"{where}.radii: expected a radius, not {row.get('eps')!r}")
            _check_interval(path, f"{where}.radii", row)


def _listed(values: Any, count: int | None = None, none: Any = None) -> list[Any]:
    """A list's values, ``none`` in the place of None; NaN, which nothing passes, if it is none."""
    if not isinstance(values, list) or (count is not None and len(values) != count):
        return [math.nan]
    return [none if value is None else value for value in values]


def _has(table: Any, names: set[str]) -> bool:
    return isinstance(table, dict) and names <= set(table)


def _check_interval(path: pathlib.Path, where: str, row: dict[str, Any]) -> None:
    interval = row.get("interval")
    if interval is None:
        return
    pair = isinstance(interval, list) and len(interval) == 2
    if not pair or not all(map(_is_share, interval)):
        raise _damaged(path, f"{where}.interval: expected two accuracies, received {interval!r}")


def _is_share(value: Any) -> bool:
    return _is_size(value) and value <= 1


def _is_size(value: Any) -> bool:
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return number and math.isfinite(value) and value >= 0


def flat(table: dict[str, Any]) -> dict[str, Any]:
    """Settings by their dotted names, from sections as :func:`schema.to_dict` gives them."""
    rows: dict[str, Any] = {}
    for name, value in table.items():
        inner = value.items() if isinstance(value, dict) else ()
        rows |= {f"{name}.{key}": one for key, one in inner} if inner else {name: value}
    return rows


def changed_settings(config: configs.RunConfig) -> list[tuple[str, Any, Any]]:
    """(setting, value, default) where they differ; the default is that of the chosen variant."""
    standard = configs.RunConfig()
    defaults = schema.to_dict(standard)
    for field in dataclasses.fields(config):
        value, default = getattr(config, field.name), getattr(standard, field.name)
        if isinstance(value, schema.Variant) and value.name != default.name:
            defaults[field.name] = {"name": default.name} | schema.to_dict(type(value)())
    known = flat(defaults)
    rows = [(path, value, known.get(path)) for path, value in flat(schema.to_dict(config)).items()]
    return [row for row in rows if row[1] != row[2] and row[0] not in NOWHERE]
