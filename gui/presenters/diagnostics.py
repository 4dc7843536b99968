"""State of the workers, log, versions and the report that goes along with a question."""

from __future__ import annotations

import contextlib
import dataclasses
import importlib.metadata
import os
import pathlib
import platform
import time
from collections.abc import Mapping

import psutil
from PySide6.QtCore import QObject, QSysInfo, Signal

from slr_keras import __version__
from slr_keras.protocol import events, lab_events

from ..models.death import Death
from ..models.log import Log
from ..models.places import shown, without_home
from ..worker import Worker

PACKAGES = {
    "PySide6": "PySide6-Essentials",
    "pyqtgraph": "pyqtgraph",
    "numpy": "numpy",
    "tensorflow": "tensorflow",
    "keras": "keras",
}
EACH_EPOCH = ("epoch", "evaluating")  # phases too frequent for the log


@dataclasses.dataclass(frozen=True)
class WorkerState:
    """A row of the table of processes; ``restarts`` counts starts after the first."""

    name: str
    state: str
    pid: int | None
    memory_mb: float | None
    uptime: float
    restarts: int


class Diagnostics(QObject):
    """Listens to the workers from the start.

    Signals:
        logged: the log grew.
        changed: a worker started, ended, fell silent or spoke again.

    Attributes:
        log: what happened.
        devices: what the workers compute on, by worker.
    """

    logged = Signal()
    changed = Signal()

    def __init__(self, folders: Mapping[str, pathlib.Path], parent: QObject | None = None):
        super().__init__(parent)
        self.log = Log()
        self.devices: dict[str, str] = {}
        self._folders = dict(folders)
        self._workers: list[Worker] = []
        self._deaths: dict[str, Death] = {}
        self._reported: dict[str, str] = {}  # versions that the trainer found
        self._run_dir = ""
        self._begun = time.monotonic()

    # -- what comes in ------------------------------------------------------------------------

    def watch(self, worker: Worker) -> None:
        """Follow a worker from now on."""
        self._workers.append(worker)
        name = worker.name
        worker.log.connect(lambda line: self.write(name, line))
        worker.event.connect(lambda event: self._event(name, event))
        worker.silent.connect(lambda silent: self._silence(name, silent))
        worker.ended.connect(lambda death: self._ended(name, death))

    def write(self, source: str, text: str, level: str = "") -> None:
        """Add to the log."""
        self.log.write(source, text, level)
        self.logged.emit()

    def _event(self, name: str, event: object) -> None:
        if isinstance(event, events.RunStarted):
            self._reported = dict(event.versions)
            self._run_dir = event.run_dir
            self.devices[name] = event.device
            self.write(name, f"Run {pathlib.Path(event.run_dir).name} begins on {event.device}.")
        elif isinstance(event, lab_events.LabState):
            self._lab_state(name, event)
        elif isinstance(event, events.PhaseStarted) and event.phase not in EACH_EPOCH:
            self.write(name, f"{event.phase.capitalize()}…")
        elif isinstance(event, events.Hello):
            self._deaths.pop(name, None)
            self.write(name, f"Started, process {event.pid}.")
            self.changed.emit()
        elif isinstance(event, events.Warned):
            self.write(name, event.message, "warning")
        elif isinstance(event, (events.Failed, events.NonFiniteLoss, lab_events.Refused)):
            level = "warning" if isinstance(event, lab_events.Refused) else "error"
            self.write(name, event.message, level)

    def _lab_state(self, name: str, event: lab_events.LabState) -> None:
        if event.device and self.devices.get(name) != event.device:
            self.devices[name] = event.device
            self.write(name, f"Ready on {event.device}.")
        elif event.state == "importing":
            self.write(name, "Importing…")

    def _silence(self, name: str, silent: bool) -> None:
        text = "No sign of life when one was due." if silent else "A sign of life again."
        self.write(name, text, "warning" if silent else "info")
        self.changed.emit()

    def _ended(self, name: str, death: Death) -> None:
        self._deaths[name] = death
        self.write(name, death.sentence, "info" if death.well else "error")
        self.changed.emit()

    # -- what is shown ------------------------------------------------------------------------

    def states(self) -> list[WorkerState]:
        """The window and its workers, as they are now."""
        me = psutil.Process()
        uptime = time.monotonic() - self._begun
        window = WorkerState("window", "running", me.pid, _memory(me.pid), uptime, 0)
        return [window, *map(self._state, self._workers)]

    def _state(self, worker: Worker) -> WorkerState:
        restarts = max(worker.starts - 1, 0)
        if worker.running:
            state = "silent" if worker.is_silent else "running"
            memory = _memory(worker.pid) or worker.memory_mb
            return WorkerState(worker.name, state, worker.pid, memory, worker.uptime, restarts)
        death = self._deaths.get(worker.name)
        state = "not started" if not worker.starts else "ended"
        if death is not None and not death.well:
            state = "failed"
        return WorkerState(worker.name, state, None, None, 0.0, restarts)

    def memory_mb(self) -> float:
        """Resident memory of the window and its workers."""
        return sum(state.memory_mb or 0.0 for state in self.states())

    def versions(self) -> dict[str, str]:
        """Our own, Python's and those of the packages; frameworks are asked for, not imported."""
        found = {"slr_keras": __version__, "Python": platform.python_version()}
        for name, package in PACKAGES.items():
            try:
                found[name] = importlib.metadata.version(package)
            except importlib.metadata.PackageNotFoundError:
                found[name] = "not installed"
        others = {
            f"{name} (of the last run)": version
            for name, version in self._reported.items()
            if found.get(name, version) != version or name not in found
        }
        return found | others

    def system(self) -> dict[str, str]:
        """The machine and how the window is drawn."""
        memory = psutil.virtual_memory()
        return {
            "System": f"{QSysInfo.prettyProductName()}, {platform.machine()}",
            "Processors": str(os.cpu_count() or "unknown"),
            "Memory": f"{memory.total / 2**30:.1f} GB, {memory.available / 2**30:.1f} GB free",
            "Devices": ", ".join(sorted(set(self.devices.values()))) or "not known yet",
        }

    def folders(self) -> dict[str, str]:
        """Where things are, and how much room is left there."""
        return {name: f"{shown(path)}{_room(path)}" for name, path in self._folders.items()}

    def report(self) -> str:
        """Everything above and the last run's settings as one text, without the home folder."""
        parts = [
            f"slr_keras diagnostics, {time.strftime('%Y-%m-%d %H:%M:%S %z')}",
            _table("Versions", self.versions()),
            _table("System", self.system() | {"Kernel": platform.release()}),
            _table("Folders", self.folders()),
            _table("Processes", {s.name: _process(s) for s in self.states()}),
            f"Settings of the last run\n{self._config()}",
            "Log\n" + "\n".join(f"  {entry.line()}" for entry in self.log),
        ]
        return without_home("\n\n".join(parts)) + "\n"

    def _config(self) -> str:
        if not self._run_dir:
            return "  No run was started in this session."
        path = pathlib.Path(self._run_dir, "config.toml")
        try:
            text = path.read_text(encoding="utf-8", errors="replace")
        except OSError as error:
            return f"  {path} cannot be read: {error.strerror}."
        return "\n".join(f"  {line}" for line in text.splitlines())


def sentence(state: WorkerState) -> str:
    """How long a process runs, for people."""
    if state.pid is None:
        return ""
    minutes, seconds = divmod(int(state.uptime), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"


def _process(state: WorkerState) -> str:
    memory = f", {state.memory_mb:.0f} MB" if state.memory_mb else ""
    pid = f", process {state.pid}, up {sentence(state)}" if state.pid else ""
    return f"{state.state}{pid}{memory}, restarted {state.restarts} times"


def _table(title: str, rows: Mapping[str, str]) -> str:
    return "\n".join([title, *(f"  {name}: {value}" for name, value in rows.items())])


def _memory(pid: int | None) -> float | None:
    with contextlib.suppress(psutil.Error):
        if pid:
            return float(psutil.Process(pid).memory_info().rss) / 2**20
    return None


def _room(path: pathlib.Path) -> str:
    there = next((p for p in (path, *path.parents) if p.exists()), path)
    with contextlib.suppress(OSError):
        return f" ({psutil.disk_usage(str(there)).free / 2**30:.1f} GB free)"
    return ""
