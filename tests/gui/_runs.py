"""Run folders and a context for the tests of the Runs screen."""

from __future__ import annotations

import json
import pathlib
from typing import Any

from PySide6.QtCore import QObject, Signal

from gui.models.queue import Job
from gui.models.run_store import RunStore
from slr_keras import config as configs
from slr_keras.protocol import events
from slr_keras.run_folder import RunFolder

CURVE = (0.20, 0.40, 0.35, 0.30)  # robust accuracy on the validation split, best in epoch 2


def epoch(number: int, robust: float | None, epochs: int = 4, **other: Any) -> events.EpochEnded:
    """An epoch whose other figures follow from its robust accuracy."""
    up = None if robust is None else robust + 0.2
    figures: dict[str, Any] = {
        "loss": 1.0,
        "accuracy": 0.6,
        "robust_accuracy": 0.5,
        "train_accuracy": up,
        "train_robust_accuracy": None if robust is None else robust + 0.1,
        "val_accuracy": up,
        "val_robust_accuracy": robust,
        "label_entropy": 0.1,
        "label_agreement": 0.9,
        "learning_rate": 0.1,
        "images_per_second": 100.0,
        "seconds": 2.0 * number,
    }
    return events.EpochEnded(epoch=number, epochs=epochs, **{**figures, **other})


def started(epochs: int = 4) -> events.RunStarted:
    return events.RunStarted(
        run_dir="x",
        method="slr",
        model="small_cnn",
        dataset="digits",
        parameters=10,
        epochs=epochs,
        steps_per_epoch=5,
        device="CPU",
        versions={},
    )


SUMMARY: dict[str, Any] = {
    "attack": "pgd-20",
    "test_samples": 360,
    "best_epoch": 2,
    "best": {"epoch": 2, "accuracy": 0.62, "robust_accuracy": 0.41},
    "final": {"epoch": 4, "accuracy": 0.55, "robust_accuracy": 0.28},
}


def make_run(
    path: pathlib.Path,
    curve: tuple[float | None, ...] = CURVE,
    end: bool = True,
    summary: bool = True,
    **settings: Any,
) -> RunFolder:
    """A run folder as the trainer writes it; ``settings`` are sections: ``attack={...}``."""
    values = {"train": {"epochs": len(curve) or 4}, "run_dir": str(path), **settings}
    folder = RunFolder.create(configs.load(values=values))
    if curve:
        folder.append(started(len(curve)))
    for number, robust in enumerate(curve, start=1):
        folder.append(epoch(number, robust, len(curve)))
    if end and curve:
        (path / "best.keras").touch()
        if summary:
            folder.write_summary(SUMMARY)
        folder.append(events.RunEnded(SUMMARY))
    return folder


def lines(path: pathlib.Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (path / "events.jsonl").read_text().splitlines()]


class StandInTrainer(QObject):
    """What the Runs screen uses of :class:`gui.presenters.trainer.Trainer`."""

    changed = Signal()
    event = Signal(object)
    ended = Signal(str, object)

    def __init__(self) -> None:
        super().__init__()
        self.jobs: list[Job] = []
        self.current: Job | None = None
        self.state = "idle"
        self.held = False
        self.calls: list[tuple[str, Any]] = []

    @property
    def queue(self) -> list[Job]:
        return list(self.jobs)

    @property
    def busy(self) -> bool:
        return self.current is not None

    def resume(self, path: str) -> str:
        self.calls.append(("resume", path))
        return path

    def resume_run(self) -> None:
        self.calls.append(("resume_run", None))

    def start_next(self) -> None:
        self.calls.append(("start_next", None))

    def move(self, job: Job, by: int) -> None:
        old = self.jobs.index(job)
        self.jobs.insert(old + by, self.jobs.pop(old))
        self.changed.emit()

    def remove(self, job: Job) -> None:
        self.jobs.remove(job)
        self.changed.emit()


class StandInContext(QObject):
    """The signals and parts of the screens' ``Context``, with a list of what was sent."""

    go_to = Signal(str)
    attack_model = Signal(str, str)
    chart_runs = Signal(list)
    compare_runs = Signal(list)
    show_labels = Signal(str)
    evaluate_model = Signal(str, str)
    export_model = Signal(str, str)
    runs_changed = Signal(object)
    runs_read = Signal()
    edit_config = Signal(str)
    message = Signal(str)

    def __init__(self, runs_dir: pathlib.Path):
        super().__init__()
        self.runs_dir = runs_dir
        self.store = RunStore(runs_dir)
        self.trainer = StandInTrainer()
        self.sent: list[tuple[Any, ...]] = []
        self.said: list[str] = []
        for name in ("go_to", "attack_model", "chart_runs", "compare_runs", "edit_config"):
            self._note(name)
        self.message.connect(lambda text: self.said.append(text))

    def _note(self, name: str) -> None:
        getattr(self, name).connect(lambda *values: self.sent.append((name, *values)))
