"""The settings of the attack in the lab, one row for each that the attack has."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QSignalBlocker, Qt, Signal
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDoubleSpinBox,
    QFormLayout,
    QHBoxLayout,
    QSlider,
    QSpinBox,
    QWidget,
)

from slr_keras.settings import registry
from slr_keras.settings.schema import Setting

from ..models.attack_settings import attack_names, attack_rows, is_distance, slider_end
from ..models.lab import Bench
from . import no_wheel

_LABELS = {"eps": "Epsilon"}
_MOST = 10_000
_MOST_LEVELS = 255_000.0


def label_of(row: Setting) -> str:
    """What stands before a setting's control."""
    return _LABELS.get(row.name, row.name.replace("_", " ").capitalize())


def hint_of(row: Setting) -> str:
    """What a setting means, with its range."""
    text = row.facts.help[:1].upper() + row.facts.help[1:]
    return f"{text} ({row.facts.range})." if row.facts.range else f"{text}."


class LevelBox(QDoubleSpinBox):
    """A distance of pixels, shown in /255 and changed in steps of half a level."""

    def __init__(self, row: Setting, parent: QWidget | None = None):
        super().__init__(parent)
        self.setDecimals(2)
        self.setSingleStep(0.5)
        self.setSuffix(" /255")
        low = 0.01 if row.facts.above is not None else 255 * (row.facts.at_least or 0)
        self.setRange(low, 255 * (row.facts.at_most or _MOST_LEVELS / 255))
        self.setKeyboardTracking(False)

    def textFromValue(self, value: float) -> str:
        """Without zeros at the end: ``8``, ``7.5``."""
        return f"{value:.2f}".rstrip("0").rstrip(".")


class AttackPanel(QWidget):
    """The attack's settings, one row for each that the attack has.

    Signals:
        attack_chosen: another attack, by name.
        changed: name and value of a setting.
        target_chosen: class to reach, None for any other.
        seed_changed: the seed.
    """

    attack_chosen = Signal(str)
    changed = Signal(str, object)
    target_chosen = Signal(object)
    seed_changed = Signal(int)

    def __init__(self, parent: QWidget | None = None):
        super().__init__(parent)
        self.editors: dict[str, QWidget] = {}
        self._name = ""
        self._form = QFormLayout(self)
        self._form.setContentsMargins(0, 0, 0, 0)
        self._form.setVerticalSpacing(6)
        self._form.setLabelAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        self._form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        self.attack, self.target, self.seed = QComboBox(), QComboBox(), QSpinBox()
        self._fixed_row("Attack", self.attack, "How the perturbation is searched.")
        for name in attack_names():
            self.attack.addItem(name.upper(), name)
            about = (registry.get("attacks", name).__doc__ or "").strip().splitlines()[0]
            self.attack.setItemData(self.attack.count() - 1, about, Qt.ItemDataRole.ToolTipRole)
        self.attack.activated.connect(lambda: self.attack_chosen.emit(self.attack.currentData()))
        hint = "Away from the true class, or towards one that you choose."
        self._fixed_row("Target", self.target, hint)
        self.target.activated.connect(lambda: self.target_chosen.emit(self.target.currentData()))
        self._fixed_row("Seed", self.seed, "Fixes the random starts.")
        self.seed.setRange(0, 2**31 - 1)
        self.seed.setKeyboardTracking(False)
        self.seed.valueChanged.connect(self.seed_changed)
        no_wheel.guard(self.attack, self.target, self.seed)

    def _fixed_row(self, label: str, editor: QWidget, hint: str) -> None:
        editor.setAccessibleName(label)
        editor.setToolTip(hint)
        self._form.addRow(label, editor)

    # -- rows of the attack -------------------------------------------------------------------

    def _rebuild(self, name: str) -> None:
        for editor in self.editors.values():
            self._form.removeRow(editor)
        self.editors, self._name = {}, name
        for position, row in enumerate(attack_rows(name), start=1):
            editor = self._editor(row)
            editor.setToolTip(hint_of(row))
            if row.type is bool:
                self._form.insertRow(position, "", editor)
            else:
                self._form.insertRow(position, label_of(row), editor)
            self.editors[row.name] = editor
            no_wheel.guard(editor)

    def _editor(self, row: Setting) -> QWidget:
        if row.name == "eps":
            return EpsilonEditor(row, lambda value: self.changed.emit("eps", value))
        editor = self._plain_editor(row)
        editor.setAccessibleName(label_of(row))
        return editor

    def _plain_editor(self, row: Setting) -> QWidget:
        if row.type is bool:
            check = QCheckBox(label_of(row) + (" start" if row.name == "random" else ""))
            check.toggled.connect(lambda on: self.changed.emit(row.name, on))
            return check
        if row.facts.choices:
            combo = QComboBox()
            for choice in row.facts.choices:
                combo.addItem({"linf": "L∞", "l2": "L2"}.get(choice, choice), choice)
            combo.activated.connect(lambda: self.changed.emit(row.name, combo.currentData()))
            return combo
        if is_distance(row):
            levels = LevelBox(row)
            levels.valueChanged.connect(lambda v: self.changed.emit(row.name, v / 255))
            return levels
        return self._number_box(row)

    def _number_box(self, row: Setting) -> QSpinBox | QDoubleSpinBox:
        low, high = row.facts.at_least or 0, row.facts.at_most or _MOST
        box: QSpinBox | QDoubleSpinBox
        if row.type is int:
            box = QSpinBox()
            box.setRange(int(low), int(high))
        else:
            box = QDoubleSpinBox()
            box.setDecimals(4)
            box.setRange(low, high)
        box.setKeyboardTracking(False)
        box.valueChanged.connect(lambda value: self.changed.emit(row.name, value))
        return box

    # -- what it shows ------------------------------------------------------------------------

    def show_bench(self, bench: Bench) -> None:
        """Bring every control to what the bench holds; emits nothing."""
        if bench.attack_name != self._name:
            self._rebuild(bench.attack_name)
        blockers = [QSignalBlocker(w) for w in (self.attack, self.target, self.seed)]
        self.attack.setCurrentIndex(self.attack.findData(bench.attack_name))
        self._show_targets(bench)
        self.seed.setValue(bench.seed)
        for name, value in bench.values.items():
            _set_value(self.editors[name], value, str(bench.values["norm"]))
        del blockers

    def _show_targets(self, bench: Bench) -> None:
        names = ["Any other class", *bench.class_names()]
        if [self.target.itemText(i) for i in range(self.target.count())] != names:
            self.target.clear()
            for number, name in enumerate(names):
                self.target.addItem(name, None if number == 0 else number - 1)
        self.target.setCurrentIndex(0 if bench.target is None else bench.target + 1)


