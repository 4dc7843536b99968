"""``results.json``: every figure of a study, with what it rests on."""

from __future__ import annotations

import contextlib
import pathlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from slr_keras import __version__, installing, texts
from slr_keras.errors import UserError
from slr_keras.evaluation.bits import images_of
from slr_keras.evaluation.specs import in_own_ball
from slr_keras.protocol import events
from slr_keras.studies.plan import Study, StudyRun
from slr_keras.studies.work import RESULTS, Place

FORMAT = 1
Results = dict[str, Any]


def collect(place: Place) -> Results:
    """What the finished runs of a study have left; runs that are not done are named."""
    study = place.study
    done = [run for run in study.runs if not place.missing(run)]
    runs = [_of_run(place, run) for run in done]
    return {
        "format": FORMAT,
        "study": study.name,
        "question": study.question,
        "arms": study.arms,
        "references": references(study.planned or study.runs),
        "attacks": study.attacks,
        "num_samples": study.num_samples,
        "missing": [run.name for run in study.runs if run not in done],
        "commit": _commits(runs),
        "version": __version__,
        "runs": runs,
    }


def joined(found: Results, earlier: Results) -> Results:
    """``found``, and the runs that only ``earlier`` results have: of another machine or day.

    Args:
        found: what :func:`collect` gave; its runs count where both have one.
        earlier: results of the same study.

    Raises:
        UserError: they are of another study, or were measured otherwise.
    """
    for key in ("study", "attacks", "num_samples"):
        if found[key] != earlier[key]:
            raise UserError(
                f"--results: the results there are of {key} {earlier[key]}, these of {found[key]}; "
                "expected another folder for them"
            )
    mine = {run["run"] for run in found["runs"]}
    runs = found["runs"] + [run for run in earlier["runs"] if run["run"] not in mine]
    done = {run["run"] for run in runs}
    arms = list(dict.fromkeys([*found["arms"], *earlier["arms"]]))
    commits = filter(None, (earlier["commit"], found["commit"]))
    return {
        **found,
        "arms": arms,
        "commit": ", ".join(dict.fromkeys(", ".join(commits).split(", "))),
        "references": {**earlier.get("references", {}), **found["references"]},
        "missing": [name for name in found["missing"] if name not in done],
        "runs": sorted(runs, key=lambda run: (run["seed"], arms.index(run["arm"]))),
    }


def references(runs: Iterable[StudyRun]) -> dict[str, str]:
    """What each arm is compared with: what it says, or the first one of its point of the grid."""
    first: dict[str, str] = {}
    found = {run.arm: (run.against, first.setdefault(run.point, run.arm)) for run in runs}
    return {arm: against or one for arm, (against, one) in found.items()}


def reference(results: Results, arm: str) -> str:
    """What an arm is compared with: the first one, unless the results say another."""
    return str(results.get("references", {}).get(arm, results["arms"][0]))


def _of_run(place: Place, run: StudyRun) -> dict[str, Any]:
    folder = place.run_dir(run)
    lines = _lines(folder / "events.jsonl")
    summary = texts.from_json((folder / "summary.json").read_bytes())
    return {
        "run": run.name,
        "command": f"python -m slr_keras.study {place.study.name} --only {run.name}",
        "arm": run.arm,
        "seed": run.seed,
        "epochs": run.config.train.epochs,
        "precision": run.config.precision,
        "attack_precision": run.config.attack_precision,
        "training_seconds": summary["training_seconds"],
        "noisy_labels": summary.get("noisy_labels", 0),
        "train_robust_accuracy": _last_on_training_images(lines),
        "analyses": _analyses(lines, run.config.analysis.names),
        "models": {which: _of_model(place, run, which) for which in place.study.which},
    }


def _of_model(place: Place, run: StudyRun, which: str) -> dict[str, Any]:
    found = texts.from_json(place.evaluation(run, which).read_bytes())
    return of_evaluation(found, place.study.attacks)


