"""The model a command works on: a run folder, or a ``.keras`` file."""

from __future__ import annotations

import dataclasses
import pathlib
from typing import Any

from slr_keras import config as configs
from slr_keras.errors import RunError, UserError
from slr_keras.run_folder import RunFolder

WHICH = ("best", "final")


@dataclasses.dataclass(frozen=True)
class Target:
    """A model file, the run it comes from (None for a plain file) and its configuration."""

    file: pathlib.Path
    folder: RunFolder | None
    config: configs.RunConfig

    def network(self) -> Any:
        """The classifier network."""
        from slr_keras import saving

        return saving.load_model(self.file)


def newest(path: str) -> str:
    """The best epoch where a run has one, else the final one."""
    return "best" if pathlib.Path(path, "best.keras").exists() else "final"


def find(path: str, which: str, values: dict[str, Any]) -> Target:
    """The model at ``path``; ``values`` are settings that win over those of the run.

    Raises:
        UserError: nothing usable is there.
    """
    file = model_file(path, which)
    if pathlib.Path(path).is_dir():
        folder = RunFolder.open(path)
        return Target(file, folder, folder.config(values))
    if "name" not in values.get("data", {}):
        raise UserError(f"{path} says nothing of its data: give --data.name")
    return Target(file, None, configs.load(values=values))


def model_file(path: str, which: str) -> pathlib.Path:
    """The ``.keras`` file at ``path``, itself one or a run folder.

    Raises:
        UserError: nothing usable is there.
    """
    place = pathlib.Path(path)
    if place.is_dir():
        folder = RunFolder.open(place)
        file = folder[f"{which}.keras"]
        if not file.is_file():
            there = [name for name in WHICH if folder[f"{name}.keras"].is_file()]
            hint = f"it has {' and '.join(there)}" if there else "it has no model yet"
            raise RunError(f"{path} has no {which}.keras: {hint}")
        return file
    if not place.is_file():
        raise UserError(f"no such run folder or model file: {path}")
    if place.suffix != ".keras":
        raise UserError(f"expected a run folder or a .keras file, received {path}")
    return place
