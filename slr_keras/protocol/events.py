"""What a run reports: typed events, one JSON object a line (see :mod:`slr_keras.protocol.wire`).

>>> decode(encode(Warned(message="no validation split")))
Warned(message='no validation split')
"""

from __future__ import annotations

import dataclasses
from typing import Any, ClassVar

from slr_keras.protocol import wire
from slr_keras.protocol.wire import VERSION, encode, finite

__all__ = ["VERSION", "decode", "encode", "finite"]


@dataclasses.dataclass(frozen=True)
class Event(wire.Message):
    """Base of the events of a run."""

    kind: ClassVar[str] = "event"


@dataclasses.dataclass(frozen=True)
class RunStarted(Event):
    """A run begins, or goes on after an interruption (``resumed_at`` is its position).

    ``attack`` says in words which arithmetic was measured to be the attack's, if it was.
    """

    name = "run_start"
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
    attack: str = ""


@dataclasses.dataclass(frozen=True)
class PhaseStarted(Event):
    """What the run does from now on.

    ``importing``, ``loading data``, ``building``, ``compiling`` (the first batch of an epoch whose
    step is new), ``epoch``, ``evaluating``, ``testing``, ``exporting``.
    """

    name = "phase"
    phase: str
    epoch: int = 0


@dataclasses.dataclass(frozen=True)
class Progress(Event):
    """How far an evaluation is, in images; not written to the run folder."""

    name = "progress"
    phase: str
    done: int
    total: int


@dataclasses.dataclass(frozen=True)
class BatchEnded(Event):
    """Running means of the epoch after a batch (both counted from 1)."""

    name = "batch_end"
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

    name = "epoch_end"
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
class AnalysisMeasured(Event):
    """The scalars of an analysis after an epoch; None where there was nothing to measure."""

    name = "analysis"
    epoch: int
    analysis: str
    values: dict[str, float | None]


@dataclasses.dataclass(frozen=True)
class CheckpointSaved(Event):
    """Everything needed to go on is on disk; ``batch`` batches of ``epoch`` are done."""

    name = "checkpoint"
    epoch: int
    batch: int
    path: str


@dataclasses.dataclass(frozen=True)
class Warned(Event):
    """Something the user should know; the run goes on."""

    name = "warning"
    message: str


@dataclasses.dataclass(frozen=True)
class CatastrophicOverfitting(Warned):
    """The model resists the attack it trains with and no other: told once, where it is first seen.

    ``resisted`` is the robust accuracy of the batches as trained on, ``robust`` that under PGD on
    training images, ``best`` the same in ``best_epoch`` before.
    """

    name = "catastrophic_overfitting"
    epoch: int
    resisted: float
    robust: float
    best_epoch: int
    best: float


@dataclasses.dataclass(frozen=True)
class Diagnosed(Warned):
    """Something goes wrong, told once in a run; ``epoch`` 0 is before the first.

    ``diagnosis`` is its name in ``slr_keras.diagnoses``, ``title`` a few words for a mark.
    """

    name = "diagnosis"
    diagnosis: str
    title: str
    epoch: int


@dataclasses.dataclass(frozen=True)
class NonFiniteLoss(Event):
    """The loss became NaN or infinite; the run stops at its last good checkpoint."""

    name = "non_finite_loss"
    epoch: int
    batch: int
    message: str


@dataclasses.dataclass(frozen=True)
class RunStopped(Event):
    """The run was asked to stop and can be resumed.

    ``reason`` is the name of a signal, ``asked to stop``, ``discarded``, ``window closed`` or
    ``the time limit``.
    """

    name = "run_stop"
    reason: str
    epoch: int
    batch: int


@dataclasses.dataclass(frozen=True)
class RunEnded(Event):
    """The run is complete; ``summary`` is the content of summary.json."""

    name = "run_end"
    summary: dict[str, Any]


# -- of an evaluation, an export, a report ----------------------------------------------------


@dataclasses.dataclass(frozen=True)
class EvaluationStarted(Event):
    """An evaluation begins, or goes on; ``attacks`` are the names of its rows."""

    name = "evaluation_start"
    target: str
    which: str | None
    samples: int
    attacks: tuple[str, ...]
    resumed: bool = False


@dataclasses.dataclass(frozen=True)
class EvaluationProgress(Event):
    """How far it is: attack ``step`` of ``steps``, ``share`` of it done, ``robust`` images left."""

    name = "evaluation_progress"
    attack: str
    step: int
    steps: int
    share: float
    robust: int
    samples: int
    done: bool


@dataclasses.dataclass(frozen=True)
class TaskEnded(Event):
    """An evaluation, an export or a report is complete; ``paths`` are what it wrote."""

    name = "task_end"
    message: str
    paths: tuple[str, ...] = ()


# -- what a worker of the app says beside the run itself --------------------------------------


@dataclasses.dataclass(frozen=True)
class Hello(Event):
    """The first line of a worker: who speaks."""

    name = "hello"
    program: str
    pid: int
    version: str


@dataclasses.dataclass(frozen=True)
class Heartbeat(Event):
    """The worker is alive; the next one comes within ``next_within`` seconds."""

    name = "heartbeat"
    next_within: float
    memory_mb: float | None = None


@dataclasses.dataclass(frozen=True)
class Acknowledged(Event):
    """A command arrived. ``accepted`` false: it cannot be done now, ``message`` says why."""

    name = "acknowledged"
    id: int
    command: str
    accepted: bool = True
    message: str = ""


@dataclasses.dataclass(frozen=True)
class Paused(Event):
    """The run waits after this batch, model in memory, state on disk."""

    name = "paused"
    epoch: int
    batch: int


@dataclasses.dataclass(frozen=True)
class Continued(Event):
    """The run goes on from this batch."""

    name = "continued"
    epoch: int
    batch: int


@dataclasses.dataclass(frozen=True)
class Failed(Event):
    """The worker cannot go on; the sentence that a terminal would show after ``error:``."""

    name = "failed"
    message: str


KINDS: dict[str, type[Event]] = wire.kinds(Event)


def decode(line: str | bytes) -> Event | None:
    """The event of a line; None for an event or field set this version does not know.

    Raises:
        ValueError: the line is not a JSON object.
    """
    event: Event | None = wire.decode(line, Event.kind, KINDS)
    return event
