"""Two windows on one runs folder.

Both work: each shows all runs, wherever they were started, and each may start runs of its own.
A single run belongs to one program at a time; its ``run.lock`` refuses the second, so nothing is
ever written twice. The second window says that it is not alone, and leaves the saved queue to the
first.
"""

from __future__ import annotations

import pathlib

from PySide6.QtCore import QLockFile


class FolderClaim:
    """A window's claim on a runs folder, held until the window ends, however it ends."""

    def __init__(self, runs_dir: pathlib.Path):
        self._runs_dir = runs_dir
        self._lock = QLockFile(str(runs_dir / ".window.lock"))
        self._lock.setStaleLockTime(0)  # only a dead owner makes it stale, never its age

    def take(self) -> str:
        """Create the folder if need be and claim it; a sentence for the user or nothing."""
        try:
            self._runs_dir.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            return (
                f"The runs folder {self._runs_dir} cannot be created: {error.strerror}. "
                "Start with --runs and a folder that can be written."
            )
        if self._lock.tryLock(0):
            return ""
        if self._lock.error() == QLockFile.LockError.LockFailedError:
            return (
                "Another window is using this runs folder. Both windows show all runs, but a run "
                "can be continued by one of them only, and this window's queue ends with it."
            )
        return (
            f"The runs folder {self._runs_dir} cannot be written. Its runs can be looked at; "
            "to start one, choose another folder with --runs."
        )

    def release(self) -> None:
        """Give the folder back."""
        self._lock.unlock()
