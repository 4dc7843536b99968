"""The run folder: the truth about a run, readable while it is written."""

from __future__ import annotations

import contextlib
import csv
import dataclasses
import datetime
import errno
import io
import json
import os
import pathlib
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, BinaryIO

import psutil

from slr_keras import config as configs
from slr_keras import texts
from slr_keras.errors import RunError, SettingError, UserError
from slr_keras.protocol import events
from slr_keras.settings import plugins

COLUMNS = [field.name for field in dataclasses.fields(events.EpochEnded)]
PLUGINS = "plugins.json"  # in plugins/, beside the copies
TAIL = 16_384  # bytes of events.jsonl that tell how a run stands
SETTLE = 0.05  # seconds after which, of two that begin at once, the last to write knows it
CLOCK = 5.0  # seconds by which a process's start may seem to move when the clock is set
OF_AN_EPOCH = (
    events.EpochEnded,
    events.CatastrophicOverfitting,
    events.AnalysisMeasured,
    events.Diagnosed,
)
ENDS: dict[type[events.Event], str] = {
    events.RunEnded: "done",
    events.RunStopped: "stopped",
    events.NonFiniteLoss: "failed",
    events.Failed: "failed",
}


@contextlib.contextmanager
def replacing(path: pathlib.Path) -> Iterator[BinaryIO]:
    """A file to write under a temporary name, in the end flushed to disk and renamed."""
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        with open(temporary, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException as error:
        temporary.unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise OSError(error.errno, error.strerror, str(path)) from error
        raise


def write_atomically(path: pathlib.Path, data: bytes) -> None:
    """Replace a file by ``data``: whatever happens, it is the old one or the new one."""
    with replacing(path) as file:
        file.write(data)


class RunFolder:
    """Paths and small files of one run.

    ``config.toml``, ``events.jsonl``, ``history.csv``, ``checkpoints/``, ``best.keras``,
    ``final.keras``, ``curves.png``, ``summary.json``, ``tensorboard/``, ``savedmodel/``,
    ``plugins/`` of a run with own parts; and ``run.lock`` while a trainer works on it.
    """

    def __init__(self, path: str | pathlib.Path):
        self.path = pathlib.Path(path)
        self.pending: list[str] = []
        self.replaced: pathlib.Path | None = None

    def __getitem__(self, name: str) -> pathlib.Path:
        """The path of a file in the folder."""
        return self.path / name

    @classmethod
    def create(cls, config: configs.RunConfig) -> RunFolder:
        """A new folder with the complete configuration in it.

        Raises:
            RunError: it exists and ``overwrite`` is off, or cannot be written.
        """
        path = pathlib.Path(config.run_dir or default_name(config))
        folder = cls(path)
        try:
            if path.exists() and (not path.is_dir() or any(path.iterdir())):
                folder._make_room(config.overwrite)
            (path / "checkpoints").mkdir(parents=True, exist_ok=True)
            folder.configure(config)
            folder.keep_plugins(plugins.needed(config.plugin, config.chosen))
            folder["events.jsonl"].touch()
        except OSError as error:
            folder.discard()
            raise RunError(
                f"cannot write the run folder {path}: {error.strerror}. "
                "Choose another with --run-dir."
            ) from None
        return folder

    def configure(self, config: configs.RunConfig) -> None:
        """Write the complete configuration."""
        write_atomically(self["config.toml"], configs.dumps(config).encode())

    def discard(self) -> None:
        """Undo :meth:`create` for a run that never began: what was there before is back."""
        with contextlib.suppress(OSError):
            if any(self["checkpoints"].iterdir()):
                return
            self["run.lock"].unlink(missing_ok=True)
            self["events.jsonl"].unlink(missing_ok=True)
            self["config.toml"].unlink(missing_ok=True)
            shutil.rmtree(self["plugins"], ignore_errors=True)
            self["checkpoints"].rmdir()
            self.path.rmdir()
            if self.replaced:
                self.replaced.rename(self.path)

    def complete(self) -> bool:
        """Whether nothing is left to do: summary.json is there, and the export if there is one."""
        if not self["summary.json"].exists():
            return False
        return not self.config().train.export or self["savedmodel"].exists()

    # -- whose it is and how it stands --------------------------------------------------------

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the folder for this process: its number and start time are in ``run.lock``.

        Raises:
            RunError: a living process holds it.
        """
        self._refuse_if_held()
        mine = {"pid": os.getpid(), "started": psutil.Process().create_time()}
        try:
            with open(self["run.lock"], "x", encoding="utf-8") as file:
                file.write(json.dumps(mine))
        except FileExistsError:  # left by a crash, or made this moment
            self._refuse_if_held()
            self["run.lock"].write_text(json.dumps(mine), encoding="utf-8")
        time.sleep(SETTLE)
        if self.owner() != os.getpid():
            self._refuse_if_held()
        try:
            yield
        finally:
            if self.owner() == os.getpid():
                self["run.lock"].unlink(missing_ok=True)

    def owner(self) -> int | None:
        """The number of the living process that trains here, if there is one."""
        try:
            lock = texts.from_json(self["run.lock"].read_bytes())
            started = psutil.Process(lock["pid"]).create_time()
            return lock["pid"] if abs(started - lock["started"]) < CLOCK else None
        except (OSError, ValueError, TypeError, KeyError, OverflowError, psutil.Error):
            return None

    def _refuse_if_held(self) -> None:
        owner = self.owner()
        if owner is not None:
            raise RunError(
                f"{self.path} is being trained by process {owner}: wait for it, or stop it first"
            )

    def status(self, readable: bool = False) -> str:
        """How the run stands; reads the end of events.jsonl alone.

        Args:
            readable: config.toml was read just now, and need not be to say so.

        Returns:
            ``new`` (never began), ``running``, ``paused``, ``stopped`` (was asked to), ``failed``
            (non-finite loss, or an error that it could name), ``crashed`` (its process is gone
            without a word), ``done``, or ``damaged`` (no readable config.toml). What is stopped,
            failed or crashed goes on from its last checkpoint with ``--resume``.
        """
        try:
            if not readable:
                configs.read_toml(self["config.toml"])
        except UserError:
            return "damaged"
        last = self._last_event()
        end = ENDS.get(type(last)) if last else None
        if end:
            return end
        if self.owner() is not None:
            return "paused" if isinstance(last, events.Paused) else "running"
        if last is None:
            return "done" if self["summary.json"].exists() else "new"
        return "crashed"

    def _last_event(self) -> events.Event | None:
        """The last event that tells how the run stands."""
        try:
            with open(self["events.jsonl"], "rb") as file:
                size = file.seek(0, os.SEEK_END)
                file.seek(max(0, size - TAIL))
                lines = file.read().splitlines()
                found = _last_telling(lines)
                if found is None and size > TAIL:
                    file.seek(0)
                    found = _last_telling(file.read().splitlines())
                return found
        except OSError:
            return None

    def _make_room(self, overwrite: bool) -> None:
        self._refuse_if_held()
        if not overwrite:
            resume = f", go on with --resume {self.path}" if self["config.toml"].exists() else ""
            raise RunError(
                f"the run folder {self.path} exists{resume}, or replace it with --overwrite"
            )
        if not self.path.is_dir() or not self["config.toml"].exists():
            raise RunError(f"{self.path} is not a run folder and is not overwritten; remove it")
        if pathlib.Path.cwd().is_relative_to(self.path.resolve()):
            raise RunError(f"{self.path} is where you are and is not overwritten; go elsewhere")
        stamp = datetime.datetime.now().strftime("%Y%m%d-%H%M%S-%f")
        self.replaced = self.path.rename(self.path.with_name(f"{self.path.name}.old-{stamp}"))

    @classmethod
    def open(cls, path: str | pathlib.Path) -> RunFolder:
        """An existing run; raises :class:`RunError` if it is none."""
        folder = cls(path)
        if not folder["config.toml"].is_file():
            raise RunError(f"{path} is no run folder: it has no config.toml")
        return folder

    def config(self, changes: Mapping[str, Any] | None = None) -> configs.RunConfig:
        """The configuration the run was started with; ``changes`` win over it.

        Raises:
            RunError: it takes a plug-in that is not loaded: this never loads one by itself.
        """
        table = configs.as_before(configs.read_toml(self["config.toml"]))
        try:
            return configs.load(values=configs.merge(table, changes or {}))
        except SettingError as error:
            missing = self.plugins_missing()
            if missing:
                raise RunError(self._asks_for(missing)) from error
            raise

    # -- plug-ins -----------------------------------------------------------------------------

    def plugin_records(self) -> list[plugins.Record]:
        """The plug-ins that the run was made with, as last agreed to.

        Raises:
            RunError: what the folder says of them is damaged.
        """
        path = self["plugins"] / PLUGINS
        if not path.exists():
            return []
        try:
            return [plugins.Record.read(row) for row in texts.from_json(path.read_bytes())]
        except (OSError, ValueError, TypeError) as error:
            raise RunError(f"{path} is damaged: {error}") from None

    def keep_plugins(self, used: Sequence[plugins.Plugin]) -> None:
        """Copy the source of plug-ins into the folder; nobody ever executes a copy for being there.

        Raises:
            OSError: the disk refused it.
        """
        if not used:
            return
        records = [plugins.Record.of(plugin) for plugin in used]
        for plugin, record in zip(used, records, strict=True):
            self[record.copy].parent.mkdir(parents=True, exist_ok=True)
            write_atomically(self[record.copy], plugin.source)
        rows = [dataclasses.asdict(record) for record in records]
        write_atomically(self["plugins"] / PLUGINS, json.dumps(rows, indent=2).encode())

    def plugins_missing(self) -> list[plugins.Record]:
        """Those that are not loaded in this process, in whatever version."""
        there = plugins.loaded()
        return [record for record in self.plugin_records() if not any(map(record.is_of, there))]

    def plugins_changed(self) -> list[plugins.Record]:
        """Those that are loaded in another version than the run was made with."""
        digests = {plugin.digest for plugin in plugins.loaded()}
        missing = self.plugins_missing()
        return [r for r in self.plugin_records() if r.sha256 not in digests and r not in missing]

    def _asks_for(self, missing: Sequence[plugins.Record]) -> str:
        given = " ".join(f"--plugin {record.name}" for record in missing)
        copies = ", ".join(str(self[record.copy]) for record in missing)
        return f"{self.path} was made with own parts: give {given} (kept as {copies})"

    def use_plugins(self) -> None:
        """Load the plug-ins of a run that goes on, unless the command has named them.

        Raises:
            RunError: one is gone, has changed, or lies in a run folder; naming it agrees to it.
        """
        for record in self.plugins_missing():
            reason = record.obstacle()
            if reason:
                raise RunError(
                    f"{self.path}: {record.name} {reason}. Go on with --plugin and the file that "
                    f"is meant; as it was when the run began it is {self[record.copy]}"
                )
            plugins.use([record.name])

    def agree_to_plugins(self) -> list[str]:
        """Keep the versions that the command named from now on; what changed, a sentence each."""
        changed = self.plugins_changed()
        if changed:
            records = self.plugin_records()
            self.keep_plugins([p for p in plugins.loaded() if any(r.is_of(p) for r in records)])
        return [
            f"goes on with another {record.name} than before, which is {self[record.copy]}"
            for record in changed
        ]

    def append(self, event: events.Event) -> None:
        """Add a line to events.jsonl; kept for the next call when the disk refuses it.

        Raises:
            OSError: the disk refused it.
        """
        self.pending.append(events.encode(event) + "\n")
        with open(self["events.jsonl"], "a+b", buffering=0) as file:
            end, data = file.seek(0, os.SEEK_END), "".join(self.pending).encode()
            if end:
                file.seek(end - 1)
                if file.read(1) != b"\n":  # a line that a crash cut off
                    data = b"\n" + data
            try:
                written = file.write(data)
                if written != len(data):  # a disk that is nearly full takes a part
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            except OSError:
                file.truncate(end)
                raise
        self.pending.clear()

    def epochs(self) -> list[events.EpochEnded]:
        """The epochs in events.jsonl; a line cut off by a crash is passed over."""
        return [event for event in self._told() if isinstance(event, events.EpochEnded)]

    def last_epoch(self) -> events.EpochEnded | None:
        """The last epoch in events.jsonl, looked for from its end."""
        told = self._told(backwards=True)
        return next((event for event in told if isinstance(event, events.EpochEnded)), None)

    def catastrophe(self) -> events.CatastrophicOverfitting | None:
        """Where catastrophic overfitting was told; None if it was not."""
        told = (e for e in self._told() if isinstance(e, events.CatastrophicOverfitting))
        return next(told, None)

    def diagnoses(self) -> list[events.Diagnosed]:
        """What was told to go wrong, in order."""
        return [event for event in self._told() if isinstance(event, events.Diagnosed)]

    def analyses(self) -> list[events.AnalysisMeasured]:
        """What was recorded of analyses, in order."""
        return [event for event in self._told() if isinstance(event, events.AnalysisMeasured)]

    def _told(self, backwards: bool = False) -> Iterator[events.Event | None]:
        lines = self._lines()
        for line in reversed(lines) if backwards else lines:
            with contextlib.suppress(ValueError):
                yield events.decode(line)

    def _lines(self) -> list[str]:
        path = self["events.jsonl"]
        text = path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""
        return text.splitlines()

    def forget_after(self, epoch: int) -> None:
        """Drop what events.jsonl says of later epochs, before they are run again."""
        kept = []
        for line in self._lines():
            try:
                event = events.decode(line)
            except ValueError:
                continue
            if getattr(event, "epoch", 0) <= epoch or not isinstance(event, OF_AN_EPOCH):
                kept.append(line + "\n")
        write_atomically(self["events.jsonl"], "".join(kept).encode())

    def write_history(self) -> None:
        """history.csv from the epochs in events.jsonl."""
        text = io.StringIO()
        writer = csv.DictWriter(text, COLUMNS)
        writer.writeheader()
        writer.writerows(dataclasses.asdict(epoch) for epoch in self.epochs())
        write_atomically(self["history.csv"], text.getvalue().encode())

    def write_summary(self, summary: dict[str, Any]) -> None:
        """summary.json."""
        text = json.dumps(events.finite(summary), indent=2) + "\n"
        write_atomically(self["summary.json"], text.encode())


def _last_telling(lines: list[bytes]) -> events.Event | None:
    for line in reversed(lines):
        try:
            event = events.decode(line)
        except ValueError:
            continue
        if not isinstance(event, (events.Warned, events.CheckpointSaved, type(None))):
            return event
    return None


def _short(path: pathlib.Path) -> str:
    """A name or path in one word: of the network of a run, the run."""
    of_run = path.name in ("best.keras", "final.keras") and path.parent.name
    return path.parent.name if of_run else path.stem


def default_name(config: configs.RunConfig) -> pathlib.Path:
    """``runs/<time>-<method>-<model>-<dataset>``, with a number if that exists."""
    stamp = datetime.datetime.now().strftime("%Y%m%d-%H%M%S")
    words = (config.method.name, config.model.name, config.data.name)
    parts = [_short(pathlib.Path(word)) or "data" for word in words]
    base = pathlib.Path("runs") / "-".join([stamp, *parts])
    path, number = base, 1
    while path.exists():
        number += 1
        path = base.with_name(f"{base.name}-{number}")
    return path
