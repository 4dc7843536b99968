"""Runs what is missing of a study: each run trains, then is evaluated, in processes of its own."""

from __future__ import annotations

import dataclasses
import math
import os
import pathlib
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from slr_keras import config as configs
from slr_keras import texts
from slr_keras.errors import UserError
from slr_keras.run_folder import RunFolder, write_atomically
from slr_keras.settings import schema
from slr_keras.studies.plan import Study, StudyRun, flat

LEFT_IN_TIME = 75  # exit code of a run that met its time limit: it is queued again
REFUSED = 2  # exit code of bad input, a folder that is taken among it
TRAIN = "train"
LOOK = 10.0  # seconds after which it is told that nothing has ended
WAIT = 0.5  # seconds between looks at a folder that another process trains in
RESULTS = "results.json"
# settings in which a run may differ from its study: where and how it was computed, what is kept
FREE = {
    *("run_dir", "overwrite", "devices", "plugin", "analysis"),
    *("data.dir", "data.place", "data.stream", "data.check"),
    *("train.checkpoint_minutes", "train.keep_checkpoints", "train.max_minutes"),
    *("train.export", "train.tensorboard", "train.tracker"),
}


@dataclasses.dataclass(frozen=True)
class Stage:
    """One process of a run: ``train``, or the model that is evaluated."""

    run: StudyRun
    name: str

    def __str__(self) -> str:
        return f"{self.run.name}: {self.name}"


class Place:
    """The folder of a study: its run folders, ``configs``, ``logs``, and what comes of them."""

    def __init__(self, path: pathlib.Path, study: Study):
        self.path, self.study = path, study
        self._changes: dict[str, list[str]] = {}

    def run_dir(self, run: StudyRun) -> pathlib.Path:
        """The run folder."""
        return self.path / run.name

    def evaluation(self, run: StudyRun, which: str) -> pathlib.Path:
        """The result file of one of its models; the best one's is where reports look for it."""
        name = "evaluation" if which == "best" else f"evaluation-{which}"
        return self.run_dir(run) / f"{name}.json"

    def log(self, run: StudyRun) -> pathlib.Path:
        """What its processes said."""
        return self.path / "logs" / f"{run.name}.log"

    def done(self, stage: Stage) -> bool:
        """Whether a stage has left its result."""
        if self.changes(stage.run):
            return False
        if stage.name == TRAIN:
            return (self.run_dir(stage.run) / "summary.json").is_file()
        path = self.evaluation(stage.run, stage.name)
        return path.is_file() and self._fits(path)

    def _fits(self, path: pathlib.Path) -> bool:
        """Whether an evaluation is the one that the study asks for now."""
        try:
            found = texts.from_json(path.read_bytes())
            names = {row["attack"] for row in found["results"]}
            count = min(self.study.num_samples, found.get("split_samples", math.inf))
            return found["samples"] == count and names.issuperset(self.study.attacks)
        except (OSError, ValueError, KeyError, TypeError):
            return False

    def changes(self, run: StudyRun) -> list[str]:
        """In what a run folder differs from what the study asks for; it is then none of its."""
        file = self.run_dir(run) / "config.toml"
        if run.name not in self._changes and file.is_file():
            self._changes[run.name] = _changes(file, run.config)
        return self._changes.get(run.name, [])

    def strangers(self) -> list[str]:
        """Run folders here that are not, or no longer, of the study."""
        known = {run.name for run in self.study.planned or self.study.runs}
        found = self.path.glob("*/config.toml")
        return sorted(file.parent.name for file in found if file.parent.name not in known)

    def refuse_another(self) -> None:
        """Raise :class:`UserError` where the results of another study lie here."""
        try:
            name = texts.from_json((self.path / RESULTS).read_bytes())["study"]
        except (OSError, ValueError, KeyError, TypeError):
            return
        if name != self.study.name:
            raise UserError(
                f"{self.path} is the folder of the study {name!r}, this is {self.study.name!r}: "
                "give another with --out"
            )

    def stages(self, run: StudyRun) -> list[Stage]:
        """All stages of a run, in order."""
        return [Stage(run, name) for name in (TRAIN, *self.study.which)]

    def missing(self, run: StudyRun) -> list[Stage]:
        """Those that are still to do."""
        return [stage for stage in self.stages(run) if not self.done(stage)]

    def command(self, stage: Stage, write: bool = True) -> list[str]:
        """What runs a stage; a begun run goes on. ``write`` its configuration where it is new."""
        run, folder = stage.run, self.run_dir(stage.run)
        python = [sys.executable, "-m"]
        parts = [word for name in run.config.plugin for word in ("--plugin", name)]
        if stage.name == TRAIN:
            if (folder / "config.toml").is_file():
                return [*python, "slr_keras.train", "--resume", str(folder), "--progress", "plain"]
            file = self.path / "configs" / f"{run.name}.toml"
            if write:
                file.parent.mkdir(parents=True, exist_ok=True)
                write_atomically(file, configs.dumps(run.config).encode())
            where = ["--run-dir", str(folder), "--progress", "plain"]
            return [*python, "slr_keras.train", str(file), *where]
        out = str(self.evaluation(run, stage.name))
        asked = ["--attacks", *self.study.attacks, "--num-samples", str(self.study.num_samples)]
        return [*python, "slr_keras.evaluate", str(folder), "--which", stage.name, *asked,
                "--out", out, "--progress", "plain", *parts]  # fmt: skip


