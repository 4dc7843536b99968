"""Decides on the Evaluate screen: what is evaluated, and which figures are shown."""

from __future__ import annotations

import pathlib
from typing import Any

from PySide6.QtCore import QObject, QTimer, Signal

from slr_keras.protocol import events

from ..models import rows
from ..models.asked import IMAGES, Evaluation
from ..models.evaluated import Evaluated, EvaluatedRuns, files_of, load
from ..models.queue import Job
from ..models.rows import Live, Row
from .context import Context

POLL_MS = 1000


class EvaluatePresenter(QObject):
    """Starts evaluations through the queue and shows those that are there.

    Signals:
        changed: other figures, or another model.

    Attributes:
        target, which: the model whose figures are shown.
        live: the evaluation that goes on; None if none does.
        written: one of this session whose file is not among the model's own, of an ensemble.
    """

    changed = Signal()

    def __init__(self, context: Context, parent: QObject | None = None):
        super().__init__(parent)
        self._context, self.trainer = context, context.trainer
        self.evaluated = EvaluatedRuns()
        self.target, self.which = "", "best"
        self.live: Live | None = None
        self.written: Evaluated | None = None
        self.report = ""  # a page that was written and is to be opened
        self._timer = QTimer(self, interval=POLL_MS)
        self._timer.timeout.connect(self.look)
        self._timer.start()
        self.trainer.event.connect(self._take)
        self.trainer.ended.connect(lambda *_: self._ended())

    # -- asking -------------------------------------------------------------------------------

    def start(self, asked: Evaluation) -> bool:
        """Evaluate, now or when its turn comes; says why not if it cannot."""
        problem = asked.problem()
        if problem:
            self._context.message.emit(problem)
            return False
        job = Job(asked.target, task="evaluate", arguments=asked.arguments())
        self.show(asked.target, asked.which)
        self.trainer.add(job)
        if job in self.trainer.queue:
            self._context.message.emit(f"{job.name} waits in the queue.")
        return True

    def write_report(self) -> None:
        """Write the report page of the run that is shown; it opens when it is there."""
        if self.target:
            self.trainer.add(Job(self.target, task="report", arguments=(self.target,)))

    @property
    def evaluates(self) -> bool:
        """Whether an evaluation goes on (or waits in a pause)."""
        return self.trainer.current is not None and self.trainer.current.task == "evaluate"

    # -- what is shown ------------------------------------------------------------------------

    def show(self, target: str, which: str) -> None:
        """Show the figures of a model."""
        self.target, self.which, self.written = target, which or "best", None
        self.look()
        self.changed.emit()

    def look(self) -> None:
        """Take in what changed on disk."""
        if self.target and self.evaluated.read([self.target])[1]:
            self.changed.emit()

    @property
    def found(self) -> Evaluated | None:
        """The finished evaluation of the model that is shown."""
        if self.written is not None:
            return self.written
        found = self.evaluated.of(self.target) if self.target else {}
        return found.get(self.which, found.get(""))

    @property
    def problem(self) -> str:
        """Why an evaluation that is there cannot be used; empty when it can."""
        return next(iter(self.evaluated.problems(self.target)), "") if self.target else ""

    def rows(self) -> list[Row]:
        """Those of the evaluation that goes on on this model, else of the finished one."""
        live = self.live
        if live is not None and (live.target, live.which) == (self.target, self.which):
            return live.shown()
        return rows.of_evaluation(self.found) if self.found else []

    @property
    def images(self) -> str:
        """The file of adversarial images beside the evaluation; empty without one."""
        if not self.target:
            return ""
        path = Evaluation(self.target).folder / IMAGES
        return str(path) if path.is_file() else ""

    # -- the worker ---------------------------------------------------------------------------

    def _take(self, event: Any) -> None:
        if isinstance(event, events.EvaluationStarted):
            self.live = Live.of(event)
            self.changed.emit()
        elif isinstance(event, events.EvaluationProgress) and self.live is not None:
            self.live.take(event)
            self.changed.emit()
        elif isinstance(event, events.TaskEnded) and self._is_report():
            self.report = next(iter(event.paths), "")
        elif isinstance(event, events.TaskEnded) and self.evaluates:
            self._keep(pathlib.Path(next(iter(event.paths), "")))

    def _keep(self, path: pathlib.Path) -> None:
        """Show what was written elsewhere than the screen looks."""
        current = self.trainer.current
        ours = current is not None and current.path == self.target
        if ours and path.suffix == ".json" and path not in files_of(self.target):
            self.written = load(path)

    def _is_report(self) -> bool:
        return self.trainer.current is not None and self.trainer.current.task == "report"

    def _ended(self) -> None:
        self.live = None
        self.look()
        self.changed.emit()
