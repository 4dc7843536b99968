"""The head of the form: presets, and the settings as a file or a command."""

from __future__ import annotations

import pathlib
from collections.abc import Callable

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import (
    QComboBox,
    QFileDialog,
    QGridLayout,
    QLabel,
    QMenu,
    QToolButton,
    QWidget,
)

from slr_keras.errors import UserError

from .. import theme
from ..models.form import Form
from ..models.presets import Preset, presets
from .no_wheel import guard

TOML_FILTER = "TOML files (*.toml);;All files (*)"


class PresetBar(QWidget):
    """The list of presets with what the chosen one is for, and a menu of what else fills a form.

    Signals:
        message: a sentence for the window's foot.
    """

    message = Signal(str)

    def __init__(self, form: Form):
        super().__init__()
        self.form = form
        self.presets = QComboBox()
        self.presets.setAccessibleName("Preset")
        self.presets.setMinimumContentsLength(12)
        for preset in presets():
            self.presets.addItem(preset.title, preset)
            tip = f"{preset.title}\n\n{preset.description}"
            self.presets.setItemData(self.presets.count() - 1, tip, Qt.ItemDataRole.ToolTipRole)
        self.presets.addItem("Settings of your own", None)
        self.presets.activated.connect(self._preset_chosen)
        guard(self.presets)
        self.description = QLabel(wordWrap=True)
        theme.role(self.description, "muted")
        self.menu = QToolButton()
        self.menu.setText("More")
        self.menu.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self.menu.setAccessibleName("More: import, export, copy, reset")
        self.menu.setMenu(self._more())
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        label = QLabel("Preset")
        label.setBuddy(self.presets)
        grid.addWidget(label, 0, 0)
        grid.addWidget(self.presets, 0, 1)
        grid.addWidget(self.menu, 0, 2)
        grid.addWidget(self.description, 1, 0, 1, 3)
        grid.setColumnStretch(1, 1)

    def _more(self) -> QMenu:
        menu = QMenu(self)
        menu.addAction("Import TOML…", self.import_toml)
        menu.addAction("Export TOML…", self.export_toml)
        menu.addAction("Copy as command", self.copy_command)
        menu.addSeparator()
        menu.addAction("Reset all settings", self.form.reset)
        return menu

    def refresh(self) -> None:
        """Show the preset that the form holds."""
        edited = self.form.edited
        index = self.presets.count() - 1
        for candidate in range(index):
            name = self.presets.itemData(candidate).name
            if name == self.form.preset and (name or not edited):
                index = candidate
        self.presets.setCurrentIndex(index)
        preset = self.presets.itemData(index)
        text = _short(preset) if preset else ""
        self.description.setText(f"With changes. {text}" if edited and preset else text)
        self.description.setToolTip(preset.description if preset else "")
        self.description.setVisible(bool(preset))

    def _preset_chosen(self, index: int) -> None:
        preset = self.presets.itemData(index)
        if preset is None:
            self.refresh()
        else:
            self.form.load_preset(preset.name)

    def choose_preset(self) -> None:
        """Open the list of presets."""
        self.presets.setFocus()
        self.presets.showPopup()

    def import_toml(self) -> None:
        """Ask for a TOML file and show its settings."""
        path, _ = QFileDialog.getOpenFileName(self, "Import settings", "", TOML_FILTER)
        if path:
            self.load(lambda: self.form.load_toml(pathlib.Path(path)), f"Settings of {path}.")

    def load(self, load: Callable[[], None], said: str) -> None:
        """Load something into the form and say so, or say why not."""
        try:
            load()
        except UserError as error:
            self.message.emit(f"The settings could not be read: {error}")
        else:
            self.message.emit(said)

    def export_toml(self) -> None:
        """Ask for a file name and write the settings there."""
        try:
            text = self.form.toml()
        except UserError as error:
            self.message.emit(f"Nothing was exported, {error}.")
            return
        path, _ = QFileDialog.getSaveFileName(self, "Export settings", "run.toml", TOML_FILTER)
        if not path:
            return
        try:
            pathlib.Path(path).write_text(text, encoding="utf-8")
        except OSError as error:
            self.message.emit(f"{path} could not be written: {error.strerror}.")
        else:
            self.message.emit(f"Settings written to {path}.")

    def copy_command(self) -> None:
        """Put the command that starts this run on the clipboard."""
        if errors := self.form.errors():
            self.message.emit(f"Nothing was copied, a setting is wrong: {errors[0]}")
            return
        QGuiApplication.clipboard().setText(self.form.command())
        self.message.emit("Command copied.")


def _short(preset: Preset) -> str:
    """The first paragraph of a preset's description that says what it is for."""
    text = " ".join(preset.description.replace("`", "").split())
    return text if len(text) <= 160 else f"{text[:157].rsplit(' ', 1)[0]} …"
