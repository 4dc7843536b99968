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
from typing import Any

from slr_keras import config as configs
from slr_keras import events
from slr_keras.errors import RunError

COLUMNS = [field.name for field in dataclasses.fields(events.EpochEnded)]


def write_atomically(path: pathlib.Path, data: bytes) -> None:
    """Write a file under a temporary name, flush it to disk and rename it."""
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        with open(temporary, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise OSError(error.errno, error.strerror, str(path)) from error


class RunFolder:
    """Paths and small files of one run.

    ``config.toml``, ``events.jsonl``, ``history.csv``, ``checkpoints/``, ``best.keras``,
    ``final.keras``, ``curves.png``, ``summary.json``, ``tensorboard/``, ``savedmodel/``.
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
            write_atomically(folder["config.toml"], configs.dumps(config).encode())
            folder["events.jsonl"].touch()
        except OSError as error:
            folder.discard()
            raise RunError(
                f"cannot write the run folder {path}: {error.strerror}. "
                "Choose another with --run-dir."
            ) from None
        return folder

    def discard(self) -> None:
        """Undo :meth:`create` for a run that never began: what was there before is back."""
        with contextlib.suppress(OSError):
            self["events.jsonl"].unlink(missing_ok=True)
            self["config.toml"].unlink(missing_ok=True)
            self["checkpoints"].rmdir()
            self.path.rmdir()
            if self.replaced:
                self.replaced.rename(self.path)

    def complete(self) -> bool:
        """Whether nothing is left to do: summary.json is there, and the export if there is one."""
        if not self["summary.json"].exists():
            return False
        return not self.config().train.export or self["savedmodel"].exists()

    def _make_room(self, overwrite: bool) -> None:
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

    def config(self) -> configs.RunConfig:
        """The configuration the run was started with."""
        return configs.load(file=self["config.toml"])

    def append(self, event: events.Event) -> None:
        """Add a line to events.jsonl; kept for the next call when the disk refuses it.

        Raises:
            OSError: the disk refused it.
        """
        self.pending.append(events.encode(event) + "\n")
        with open(self["events.jsonl"], "ab", buffering=0) as file:
            end, data = file.seek(0, os.SEEK_END), "".join(self.pending).encode()
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
        found = []
        for line in self._lines():
            try:
                event = events.decode(line)
            except ValueError:
                continue
            if isinstance(event, events.EpochEnded):
                found.append(event)
        return found

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
            if getattr(event, "epoch", 0) <= epoch or not isinstance(event, events.EpochEnded):
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


def default_name(config: configs.RunConfig) -> pathlib.Path:
    """``runs/<time>-<method>-<model>-<dataset>``, with a number if that exists."""
    stamp = datetime.datetime.now().strftime("%Y%m%d-%H%M%S")
    words = (config.method.name, config.model.name, config.data.name)
    parts = [pathlib.Path(word).stem or "data" for word in words]
    base = pathlib.Path("runs") / "-".join([stamp, *parts])
    path, number = base, 1
    while path.exists():
        number += 1
        path = base.with_name(f"{base.name}-{number}")
    return path