def _changes(file: pathlib.Path, config: configs.RunConfig) -> list[str]:
    """``"train.epochs is 2, the study says 3"``; what an older run does not know is no change."""
    try:
        found = dict(flat(configs.read_toml(file)))
    except UserError:
        return []  # the trainer says what is wrong with it
    wanted = ((key, _in_toml(value)) for key, value in flat(schema.to_dict(config)))
    return [
        f"{key} is {found[key]}, the study says {value}"
        for key, value in wanted
        if value != "auto"
        and not _same(found.get(key, value), value)
        and FREE.isdisjoint((key, key.partition(".")[0]))
    ]


def _same(one: Any, other: Any) -> bool:
    """Whether values are one: 0.5 was written as ``"127.5/255"`` before 2026-11-29."""
    return one == other or schema.number(str(one)) == schema.number(str(other))


def _in_toml(value: Any) -> Any:
    """A value as it comes back from a file."""
    return list(value) if isinstance(value, tuple) else value


def environment(threads: int) -> dict[str, str]:
    """Of a process that is to compute on so many cores, whatever the backend."""
    xla = f"--xla_cpu_multi_thread_eigen={str(threads > 1).lower()}"
    names = ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS")
    flags = f"{os.environ.get('XLA_FLAGS', '')} {xla}".strip()
    return os.environ | dict.fromkeys(names, str(threads)) | {"XLA_FLAGS": flags}


def do(
    place: Place,
    stage: Stage,
    threads: int,
    started: Callable[[Any], None],
    stopping: Callable[[], bool] = lambda: False,
) -> int:
    """Run a stage to its end; returns its exit code. It may have to be run again (75).

    A study that was killed leaves trainers at work: the next one waits for them.
    """
    log = place.log(stage.run)
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as file:
        changes = place.changes(stage.run)
        if changes:
            file.write(f"{other_settings(place, stage.run)}\n".encode())
            return REFUSED
        folder, told = RunFolder(place.run_dir(stage.run)), False
        while (owner := folder.owner()) is not None and not stopping():
            if not told:
                file.write(f"waiting for process {owner}, which trains it already\n".encode())
                file.flush()
            told = True
            time.sleep(WAIT)
        if told and (place.done(stage) or stopping()):
            return 0 if place.done(stage) else LEFT_IN_TIME
        command = place.command(stage)
        file.write(f"$ {' '.join(command)}\n".encode())
        file.flush()
        process = subprocess.Popen(
            command, stdout=file, stderr=file, stdin=subprocess.DEVNULL, env=environment(threads)
        )
        started(process)
        code = process.wait()
    lost_the_race = code == REFUSED and folder.owner() is not None  # to one that was just starting
    return LEFT_IN_TIME if lost_the_race else code


def other_settings(place: Place, run: StudyRun) -> str:
    """What is said of a run folder that is not what the study asks for."""
    first, *more = place.changes(run)
    others = f" and {len(more)} more" if more else ""
    return (
        f"{place.run_dir(run)} is another run, and kept ({first}{others}): move it away, or give "
        "another --out"
    )


