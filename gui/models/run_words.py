"""How a run is put into words: states, figures, times, settings."""

from __future__ import annotations

import dataclasses
import functools
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from slr_keras import config as configs
from slr_keras.settings import schema

from .dotted import flat
from .run_record import NOWHERE, RunRecord

LARGE_DROP = 5.0  # percentage points of robust accuracy
_MISSING = object()
_MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]


@dataclasses.dataclass(frozen=True)
class Status:
    """A state of a run: its word, a glyph, the colour's name in the theme, and what it means."""

    word: str
    glyph: str
    colour: str
    help: str


STATUS = {
    "running": Status("Running", "●", "accent", "A trainer is at work on this run."),
    "paused": Status("Paused", "◐", "warn", "The trainer waits, with the model in memory."),
    "done": Status("Done", "✓", "good", "All epochs are finished and the test is made."),
    "stopped": Status("Stopped", "■", "muted", "Its state is saved; it can be resumed."),
    "crashed": Status(
        "Crashed", "✕", "bad", "Its process ended without a word; it can be resumed."
    ),
    "failed": Status(
        "Failed", "▲", "bad", "It came to an error; the details say which. It can be resumed."
    ),
    "new": Status("New", "○", "muted", "It has settings and has not begun."),
    "damaged": Status("Damaged", "?", "bad", "Its folder cannot be read; the details say why."),
}
RESUMABLE = ("stopped", "paused", "crashed", "failed")


def status(record: RunRecord) -> Status:
    """The state of a run; one that we do not know is shown by its name."""
    known = STATUS.get(record.status)
    return known or Status(record.status.capitalize(), "·", "muted", "A state of a newer version.")


def status_text(record: RunRecord) -> str:
    """``"● Running 12/30"``, with a mark where something is wrong with the folder."""
    state, planned = status(record), record.planned_epochs
    unfinished = record.status in ("running", *RESUMABLE)
    progress = f" {record.last_epoch}/{planned}" if unfinished and planned else ""
    return f"{state.glyph} {state.word}{progress}{' ⚠' if record.problem else ''}"


def percent(share: float | None) -> str:
    """``0.489`` as ``"48.9 %"``; a dash for no figure."""
    return "–" if share is None else f"{100 * share:.1f} %"


def interval(low: float | None, high: float | None) -> str:
    """``"42.1 % to 47.9 %"``; empty for none."""
    return "" if low is None else f"{percent(low)} to {percent(high)}"


def points(difference: float | None) -> str:
    """A difference of two accuracies: ``"13.6 pp"``."""
    return "–" if difference is None else f"{difference:.1f} pp"


def best_text(record: RunRecord) -> str:
    """``"20.8 % @ 14"``: the best robust accuracy and its epoch."""
    if record.best_robust is None:
        return "–"
    return f"{percent(record.best_robust)} @ {record.best_epoch}"


def drop_text(record: RunRecord) -> str:
    """The drop, with a mark on a large one."""
    return ("▼ " if is_large(record.drop) else "") + points(record.drop)


def is_large(drop: float | None) -> bool:
    """Whether so much robust accuracy lost is overfitting."""
    return drop is not None and drop >= LARGE_DROP


def epsilon_text(record: RunRecord) -> str:
    """The bound of the training attack: ``"8/255"``, or ``"0.5 (L2)"``."""
    value = record.values.get("attack.eps")
    if value is None:
        return ""
    norm = record.values.get("attack.norm", "linf")
    size = number(value)
    if norm == "linf" or size is None:
        return "0" if size == 0 else show(value)
    return f"{size:.4g} ({str(norm).capitalize()})"


def number(value: Any) -> float | None:
    """A setting's value as a number: ``"8/255"`` is 0.031; None where it is none."""
    if isinstance(value, bool):
        return None
    found = schema.number(str(value))
    return found if isinstance(found, float) else None


