"""Figures and sentences of a report, as people write them."""

from __future__ import annotations

import datetime
import math
from collections.abc import Sequence
from typing import Any

from slr_keras.analysis.record import Record
from slr_keras.analysis.verdict import DIVERGED, NOT_SEEN, Verdict
from slr_keras.config import RunConfig
from slr_keras.evaluation.intervals import wilson

NORMS = {"linf": "L∞", "l2": "L2", "l1": "L1", "l0": "L0"}
NONE = "–"
MINUS = "−"
SPACE = "\u00a0"  # at which no line is broken


def percent(share: float | None) -> str:
    """``0.359`` as ``"35.9 %"``; a dash for no figure."""
    return NONE if share is None or math.isnan(share) else f"{100 * share:.1f}{SPACE}%"


def interval(bounds: Sequence[float] | None) -> str:
    """A 95 % interval of a share: ``"33.8 to 38.0 %"``."""
    if bounds is None:
        return NONE
    return f"{100 * bounds[0]:.1f} to {100 * bounds[1]:.1f} %".replace(" ", SPACE)


def points(difference: float | None, sign: bool = True) -> str:
    """A difference of two shares in percentage points: ``"−14.2 pp"``, ``"+0.2 pp"``."""
    if difference is None:
        return NONE
    text = f"{100 * difference:{'+' if sign else ''}.1f}"
    return ("0.0" if float(text) == 0 else text.replace("-", MINUS)) + f"{SPACE}pp"


def points_interval(bounds: Sequence[float] | None, sign: bool = True) -> str:
    """The interval of a difference: ``"+12.1 to +16.2 pp"``."""
    if bounds is None:
        return NONE
    low, high = (points(bound, sign) for bound in bounds)
    return f"{low.removesuffix('pp').strip()} to {high}".replace(" ", SPACE)


def norm_name(name: str) -> str:
    """``"linf"`` as ``"L∞"``."""
    return NORMS.get(name, name)


def distance(size: float | None, norm: str) -> str:
    """A distance, in L-infinity in levels of 255: ``"5.12/255"``, ``"0.431"``; a dash for none."""
    if size is None:
        return NONE
    return f"{255 * size:.2f}/255" if norm == "linf" else f"{size:.3g}"


def distance_interval(bounds: Sequence[float | None], norm: str) -> str:
    """The 95 % interval of a distance: ``"4.80 to 5.40/255"``, open where it has no end."""
    low, high = (distance(bound, norm) for bound in bounds)
    if bounds[1] is None:
        return NONE if not bounds[0] else f"at least {low}".replace(" ", SPACE)
    return f"{low.removesuffix('/255')} to {high}".replace(" ", SPACE)


def duration(seconds: float | None) -> str:
    """``"2 h 05 min"``, ``"10 min 38 s"``, ``"12.3 s"``."""
    if seconds is None:
        return NONE
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02} min" if hours else f"{minutes} min {rest:02} s"


def day(seconds: float | None) -> str:
    """A moment: ``"2026-11-23 07:40"``."""
    if seconds is None:
        return NONE
    return datetime.datetime.fromtimestamp(seconds).strftime("%Y-%m-%d %H:%M")


def value(setting: Any) -> str:
    """A setting's value."""
    if isinstance(setting, bool):
        return "true" if setting else "false"
    if isinstance(setting, (list, tuple)):
        return ", ".join(map(value, setting))
    if isinstance(setting, float):
        return f"{setting:.6g}"
    return str(setting) if setting not in ("", None) else NONE


def settings(table: dict[str, Any]) -> str:
    """The settings of an attack in a line; its name stands elsewhere, untargeted is the rule."""
    usual = {"targeted": False, "warmup_epochs": 0}
    shown = {k: v for k, v in table.items() if k != "name" and usual.get(k) != v}
    return " · ".join(f"{name} {value(one)}" for name, one in shown.items())


def measured_on(evaluation: dict[str, Any]) -> str:
    """On what and with what an evaluation was made, as far as evaluation.json says it."""
    which, epoch = evaluation.get("which"), evaluation.get("epoch")
    parts = [f"{which} epoch" + (f" ({epoch})" if epoch else "")] if which else []
    names = {
        "split": "split",
        "model_digest": "weights",
        "data_digest": "images",
        "device": "device",
        "seed": "seed",
        "time": "time",
    }
    known = {
        name: evaluation[key] for key, name in names.items() if evaluation.get(key) is not None
    }
    parts += [f"{name} {one}" for name, one in known.items()]
    total = evaluation.get("seconds")
    parts += [f"took {duration(total)}"] if isinstance(total, (int, float)) else []
    return "From evaluation.json: " + ", ".join(parts) + "." if parts else "From evaluation.json."


