"""A presenter with a fake lab, and what was asked of it; shared by the tests of the lab."""

from __future__ import annotations

import json
import pathlib
import sys

from gui.presenters.lab import LabPresenter
from slr_keras.protocol import commands

FAKE = str(pathlib.Path(__file__).with_name("fake_lab.py"))


def fake_command(folder: pathlib.Path, latency: float = 0.0) -> list[str]:
    """The command line of a fake lab that keeps its log in a folder."""
    return [
        *(sys.executable, "-u", FAKE, "--latency", str(latency)),
        *("--log", str(folder / "log.jsonl"), "--trouble", str(folder / "trouble.json")),
    ]


def asked(folder: pathlib.Path, name: str = "") -> list[commands.Command]:
    """What the fake lab carried out."""
    log = folder / "log.jsonl"
    lines = log.read_bytes().splitlines() if log.exists() else []
    found = [commands.decode(line) for line in lines]
    return [c for c in found if c is not None and name in ("", c.name)]


def settled(lab: LabPresenter) -> bool:
    """Whether every model on the bench has its result and nothing is on its way."""
    slots = [s for s in lab.bench.slots if lab.bench.slots[s].model]
    return not lab.busy and bool(slots) and all(map(lab.bench.is_current, slots))


class Lab(LabPresenter):
    """A presenter with a fake lab."""

    def __init__(self, folder: pathlib.Path, latency: float = 0.0):
        self.folder = folder
        super().__init__(fake_command(folder, latency))

    def make_trouble(self, **kinds: str) -> None:
        (self.folder / "trouble.json").write_text(json.dumps(kinds))

    def asked(self, name: str = "") -> list[commands.Command]:
        return asked(self.folder, name)

    def settled(self) -> bool:
        return settled(self)