def show(value: Any) -> str:
    """A setting's value as people write it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (tuple, list)):
        return ", ".join(map(show, value))
    if isinstance(value, float):
        return f"{value:.12g}"
    return str(value) if value != "" else "(empty)"


def when(seconds: float | None, now: float | None = None) -> str:
    """A moment as people say it: ``"today 14:03"``, ``"3 Nov 14:03"``, ``"3 Nov 2024"``."""
    if seconds is None:
        return "–"
    try:
        then, today = time.localtime(seconds), time.localtime(now)
        yesterday = time.localtime(time.mktime(today) - 86400)
    except (ValueError, OverflowError, OSError):
        return "–"
    clock, date = time.strftime("%H:%M", then), f"{then.tm_mday} {_MONTHS[then.tm_mon - 1]}"
    if then[:3] == today[:3]:
        return f"today {clock}"
    if then[:3] == yesterday[:3]:
        return f"yesterday {clock}"
    return f"{date} {clock}" if then.tm_year == today.tm_year else f"{date} {then.tm_year}"


def duration(seconds: float | None) -> str:
    """``"2 h 05 min"``, ``"10 min 38 s"``, ``"12 s"``."""
    if seconds is None:
        return "–"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes:02} min"
    return f"{minutes} min {rest:02} s" if minutes else f"{rest} s"


def training_seconds(record: RunRecord) -> float | None:
    """How long the run has trained, pauses and interruptions left out."""
    return record.epochs[-1].seconds if record.epochs else None


def count(number: int, what: str) -> str:
    """``"1 run"``, ``"3 runs"``."""
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


# -- settings ---------------------------------------------------------------------------------


def differing(records: Sequence[RunRecord]) -> list[str]:
    """Settings that at least two of the runs have with different values, in their own order.

    A setting that only some runs have (another method) tells them apart by the method's name.
    """
    first = records[0].values if records else {}
    values: dict[str, set[Any]] = {}
    for record in records:
        for path, value in record.values.items():
            if value != first.get(path, _MISSING):
                values.setdefault(path, set()).add(_comparable(value))
    for path in values.keys() & first.keys():
        values[path].add(_comparable(first[path]))
    order = {path: place for place, path in enumerate(flat_defaults())}
    found = [path for path, seen in values.items() if len(seen) > 1 and path not in NOWHERE]
    return sorted(found, key=lambda path: (order.get(path, len(order)), path))


def _comparable(value: Any) -> Any:
    """As a number where it is one, else as people write it."""
    try:
        return _known_comparable(value)
    except TypeError:  # a list has no hash
        return show(value)


@functools.lru_cache(10_000, typed=True)
def _known_comparable(value: Any) -> Any:
    size = number(value)
    return show(value) if size is None else size


@functools.cache
def flat_defaults() -> Mapping[str, Any]:
    """The settings of a run that is asked nothing special."""
    return dict(flat(schema.to_dict(configs.RunConfig())))


@functools.cache
def _declared() -> Mapping[tuple[str, str], Any]:
    """Defaults by (variant, path)."""
    return {(s.variant, s.path): schema.show(s.default, s.facts) for s in configs.settings()}


def changed_settings(record: RunRecord) -> list[tuple[str, str, str]]:
    """(setting, value, default) of those that differ from their defaults; no default: empty."""
    rows = []
    for path, value in record.values.items():
        variant = _listed_as(path, str(record.values.get(f"{path.rpartition('.')[0]}.name", "")))
        declared = _declared()
        default = declared.get((variant, path), declared.get(("", path), flat_value(path)))
        if path not in NOWHERE and (default is None or _comparable(default) != _comparable(value)):
            rows.append((path, show(value), "" if default is None else show(default)))
    return rows


def _listed_as(path: str, name: str) -> str:
    """The name under which the settings of a variant are declared: a file has that of all files."""
    known = configs.variants("models") if path.startswith("model.") else {}
    return getattr(known[name], "stand_in", "") or name if name in known else name


def flat_value(path: str) -> Any:
    """The default of a setting that every run has; None for the others."""
    return flat_defaults().get(path)


def names(records: Iterable[RunRecord], most: int = 3) -> str:
    """Names in a sentence: ``"a, b and 5 more"``."""
    all_names = [record.name for record in records]
    if len(all_names) > most:
        return f"{', '.join(all_names[:most])} and {len(all_names) - most} more"
    return " and ".join(filter(None, [", ".join(all_names[:-1]), all_names[-1]]))