def summary(record: Record) -> str:
    """What was trained, how it ended, and whether it overfits: a paragraph."""
    return " ".join([_training(record), *_result(record), *_told(record)])


def _told(record: Record) -> list[str]:
    """What went wrong, a sentence each."""
    told = [f"{one.title}: {one.message}." for one in record.diagnoses]
    return [*_catastrophe(record), *(f"{text[0].upper()}{text[1:]}" for text in told)]


def _catastrophe(record: Record) -> list[str]:
    """A sentence where the model resists nothing but the attack it was trained with."""
    told = record.catastrophe
    if told is None:
        return []
    return [
        f"Catastrophic overfitting set in at epoch {told.epoch}: {percent(told.resisted)} of the "
        f"training images resisted the attack trained with, {percent(told.robust)} resisted PGD, "
        f"after {percent(told.best)} in epoch {told.best_epoch}."
    ]


def _training(record: Record) -> str:
    run = record.config
    size = f" ({record.started.parameters:,} parameters)" if record.started else ""
    few = f"{run.data.train_samples:,} training images of " if run.data.train_samples else ""
    against = ", on clean images only"
    if run.method.adversarial:
        against = f" against {run.attack.name.upper()} within {ball(record)}"
    done, planned = record.epochs[-1].epoch, run.train.epochs
    length = f"{done} epochs" if done >= planned else f"{done} of {planned} epochs"
    length = "1 epoch" if length == "1 epochs" else length
    return (
        f"A {run.model.name} network{size} was trained with {_method(run)} on "
        f"{few}{run.data.name} for {length}{against}."
    )


def _method(run: RunConfig) -> str:
    """The method and what was added to it: ``"TRADES, slr labels and AWP 0.005"``."""
    average = f"an average of the weights (decay {run.ema.decay:g})"
    parts = [
        run.method.name.upper(),
        *([] if run.labels.name == "hard" else [f"{run.labels.name} labels"]),
        *([f"AWP {run.weights.awp:g}"] if run.weights.awp else []),
        *([average] if run.ema.decay else []),
        *([f"SWA from epoch {run.swa.start_epoch} on"] if run.swa.start_epoch else []),
    ]
    return " and ".join([", ".join(parts[:-1]), parts[-1]]) if parts[1:] else parts[0]


def ball(record: Record) -> str:
    """The ball of the training attack: ``"ε = 8/255 (L∞)"``."""
    from slr_keras.settings import schema

    attack = record.config.attack
    return f"ε = {value(schema.to_dict(attack)['eps'])} ({NORMS[attack.norm]})"


def _result(record: Record) -> list[str]:
    if record.summary is None:
        return [
            f"The run is not finished ({record.status}), so it has not been tested; figures are "
            "those of the validation images."
        ]
    samples, attack = record.summary["test_samples"], record.summary["attack"]
    sentences = [f"On {samples:,} test images,"]
    if "best" in record.summary:
        sentences.append(
            f"the best epoch ({record.summary['best']['epoch']}, chosen on validation images) "
            f"classifies {_accuracies(record.summary['best'], samples)} under {attack};"
        )
    final = record.summary.get("final")
    if final:
        sentences.append(
            f"the final epoch ({final['epoch']}) {_accuracies(final, samples)} under attack."
            if "best" in record.summary
            else f"the final epoch ({final['epoch']}) classifies {_accuracies(final, samples)} "
            f"under {attack}."
        )
    if record.verdict:
        sentences.append(verdict(record.verdict))
    return sentences


def _accuracies(row: dict[str, Any], samples: int) -> str:
    clean, robust = (
        f"{percent(row[name])} ({interval(wilson(row[name] * samples, samples))})"
        for name in ("accuracy", "robust_accuracy")
    )
    return f"{clean} correctly, and {robust}"


def verdict(found: Verdict) -> str:
    """A sentence on robust overfitting."""
    between = f"95 % interval {points_interval(found.interval, sign=False)}"
    if found.word == NOT_SEEN:
        return (
            f"Robust overfitting is not seen: the drop from best to final is "
            f"{points(found.drop, sign=False)} ({between})."
        )
    said = f"robust accuracy fell by {points(found.drop, sign=False)} ({between})"
    if found.word == DIVERGED:
        return f"The run got worse rather than overfit: {said}, on training images as well."
    if found.training is None:
        return f"Robust overfitting is seen: {said}."
    then, now = map(percent, found.training)
    return (
        f"Robust overfitting is seen: {said} while on training images it went from {then} to {now}."
    )
