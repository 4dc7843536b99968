"""The configurations to start from: the defaults, and the presets of the package."""

from __future__ import annotations

import dataclasses
import pathlib

from slr_keras import config as configs
from slr_keras.config import RunConfig


@dataclasses.dataclass(frozen=True)
class Preset:
    """A configuration to start from; ``name`` is empty for the defaults."""

    name: str
    title: str
    description: str


def presets() -> list[Preset]:
    """The defaults, then the presets of the package with what their files say of them."""
    run = RunConfig()
    text = f"{run.method.name} on {run.data.name} with {run.model.name}, {run.train.epochs} epochs"
    found = [Preset("", "Default settings", f"Trains {text}.")]
    for name in configs.preset_names():
        title, description = _comment(configs.PRESETS / f"{name}.toml")
        found.append(Preset(name, title or name, description))
    return found


def _comment(path: pathlib.Path) -> tuple[str, str]:
    """Title and text of the comment at the head of a preset."""
    lines = []
    for line in path.read_text(encoding="utf-8").splitlines():
        if not line.startswith("#"):
            break
        lines.append(line.removeprefix("#").strip())
    return (lines[0], "\n".join(lines[1:]).strip()) if lines else ("", "")
