"""Paths as people write them."""

from __future__ import annotations

import pathlib
import re


def shown(path: str | pathlib.Path) -> str:
    """Relative to the working folder where it lies in there, else with ``~`` for the home folder.

    >>> shown(pathlib.Path.cwd() / "runs" / "a").replace("\\\\", "/")
    'runs/a'
    """
    path = pathlib.Path(path)
    if path.is_absolute() and path.is_relative_to(pathlib.Path.cwd()):
        return str(path.relative_to(pathlib.Path.cwd()))
    return without_home(str(path))


def without_home(text: str) -> str:
    """The home folder, which names its owner, becomes ``~`` wherever it stands in the text."""
    home = str(pathlib.Path.home()).rstrip("/\\")
    if len(home) < 3:
        return text
    return re.sub(re.escape(home) + r"(?![\w.-])", "~", text)
