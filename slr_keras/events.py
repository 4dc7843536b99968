"""What a run reports: typed events, one JSON object a line.

A line holds the event's name under ``event``, the protocol version under ``v``, the time under
``time`` (seconds since 1970) and the fields of the event. NaN and infinities are ``null``.

    >>> decode(encode(Warned(message="no validation split")))
    Warned(message='no validation split')
"""

from __future__ import annotations

import dataclasses
import json
import math
import time
from typing import Any, ClassVar

VERSION = 1


@dataclasses.dataclass(frozen=True)
class Event:
    """Base of the events; ``event`` is the name on the wire."""

    event: ClassVar[str] = ""


@dataclasses.dataclass(frozen=True)
class RunStarted(Event):
    """A run begins, or goes on after an interruption (``resumed_at`` is its position)."""

    event = "run_start"
    run_dir: str
    method: str
    model: str
    dataset: str
    parameters: int
    epochs: int
    steps_per_epoch: int
    device: str
    versions: dict[str, str]
    resumed_at: tuple[int, int] | None = None


@dataclasses.dataclass(frozen=True)
class PhaseStarted(Event):
    """What the run does from now on: importing, building, compiling, epoch, evaluating, ..."""

    event = "phase"
    phase: str
    epoch: int = 0


@dataclasses.dataclass(frozen=True)
class BatchEnded(Event):
    """Running means of the epoch after a batch (both counted from 1)."""

    event = "batch_end"
    epoch: int
    batch: int
    batches: int
    loss: float | None
    accuracy: float | None
    robust_accuracy: float | None
    images_per_second: float | None


@dataclasses.dataclass(frozen=True)
class EpochEnded(Event):
    """One epoch. ``train_*`` and ``val_*`` compare like with like: same attack, inference mode,
    no augmentation, fixed subsets; plain ``accuracy`` and ``robust_accuracy`` are those of the
    batches as trained on. ``label_entropy`` is in nats."""

    event = "epoch_end"
    epoch: int
    epochs: int
    loss: float | None
    accuracy: float | None
    robust_accuracy: float | None
    train_accuracy: float | None
    train_robust_accuracy: float | None
    val_accuracy: float | None
    val_robust_accuracy: float | None
    label_entropy: float | None
    label_agreement: float | None
    learning_rate: float
    images_per_second: float
    seconds: float


@dataclasses.dataclass(frozen=True)
class CheckpointSaved(Event):
    """Everything needed to go on is on disk; ``batch`` batches of ``epoch`` are done."""

    event = "checkpoint"
    epoch: int
    batch: int
    path: str


@dataclasses.dataclass(frozen=True)
class Warned(Event):
    """Something the user should know; the run goes on."""

    event = "warning"
    message: str


@dataclasses.dataclass(frozen=True)
class NonFiniteLoss(Event):
    """The loss became NaN or infinite; the run stops at its last good checkpoint."""

    event = "non_finite_loss"
    epoch: int
    batch: int
    message: str


@dataclasses.dataclass(frozen=True)
class RunStopped(Event):
    """The run was asked to stop and can be resumed."""

    event = "run_stop"
    reason: str
    epoch: int
    batch: int


@dataclasses.dataclass(frozen=True)
class RunEnded(Event):
    """The run is complete; ``summary`` is the content of summary.json."""

    event = "run_end"
    summary: dict[str, Any]


KINDS: dict[str, type[Event]] = {cls.event: cls for cls in Event.__subclasses__()}


def encode(event: Event) -> str:
    """One line of JSON, without the line break."""
    head = {"v": VERSION, "event": event.event, "time": round(time.time(), 3)}
    return json.dumps(head | finite(dataclasses.asdict(event)), allow_nan=False)


def decode(line: str) -> Event | None:
    """The event of a line; None for an event or field set this version does not know.

    Raises:
        ValueError: the line is not a JSON object.
    """
    values = json.loads(line)
    if not isinstance(values, dict):
        raise ValueError(f"expected a JSON object, received {line[:80]!r}")
    kind = KINDS.get(str(values.get("event", "")))
    if kind is None:
        return None
    names = {field.name for field in dataclasses.fields(kind)}
    try:
        return kind(**{key: _tuple(value) for key, value in values.items() if key in names})
    except TypeError:
        return None


def finite(value: Any) -> Any:
    """The value with NaN and infinities replaced by None, at any depth."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dict):
        return {key: finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [finite(item) for item in value]
    return value


def _tuple(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value
