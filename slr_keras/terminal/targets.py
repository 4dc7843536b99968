"""The model a command works on: a run folder, a ``.keras`` file, or ``shelf:NAME``."""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Sequence
from typing import Any

from slr_keras import config as configs
from slr_keras.errors import RunError, UserError
from slr_keras.run_folder import RunFolder
from slr_keras.shelves import PREFIX, Shelf, config_of

WHICH = ("best", "final")


@dataclasses.dataclass(frozen=True)
class Target:
    """A model file, the run it comes from (None for a plain file) and its configuration.

    Attributes:
        home: the folder where results about it go by default.
    """

    file: pathlib.Path
    folder: RunFolder | None
    config: configs.RunConfig
    home: pathlib.Path = pathlib.Path()

    def network(self) -> Any:
        """The classifier network."""
        from slr_keras import saving

        return saving.load_model(self.file)


def newest(path: str) -> str:
    """The best epoch where a run has one, else the final one; on a shelf the one it has."""
    if path.startswith(PREFIX):
        return Shelf().entry(path).which
    return "best" if pathlib.Path(path, "best.keras").exists() else "final"


def find(path: str, which: str, values: dict[str, Any]) -> Target:
    """The model at ``path``; ``values`` are settings that win over those of the run.

    Raises:
        UserError: nothing usable is there.
    """
    file = model_file(path, which)
    if path.startswith(PREFIX):
        return Target(file, None, config_of(Shelf().entry(path), values))
    if pathlib.Path(path).is_dir():
        folder = RunFolder.open(path)
        return Target(file, folder, folder.config(values), folder.path)
    if "name" not in values.get("data", {}):
        raise UserError(f"{path} says nothing of its data: give --data.name")
    return Target(file, None, configs.load(values=values), file.parent)


def says_its_data(path: str) -> bool:
    """Whether a model comes with the data set it was trained on."""
    return path.startswith(PREFIX) or pathlib.Path(path).is_dir()


def model_file(path: str, which: str) -> pathlib.Path:
    """The ``.keras`` file at ``path``: itself one, of a run folder, or verified from a shelf.

    Raises:
        UserError: nothing usable is there.
    """
    if path.startswith(PREFIX):
        return Shelf().file(path, which)
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


def networks_of(paths: Sequence[str], which: str | None = None, of: str = "logits") -> Any:
    """The network at a path; of several paths their ensemble.

    Args:
        paths: run folders, ``.keras`` files or ``shelf:NAME``.
        which: ``"best"`` or ``"final"``; None takes the best where there is one.
        of: the mean, see :func:`slr_keras.ensembles.ensemble`.

    Raises:
        UserError: nothing usable at a path, or networks that do not fit each other.
    """
    from slr_keras import ensembles, saving

    files = [model_file(path, which or newest(path)) for path in paths]
    nets = [saving.load_model(file) for file in files]
    if len(nets) == 1:
        return nets[0]
    try:
        return ensembles.ensemble(nets, of)
    except UserError as error:
        raise UserError(f"{', '.join(paths)}: {error}") from None
