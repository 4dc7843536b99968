"""The system's trash: run folders go in and come back, and undo remembers which."""

from __future__ import annotations

import os
import pathlib
import shutil
from collections.abc import Sequence
from typing import Protocol

from PySide6.QtCore import QFile, QStandardPaths
from PySide6.QtGui import QUndoCommand

from ..models.run_words import count

Moved = tuple[pathlib.Path, pathlib.Path]  # from where, to where in the trash


class Trashing(Protocol):
    """A presenter that carries out what undo and redo ask of it."""

    def put_back(self, moved: Sequence[Moved]) -> list[Moved]:
        """Bring runs back from the trash; returns those that are back."""

    def trash_again(self, paths: Sequence[pathlib.Path]) -> list[Moved]:
        """Move runs to the trash that were brought back before."""


class Trashed(QUndoCommand):
    """Runs that were moved to the trash."""

    def __init__(self, presenter: Trashing, moved: list[Moved]):
        super().__init__(f"moving {called(moved)} to the trash")
        self._presenter, self._moved = presenter, moved
        self._done = True  # the stack begins with redo; the first time it is done already

    def redo(self) -> None:
        """Move them there again."""
        if not self._done:
            self._moved = self._presenter.trash_again([old for old, _ in self._moved])
            self.setObsolete(not self._moved)
        self._done = True

    def undo(self) -> None:
        """Bring them back."""
        self._moved = self._presenter.put_back(self._moved)
        self._done = False
        self.setObsolete(not self._moved)


def called(moved: Sequence[Moved]) -> str:
    """One run by its folder's name, several by their number."""
    return moved[0][0].name if len(moved) == 1 else count(len(moved), "run")


def move_to_trash(path: pathlib.Path) -> tuple[pathlib.Path | None, str]:
    """Where a folder is in the trash now; None and the reason when it could not be moved."""
    home = QStandardPaths.writableLocation(QStandardPaths.StandardLocation.GenericDataLocation)
    try:
        os.makedirs(home, exist_ok=True)  # Qt makes the trash, not the folder it lies in
    except OSError as error:
        return None, str(error.strerror)
    if not path.exists():
        return None, "it is not there any more"
    file = QFile(str(path))
    if not file.moveToTrash():
        return None, "the system has no trash for this disk, or does not permit it"
    return pathlib.Path(file.fileName()), ""


def restore(old: pathlib.Path, place: pathlib.Path) -> str:
    """Move a folder back from the trash; a sentence when it cannot be done."""
    if old.exists():
        return f"{old.name} stays in the trash: there is another {old} by now."
    if not place.exists():
        return f"{old.name} is not in the trash any more."
    try:
        old.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(place, old)
    except OSError as error:
        return f"{old.name} could not be brought back from {place}: {error.strerror}."
    # the note that freedesktop.org's trash keeps of where a file came from
    info = place.parent.parent / "info" / f"{place.name}.trashinfo"
    if place.parent.name == "files":
        info.unlink(missing_ok=True)
    return ""
