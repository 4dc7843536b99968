"""The report as one HTML file that needs nothing beside itself."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Sequence
from typing import Any

import slr_keras
from slr_keras.analysis import beyond, commands, figures, words
from slr_keras.analysis.measure import Measured
from slr_keras.analysis.record import EMPTY, NOWHERE, Record, changed_settings, flat
from slr_keras.analysis.targets import Targeted
from slr_keras.evaluation.intervals import newcombe, wilson
from slr_keras.settings import registry, schema

MOST_FALLS = 3  # of one class to another, that a sentence names
MOST_CLASSES = 20  # up to here a confusion matrix is a table, beyond a picture
FILTERS = (
    "norm_name",
    "percent",
    "interval",
    "points",
    "points_interval",
    "distance",
    "distance_interval",
    "duration",
    "value",
    "settings",
    "measured_on",
)


@dataclasses.dataclass(frozen=True)
class Subject:
    """A run on the page; ``measured`` is None where its model was not asked."""

    record: Record
    measured: Measured | None = None


def render(subjects: Sequence[Subject], now: datetime.datetime | None = None) -> str:
    """The page for one run, or for several with a comparison of them at the top."""
    import jinja2
    from markupsafe import Markup

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("slr_keras.analysis", "."),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters |= {name: getattr(words, name) for name in FILTERS}
    environment.filters["svg"] = Markup
    records = [subject.record for subject in subjects]
    return environment.get_template("report.html.j2").render(
        title=" · ".join(record.title for record in records),
        made=(now or datetime.datetime.now()).strftime("%Y-%m-%d %H:%M"),
        version=slr_keras.__version__,
        runs=[_view(subject, f"run{number}") for number, subject in enumerate(subjects, 1)],
        comparison=figures.comparison(records, "all") if len(records) > 1 else None,
        measures=_measures(subjects),
        differences=_differences(records),
        command_line=commands.line("report", *(record.folder.path for record in records)),
    )


def _view(subject: Subject, key: str) -> dict[str, Any]:
    """What the template shows of a run."""
    record, measured = subject.record, subject.measured
    path, scores = record.folder.path, _scores(record)
    named = {row["name"]: row for row in scores}
    evaluation = record.evaluation or EMPTY
    attacks, training = beyond.attack_rows(evaluation["results"]), record.config.attack
    return {
        "key": key,
        "record": record,
        "run": record.config,
        "measured": measured,
        "ball": words.ball(record),
        "summary": words.summary(record),
        "verdict": record.verdict,
        "scores": scores,
        "best": named.get("best", named.get("best so far")),
        "final": named.get("final", named.get("latest")),
        "change": named.get("change"),
        "curves": figures.curves(record, f"{key}-curves"),
        "analyses": _analyses(record, key),
        "evaluation": evaluation,
        "attacks": attacks,
        "checks": evaluation["checks"],
        "classes_by_attack": _classes_by_attack(attacks),
        **beyond.view(evaluation, (training.norm, training.eps), key),
        "other_model": _other_model(record, measured),
        "epsilon": _epsilon(evaluation["curve"], key),
        "evaluate": commands.line("evaluate", path, *commands.attacks(record)),
        "curve_command": commands.line(
            "evaluate", path, *commands.attacks(record), "--curve", commands.radii(record)
        ),
        "report": commands.line("report", path),
        "train": commands.line("train", path / "config.toml", "--run-dir", f"{path}-again"),
        "changed": changed_settings(record.config),
        "facts": _facts(record, measured),
        **(_pictures(measured, key) if measured else {}),
    }


def _analyses(record: Record, key: str) -> list[tuple[str, str, str]]:
    """(name, what it is, diagram) of the analyses that found something."""
    names = list(dict.fromkeys(measured.analysis for measured in record.analyses))
    known = registry.variants("analyses")
    found = []
    for name in filter(known.__contains__, names):
        mine = [measured for measured in record.analyses if measured.analysis == name]
        text = (known[name].__doc__ or "").replace("``", "").strip().partition("\n\n")[0]
        found.append((name, text, figures.analysis(mine, f"{key}-{name}")))
    return [row for row in found if row[2]]


def _classes_by_attack(rows: list[dict[str, Any]]) -> list[tuple[str, list[float | None]]]:
    """(attack, accuracy of each class), of the attacks for which it is known."""
    known = [(row["attack"], row["per_class"]) for row in rows if row.get("per_class")]
    return [(name, shares) for name, shares in known if len(shares) == len(known[0][1])]


def _scores(record: Record) -> list[dict[str, Any]]:
    """Clean and robust accuracy of best and final with intervals, and how they changed."""
    if record.summary is None:
        return _validation_scores(record)
    count, rows = record.summary["test_samples"], []
    for which in ("best", "final"):
        if which in record.summary:
            row = dict(record.summary[which], name=which)
            for name in ("accuracy", "robust_accuracy"):
                row[f"{name}_interval"] = wilson(row[name] * count, count)
            rows.append(row)
    if len(rows) == 2:
        change: dict[str, Any] = {"name": "change"}
        for name in ("accuracy", "robust_accuracy"):
            best, final = rows[0][name], rows[1][name]
            change[name], change[f"{name}_interval"] = final - best, newcombe(final, best, count)
        rows.append(change)
    return rows


def _validation_scores(record: Record) -> list[dict[str, Any]]:
    """The same of a run that is not finished, on validation images and without intervals."""
    rated = [epoch for epoch in record.epochs if epoch.val_robust_accuracy is not None]
    if not rated:
        return []
    best = max(rated, key=lambda epoch: epoch.val_robust_accuracy or 0)
    return [
        {
            "name": name,
            "epoch": epoch.epoch,
            "accuracy": epoch.val_accuracy,
            "robust_accuracy": epoch.val_robust_accuracy,
            "accuracy_interval": None,
            "robust_accuracy_interval": None,
        }
        for name, epoch in (("best so far", best), ("latest", rated[-1]))
    ]


def _other_model(record: Record, measured: Measured | None) -> bool:
    """Whether evaluation.json speaks of the same epoch but of other weights."""
    evaluation = record.evaluation
    if evaluation is None or measured is None or evaluation.get("which") != record.which:
        return False
    return evaluation.get("model_digest", measured.digest) != measured.digest


def _epsilon(curve: list[dict[str, Any]], key: str) -> str | None:
    """The diagram; None where there is no curve, or its radii are no numbers."""
    eps = [schema.number(str(point["eps"])) for point in curve]
    if not curve or not all(isinstance(radius, float) for radius in eps):
        return None
    return figures.epsilon_curve(curve, eps, f"{key}-epsilon")


def _pictures(measured: Measured, key: str) -> dict[str, Any]:
    both = {"clean": measured.clean, "under attack": measured.adversarial}
    few = len(measured.class_names) <= MOST_CLASSES
    return {
        "reliability": figures.reliability(
            measured.clean.calibration, measured.adversarial.calibration, f"{key}-reliability"
        ),
        "answers": both,
        "heat_maps": None
        if few
        else [
            figures.heat_map(one.matrix, name, f"{key}-confusion{number}")
            for number, (name, one) in enumerate(both.items())
        ],
        "classes": [
            {"name": name, "count": count, "clean": clean, "adversarial": adversarial}
            for name, count, clean, adversarial in zip(
                measured.class_names,
                measured.counts,
                measured.clean.per_class,
                measured.adversarial.per_class,
                strict=True,
            )
        ],
        "targets": _targets(measured, key),
    }


def _targets(measured: Measured, key: str) -> dict[str, Any] | None:
    """What targeted attacks did, class by class; None where none were made."""
    found, names = measured.targeted, measured.class_names
    if found is None:
        return None
    few = len(names) <= MOST_CLASSES
    return {
        "found": found,
        "images": int(found.images.sum()),
        "falls": found.falls()[:MOST_FALLS],
        "classes": [
            {"name": name, "easiest": found.easiest(number)} | _counts(found, number)
            for number, name in enumerate(names)
        ],
        "map": None if few else figures.target_map(found.success, f"{key}-targets"),
    }


def _counts(found: Targeted, number: int) -> dict[str, Any]:
    """Of a class: its images, and the shares of them that hold under each kind of attack."""
    images = int(found.images[number])
    kinds = {"clean": found.right, "robust": found.robust, "resisted": found.resisted}
    shares = {name: int(kind[number]) / images if images else None for name, kind in kinds.items()}
    return {"images": images, "right": int(found.right[number]), **shares}


def _facts(record: Record, measured: Measured | None) -> list[tuple[str, str]]:
    """Seed, model, device, versions and dates, where they are known."""
    evaluation, started = record.evaluation or {}, record.started
    same = evaluation.get("which") == record.which
    digest = measured.digest if measured else evaluation.get("model_digest") if same else None
    rows = [
        ("Seed", str(record.config.seed)),
        ("Model file", f"{record.file.name}" if record.file else ""),
        ("SHA-256 of the file", record.file_digest() or ""),
        ("Digest of the weights", digest or ""),
        ("Trained on", started.device if started else ""),
        ("Training took", words.duration(record.epochs[-1].seconds)),
        ("Last written", words.day(record.ended)),
        ("Trained with", _listed(started.versions if started else None)),
        ("Evaluated with", _listed(evaluation.get("versions"))),
        ("Report by", f"slr_keras {slr_keras.__version__}"),
    ]
    return [row for row in rows if row[1]]


def _listed(versions: Any) -> str:
    known = versions if isinstance(versions, dict) else {}
    return ", ".join(f"{name} {number}" for name, number in known.items())


def _measures(subjects: Sequence[Subject]) -> list[tuple[str, list[Any]]]:
    """Figures by rows, a cell (figure, what stands beside it) for each run or None."""
    columns = [_column(subject) for subject in subjects]
    names = dict.fromkeys(name for column in columns for name in column)
    return [(name, [column.get(name) for column in columns]) for name in names]


def _column(subject: Subject) -> dict[str, tuple[str, str]]:
    evaluation, measured = subject.record.evaluation or EMPTY, subject.measured
    rows = beyond.attack_rows(evaluation["results"])
    column = {str(row["attack"]): (words.percent(row["accuracy"]), _beside(row)) for row in rows}
    column |= beyond.measures(evaluation)
    if measured:
        for name, answers in (("clean", measured.clean), (measured.attack, measured.adversarial)):
            column[f"ECE, {name}"] = words.percent(answers.calibration.ece), ""
    return column


def _beside(row: dict[str, Any]) -> str:
    interval = row.get("interval")
    return f"{words.interval(interval)}, {row.get('samples')} images" if interval else ""


def _differences(records: Sequence[Record]) -> list[tuple[str, list[Any]]]:
    """Settings in which the runs differ, with the value of each (None: it has no such)."""
    tables = [flat(schema.to_dict(record.config)) for record in records]
    paths = list(dict.fromkeys(path for table in tables for path in table))
    rows = [(path, [table.get(path) for table in tables]) for path in paths if path not in NOWHERE]
    return [row for row in rows if any(value != row[1][0] for value in row[1])]
