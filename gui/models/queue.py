"""The runs that wait for their turn, kept on disk so that they outlive the window."""

from __future__ import annotations

import dataclasses
import json
import pathlib
from typing import Any

from slr_keras import config as configs
from slr_keras import texts
from slr_keras.config import RunConfig
from slr_keras.errors import UserError
from slr_keras.run_folder import default_name, write_atomically
from slr_keras.settings.schema import to_dict

FILE = "queue.json"
TRAIN = "train"
TASKS = {"evaluate": "Evaluation", "export": "Export", "report": "Report"}


@dataclasses.dataclass(frozen=True)
class Job:
    """A run to start or to go on with, or another task that works on a model.

    Attributes:
        path: its run folder, or the model file that a task works on.
        config: its settings; None for a run that exists and goes on, and for other tasks.
        task: ``train``, or one of :data:`TASKS`.
        arguments: of the task's command.
    """

    path: str
    config: RunConfig | None = None
    task: str = TRAIN
    arguments: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The folder's name, which is the run's name until a user gives another."""
        name = pathlib.Path(self.path).name
        return name if self.trains else f"{TASKS[self.task]} of {name}"

    @property
    def trains(self) -> bool:
        """Whether it is a run."""
        return self.task == TRAIN

    @property
    def key(self) -> tuple[str, ...]:
        """What two jobs have in common that must not both be in the queue."""
        return (self.task, self.path) if self.trains else (self.task, *self.arguments)

    @property
    def resumes(self) -> bool:
        """Whether the run goes on from its last checkpoint."""
        return self.trains and self.config is None


class Queue:
    """Jobs in their order, mirrored in ``queue.json`` of the runs folder.

    Attributes:
        jobs: first in, first out, unless a user moves them.
        problem: why the file could not be read or written; empty when all is well.
        kept: whether there is a file; a second window on the folder must not write the first's.
    """

    def __init__(self, runs_dir: pathlib.Path, kept: bool = True):
        self.runs_dir = runs_dir
        self.problem = ""
        self.kept = kept
        self.jobs: list[Job] = self._load() if kept else []

    def new_job(self, config: RunConfig, taken: str = "") -> Job:
        """A job for a configuration, in a folder that neither exists nor is promised.

        Args:
            config: its ``run_dir`` may name the folder; a bare name stands in the runs folder.
            taken: a path that is promised to the run that goes on now.
        """
        wanted = config.run_dir
        if not wanted:
            path = self._free(self.runs_dir / default_name(config).name, taken)
        elif pathlib.PurePath(wanted).name == wanted:
            path = self.runs_dir / wanted
        else:
            path = pathlib.Path(wanted).expanduser().absolute()
        return Job(str(path), config.replace(run_dir=str(path)))

    def _free(self, base: pathlib.Path, taken: str) -> pathlib.Path:
        promised = {taken, *(job.path for job in self.jobs)}
        path, number = base, 1
        while path.exists() or str(path) in promised:
            number += 1
            path = base.with_name(f"{base.name}-{number}")
        return path

    def add(self, job: Job) -> None:
        """Put a job at the end."""
        self.jobs.append(job)
        self._save()

    def remove(self, job: Job) -> None:
        """Take a job out; nothing happens if it is not there."""
        if job in self.jobs:
            self.jobs.remove(job)
            self._save()

    def move(self, job: Job, by: int) -> None:
        """Move a job towards the end (``by`` > 0) or the front, as far as there is room."""
        if job not in self.jobs:
            return
        old = self.jobs.index(job)
        new = min(max(old + by, 0), len(self.jobs) - 1)
        self.jobs.insert(new, self.jobs.pop(old))
        self._save()

    def pop(self) -> Job:
        """Take the first job out."""
        job = self.jobs.pop(0)
        self._save()
        return job

    def _save(self) -> None:
        if not self.kept:
            return
        rows = [
            {
                "path": job.path,
                "config": to_dict(job.config) if job.config else None,
                "task": job.task,
                "arguments": job.arguments,
            }
            for job in self.jobs
        ]
        path = self.runs_dir / FILE
        try:
            if not rows:
                path.unlink(missing_ok=True)
                return
            self.runs_dir.mkdir(parents=True, exist_ok=True)
            write_atomically(path, (json.dumps(rows, indent=1) + "\n").encode())
            self.problem = ""
        except OSError as error:
            self.problem = (
                f"The queue could not be saved in {self.runs_dir}: {error.strerror}. "
                "It is lost when the app is closed."
            )

    def _load(self) -> list[Job]:
        path = self.runs_dir / FILE
        try:
            rows = texts.from_json(path.read_text(encoding="utf-8"))
            return [job for job in map(self._job, rows) if job]
        except FileNotFoundError:
            return []
        except (OSError, ValueError, TypeError) as error:
            self.problem = f"The saved queue {path} could not be read: {error}."
            return []

    def _job(self, row: Any) -> Job | None:
        try:
            values, task = row["config"], row.get("task", TRAIN)
            if task not in (TRAIN, *TASKS):
                raise UserError(f"{task} is no task of this version")
            config = configs.load(values=values) if values else None
            return Job(str(row["path"]), config, task, tuple(map(str, row.get("arguments", ()))))
        except (UserError, KeyError, TypeError) as error:
            self.problem = f"A run of the saved queue was left out: {error}."
            return None