def _set_value(editor: QWidget, value: object, norm: str) -> None:
    if isinstance(editor, EpsilonEditor):
        return editor.show_value(float(value), norm)  # type: ignore[arg-type]
    blocker = QSignalBlocker(editor)
    if isinstance(editor, QCheckBox):
        editor.setChecked(bool(value))
    elif isinstance(editor, QComboBox):
        editor.setCurrentIndex(editor.findData(value))
    elif isinstance(editor, LevelBox):
        _set_number(editor, 255 * float(value))  # type: ignore[arg-type]
    elif isinstance(editor, (QSpinBox, QDoubleSpinBox)):
        _set_number(editor, value)  # type: ignore[arg-type]
    del blocker
    return None


def _set_number(box: QSpinBox | QDoubleSpinBox, value: float) -> None:
    """Leave a box alone that somebody types in."""
    if not box.lineEdit().isModified() or not box.hasFocus():
        box.setValue(value)  # type: ignore[arg-type]


class EpsilonEditor(QWidget):
    """A slider in half levels and a box for any number."""

    def __init__(self, row: Setting, changed: Callable[[float], object]):
        super().__init__()
        self.slider = QSlider(Qt.Orientation.Horizontal)
        self.slider.setAccessibleName("Epsilon slider")
        self.slider.setPageStep(4)
        self.box = LevelBox(row)
        self.box.setAccessibleName("Epsilon")
        self.box.setFixedWidth(84)
        self.setFocusProxy(self.slider)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.slider, 1)
        layout.addWidget(self.box)
        self.slider.valueChanged.connect(lambda half: changed(half / 510))
        self.box.valueChanged.connect(lambda levels: changed(levels / 255))

    def setToolTip(self, text: str) -> None:
        """On both."""
        self.slider.setToolTip(text)
        self.box.setToolTip(text)

    def show_value(self, eps: float, norm: str) -> None:
        """Bring both to a radius."""
        blockers = [QSignalBlocker(self.slider), QSignalBlocker(self.box)]
        if not self.slider.isSliderDown():
            self.slider.setRange(0, slider_end(norm, eps))
        if self.slider.value() != round(510 * eps):
            self.slider.setValue(round(510 * eps))
        self.box.setMaximum(255.0 if norm == "linf" else _MOST_LEVELS)
        _set_number(self.box, 255 * eps)
        del blockers