def of_evaluation(found: Mapping[str, Any], attacks: Iterable[str]) -> dict[str, Any]:
    """The part of evaluation.json that a table rests on; attacks that were not run are left out."""
    kept = ("epoch", "device", "versions", "time", "seconds", "data_digest", "model_digest")
    rows = {row["attack"]: row for row in found["results"]}
    facts = ("accuracy", "interval", "samples", "right")
    far = ("norm", "median")
    distances = {
        name: {"distance": {key: row["distance"].get(key) for key in far}}
        for name, row in rows.items()
        if row.get("distance")
    }
    return {
        **{key: found[key] for key in kept},
        "commit": found.get("commit", ""),  # evaluations of before 2026-11-29 do not say
        "warnings": [c["says"] for c in found["checks"] if c["verdict"] != "pass"],
        "attacks": {
            name: {key: rows[name].get(key, "") for key in facts} | distances.get(name, {})
            for name in attacks
            if name in rows
        },
    }


def _lines(path: pathlib.Path) -> list[str]:
    """Of a run's events: decoding all of them would be most of a table's time."""
    if not path.exists():
        return []
    return path.read_text(encoding="utf-8", errors="replace").splitlines()


def _events(lines: Iterable[str], kind: type[Any]) -> Iterator[Any]:
    """Events of a kind; a line cut off by a crash is passed over."""
    for line in lines:
        if f'"{kind.name}"' in line:
            with contextlib.suppress(ValueError):
                event = events.decode(line)
                if isinstance(event, kind):
                    yield event


def _analyses(lines: list[str], asked: Sequence[str]) -> dict[str, dict[str, list[Any]]]:
    """``{analysis: {"epoch": [...], column: [...]}}``, of those that the study asks for."""
    found: dict[str, dict[str, list[Any]]] = {}
    measured = _events(lines, events.AnalysisMeasured)
    for told in (told for told in measured if told.analysis in asked):
        mine = found.setdefault(told.analysis, {"epoch": []})
        mine["epoch"].append(told.epoch)
        for column, value in told.values.items():
            mine.setdefault(column, []).append(value if value is None else round(value, 6))
    return found


def _last_on_training_images(lines: list[str]) -> float | None:
    seen = (e.train_robust_accuracy for e in _events(reversed(lines), events.EpochEnded))
    return next((value for value in seen if value is not None), None)


def _commits(runs: Iterable[Mapping[str, Any]]) -> str:
    """Those that the evaluations ran from; of this checkout where they do not say."""
    models = (model for run in runs for model in run["models"].values())
    found = dict.fromkeys(filter(None, (model["commit"] for model in models)))
    return ", ".join(found) or installing.commit()


def load(folder: pathlib.Path) -> Results:
    """The results of a study's folder.

    Raises:
        UserError: there are none, or of another format.
    """
    path = folder / RESULTS
    try:
        found = texts.from_json(path.read_bytes())
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from None
    except ValueError as error:
        raise UserError(f"{path} is damaged: {error}") from None
    if not isinstance(found, dict) or found.get("format") != FORMAT:
        raise UserError(f"{path}: expected results of format {FORMAT}")
    return found


def accuracies(results: Results, arm: str, which: str, attack: str) -> dict[int, float]:
    """``{seed: accuracy}`` of an arm's runs."""
    return {seed: row["accuracy"] for seed, row in _measured(results, arm, which, attack)}


def images(results: Results, arm: str, which: str, attack: str) -> dict[int, np.ndarray]:
    """``{seed: (N,) bool}``: which images an arm's runs classified correctly."""
    return {
        seed: images_of(row["right"], row["samples"])
        for seed, row in _measured(results, arm, which, attack)
        if row["right"]  # evaluations of before 2026-11-28 do not say
    }


def digests(results: Results, arm: str, which: str) -> dict[int, str]:
    """``{seed: digest}`` of the images that an arm's models were evaluated on."""
    return {
        run["seed"]: run["models"][which]["data_digest"]
        for run in results["runs"]
        if run["arm"] == arm and which in run["models"]
    }


def _measured(results: Results, arm: str, which: str, attack: str) -> Iterator[tuple[int, Any]]:
    """Seed and row of an arm's models that met an attack."""
    for run in results["runs"]:
        row = run["models"].get(which, {}).get("attacks", {}).get(attack)
        if run["arm"] == arm and row:
            yield run["seed"], row


def strongest(study: Study | Results) -> str:
    """The attack that decides: AutoAttack where it was run, else the last one of those in the ball
    of the training."""
    asked = study["attacks"] if isinstance(study, dict) else study.attacks
    attacks = [name for name in asked if not in_own_ball(name)] or asked
    full = [name for name in attacks if name.startswith("autoattack")]
    return str(full[-1] if full else attacks[-1])
