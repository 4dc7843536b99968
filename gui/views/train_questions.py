"""What the Train screen asks before it does what cannot be undone."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QMessageBox, QWidget


def ask_own_parts(parent: QWidget, name: str, answer: Callable[[bool], object]) -> None:
    """Ask whether code of somebody's may be run; once for each version of a file."""
    box = _box(parent, QMessageBox.Icon.Question, "Own parts")
    box.setText(f"Run {name} to learn its settings, and in runs that use it?")
    box.setInformativeText("It is Python code and can do whatever you can. Asked once.")
    run = box.addButton("Run it", QMessageBox.ButtonRole.AcceptRole)
    box.addButton("Leave it", QMessageBox.ButtonRole.RejectRole)
    box.finished.connect(lambda _: answer(box.clickedButton() is run))
    box.open()


def ask_discard(
    parent: QWidget, name: str, discard: Callable[[], object], stop: Callable[[], object]
) -> None:
    """Ask whether a run is to end without a checkpoint, or with one."""
    box = _box(parent, QMessageBox.Icon.Warning, "Discard the run")
    box.setText(f"Discard {name}?")
    box.setInformativeText(
        "It ends now and saves nothing more. What is on disk stays: its epochs and its last "
        "checkpoint. Delete it on the Runs screen if you do not need them."
    )
    away = box.addButton("Discard", QMessageBox.ButtonRole.DestructiveRole)
    away.clicked.connect(lambda: discard())
    keep = box.addButton("Stop and save", QMessageBox.ButtonRole.AcceptRole)
    keep.clicked.connect(lambda: stop())
    box.setDefaultButton(box.addButton(QMessageBox.StandardButton.Cancel))
    box.open()


def _box(parent: QWidget, icon: QMessageBox.Icon, title: str) -> QMessageBox:
    box = QMessageBox(parent)
    box.setIcon(icon)
    box.setWindowTitle(title)
    box.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    return box
