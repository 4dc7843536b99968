"""Saves what a user exports to the file of a dialog, or says why it could not be."""

from __future__ import annotations

import pathlib
from collections.abc import Callable

from PySide6.QtWidgets import QFileDialog, QMessageBox, QWidget

Write = Callable[[pathlib.Path], None]
FIGURES = "PNG image (*.png);;SVG drawing (*.svg)"


def ask(
    parent: QWidget,
    title: str,
    proposal: str,
    kinds: str,
    write: Write,
    say: Callable[[str], object],
) -> None:
    """Ask for a file and write it; a name without a suffix gets that of the chosen kind."""
    chosen, kind = QFileDialog.getSaveFileName(parent, title, proposal, kinds)
    if not chosen:
        return
    path = pathlib.Path(chosen)
    if not path.suffix:
        suffix = ".svg" if "svg" in kind else pathlib.Path(proposal).suffix
        path = path.with_name(path.name + suffix)
    save(parent, path, write, say)


def save(parent: QWidget, path: pathlib.Path, write: Write, say: Callable[[str], object]) -> None:
    """Write a file and say so, or why not."""
    try:
        write(path)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        text = f"{path} could not be saved: {reason.rstrip('.')}. Choose another place or name."
        QMessageBox.warning(parent, "Not saved", text)
    else:
        say(f"Saved {path}.")