def finish(path: str, study: Study, run: StudyRun, threads: int) -> int:
    """All missing stages of a run in this process's care: what a job of a cluster calls."""
    place = Place(pathlib.Path(path), study)
    for stage in place.missing(run):
        code = LEFT_IN_TIME
        while code == LEFT_IN_TIME:
            code = do(place, stage, threads, lambda process: None)
        if code:
            return code
    return 0


@dataclasses.dataclass(frozen=True)
class Ended:
    """A stage has ended; ``why`` it could not even be started, where that is so."""

    stage: Stage
    code: int
    seconds: float
    why: str = ""


class Local:
    """Runs stages on this machine, some runs side by side.

    Args:
        place: the study's folder.
        workers: runs at once.
        threads: cores of each.
    """

    def __init__(self, place: Place, workers: int, threads: int):
        self.place, self.workers, self.threads = place, workers, threads
        self._processes: set[subprocess.Popen[bytes]] = set()
        self._lock = threading.Lock()
        self._stopping = False

    def work(self) -> Iterator[Ended | None]:
        """Do everything that is missing, run by run; a run that fails is left, others go on.

        None is given now and then while nothing ends.
        """
        told: queue.SimpleQueue[Ended | None] = queue.SimpleQueue()
        runs = [run for run in self.place.study.runs if self.place.missing(run)]
        with ThreadPoolExecutor(self.workers) as pool:
            try:
                for run in runs:
                    pool.submit(self._finish, run, told)
                left = len(runs)
                while left:
                    try:
                        ended = told.get(timeout=LOOK)
                    except queue.Empty:
                        yield None
                        continue
                    left -= ended is None
                    if ended is not None:
                        yield ended
            finally:
                self.stop()

    def _finish(self, run: StudyRun, told: queue.SimpleQueue[Ended | None]) -> None:
        """The missing stages of a run, each told; None at the end."""
        try:
            for stage in self.place.missing(run):
                begun, code, why = time.monotonic(), LEFT_IN_TIME, ""
                try:
                    while code == LEFT_IN_TIME and not self._stopping:
                        stopping = lambda: self._stopping  # noqa: E731
                        code = do(self.place, stage, self.threads, self._started, stopping)
                except OSError as error:  # a full disk
                    code, why = 1, f"{error.strerror}: {error.filename or self.place.path}"
                told.put(Ended(stage, code, time.monotonic() - begun, why))
                if code:
                    return
        finally:
            told.put(None)

    def _started(self, process: Any) -> None:
        with self._lock:
            self._processes = {p for p in self._processes if p.poll() is None} | {process}
            if self._stopping:
                process.send_signal(signal.SIGTERM)

    def stop(self) -> None:
        """Ask what runs to leave, its state saved."""
        with self._lock:
            self._stopping = True
            for process in self._processes:
                if process.poll() is None:
                    process.send_signal(signal.SIGTERM)


def on_cluster(place: Place, cluster: str, threads: int, options: dict[str, Any]) -> dict[str, Any]:
    """Submit a job for each run that is not done; returns submitit's jobs by the runs' names.

    Args:
        place: the study's folder.
        cluster: ``"slurm"``, or ``"local"`` for submitit's processes on this machine.
        threads: cores of each.
        options: of submitit's executor, as ``slurm_partition``, ``timeout_min``.

    Raises:
        UserError: the cluster refuses; what it took before goes on.
    """
    import submitit

    jobs: dict[str, Any] = {}
    try:
        executor = submitit.AutoExecutor(folder=str(place.path / "jobs" / "%j"), cluster=cluster)
        executor.update_parameters(name=place.study.name, cpus_per_task=threads, **options)
        for run in place.study.runs:
            if place.missing(run):
                jobs[run.name] = executor.submit(finish, str(place.path), place.study, run, threads)
    except Exception as error:  # of submitit, subprocess and what a cluster's commands say
        reason = " ".join(str(error).split())[:200]
        raise UserError(
            f"{cluster} refuses, with {len(jobs)} jobs submitted: {reason}. Mend --job or the "
            "cluster; the same command submits the others"
        ) from None
    return jobs
