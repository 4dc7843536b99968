"""What the screens share: runs, trainer queue, lab, settings, and how they send users on."""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Mapping, Sequence

from PySide6.QtCore import QObject, QSettings, Signal

from ..models.queue import TASKS
from ..models.run_store import RunStore
from ..worker import program
from .diagnostics import Diagnostics
from .lab import LabPresenter
from .trainer import Trainer


@dataclasses.dataclass(frozen=True)
class Programs:
    """The workers' command lines; tests put fakes in their place."""

    trainer: Sequence[str] = dataclasses.field(
        default_factory=lambda: program("slr_keras.train", "--progress", "json")
    )
    lab: Sequence[str] = dataclasses.field(default_factory=lambda: program("slr_keras.lab"))
    tasks: Mapping[str, Sequence[str]] = dataclasses.field(
        default_factory=lambda: {
            task: program(f"slr_keras.{task}", "--progress", "json") for task in TASKS
        }
    )


class Context(QObject):
    """One per window.

    Signals:
        go_to: show the screen of this name.
        attack_model: open the lab on (run folder or ``.keras`` file, which).
        chart_runs: show these run folders in the charts of the Train screen, the first as main.
        compare_runs: show these run folders side by side on the Compare screen.
        evaluate_model: show the Evaluate screen for (run folder or ``.keras`` file, which).
        export_model: show the Export screen for the same.
        show_labels: show the Labels screen for this run folder.
        runs_changed: :class:`~gui.models.run_store.Changes` that were found on disk.
        runs_read: a scan has read all that there is.
        edit_config: fill the Train form with the settings of this run folder.
        message: a sentence for the bar at the window's foot.
    """

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

    def __init__(
        self,
        runs_dir: pathlib.Path,
        settings: QSettings,
        programs: Programs,
        alone: bool = True,
    ):
        super().__init__()
        self.runs_dir, self.settings, self.programs = runs_dir, settings, programs
        self.store = RunStore(runs_dir)
        self.trainer = Trainer(self.store, programs.trainer, self, alone, programs.tasks)
        self.lab = LabPresenter(programs.lab, parent=self)
        folders = {"Runs": runs_dir.absolute(), "Settings": pathlib.Path(settings.fileName())}
        self.diagnostics = Diagnostics(folders, parent=self)
        for worker in (self.trainer.worker, self.lab.worker):
            self.diagnostics.watch(worker)
        self.message.connect(lambda text: self.diagnostics.write("window", text))
