"""Fields for what else ``evaluate`` takes, made from the facts of its flags."""

from __future__ import annotations

import shlex

from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QComboBox, QFileDialog, QFormLayout, QLineEdit, QSpinBox, QWidget

from slr_keras.evaluation.flags import FIELDS, Flag

from .no_wheel import guard
from .parts import ChoiceBox, with_button

MOST = 2**31 - 1
FILTERS = {"MODEL": "Keras models (*.keras)", "FILE": "JSON files (*.json)"}


class EvaluateFields(QObject):
    """One field for each of these flags.

    Signals:
        changed: something else is asked for.
    """

    changed = Signal()

    def __init__(self, parent: QWidget):
        super().__init__(parent)
        self._controls = {flag.name: self._control(flag) for flag in FIELDS}
        self._rows = {flag.name: self._row(flag) for flag in FIELDS}

    def add_to(self, form: QFormLayout) -> None:
        """A row for each."""
        for flag in FIELDS:
            form.addRow(flag.label, self._rows[flag.name])
            form.labelForField(self._rows[flag.name]).setBuddy(self._controls[flag.name])

    def show_rows(self, form: QFormLayout, needed: set[str], wanted: bool) -> None:
        """Those that mean something beside what is asked for."""
        for flag in FIELDS:
            shown = wanted and (not flag.needs or flag.needs in needed)
            form.setRowVisible(self._rows[flag.name], shown)

    def given(self, needed: set[str]) -> dict[str, str]:
        """What differs from the command's own choice, by flag."""
        texts = {flag.name: _text(self._controls[flag.name]) for flag in FIELDS}
        return {
            flag.name: texts[flag.name]
            for flag in FIELDS
            if texts[flag.name] not in ("", str(flag.default))
            and (not flag.needs or flag.needs in needed)
        }

    # -- building -----------------------------------------------------------------------------

    def _control(self, flag: Flag) -> QWidget:
        control = self._choices(flag) or self._number(flag) or self._line(flag)
        control.setAccessibleName(flag.label)
        control.setToolTip(f"{flag.help[:1].upper()}{flag.help[1:]}")
        guard(control)
        return control

    def _choices(self, flag: Flag) -> QWidget | None:
        if not flag.choices:
            return None
        box = ChoiceBox()
        box.addItems(list(flag.choices))
        box.setCurrentText(str(flag.default))
        box.currentIndexChanged.connect(lambda _: self.changed.emit())
        return box

    def _number(self, flag: Flag) -> QWidget | None:
        if flag.lowest is None:
            return None
        box = QSpinBox(minimum=flag.lowest, maximum=MOST, value=flag.default)
        box.valueChanged.connect(lambda _: self.changed.emit())
        return box

    def _line(self, flag: Flag) -> QWidget:
        line = QLineEdit(placeholderText=str(flag.default or ""))
        line.textChanged.connect(lambda _: self.changed.emit())
        return line

    def _row(self, flag: Flag) -> QWidget:
        control = self._controls[flag.name]
        if flag.kind not in FILTERS or not isinstance(control, QLineEdit):
            return control
        return with_button(control, lambda: self._choose(flag, control), "Choose a file")

    def _choose(self, flag: Flag, line: QLineEdit) -> None:
        parent, kinds = line.window(), FILTERS[flag.kind]
        if flag.many:
            paths, _ = QFileDialog.getOpenFileNames(parent, flag.label, "", kinds)
        else:
            paths = [QFileDialog.getOpenFileName(parent, flag.label, "", kinds)[0]]
        if any(paths):
            line.setText(shlex.join(paths) if flag.many else paths[0])


def _text(control: QWidget) -> str:
    if isinstance(control, QComboBox):
        return control.currentText()
    if isinstance(control, QSpinBox):
        return str(control.value())
    return control.text().strip() if isinstance(control, QLineEdit) else ""
