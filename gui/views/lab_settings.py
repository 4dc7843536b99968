"""The left side of the attack lab: which models, which image, which attack."""

from __future__ import annotations

import pathlib
from collections.abc import Callable, Sequence

from PySide6.QtCore import QSignalBlocker, Qt, Signal
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDoubleSpinBox,
    QFormLayout,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSizePolicy,
    QSlider,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from gui import theme
from gui.models import lab as bench_model
from gui.models.lab import WHICH, Bench, Slot, Source
from gui.views import no_wheel
from slr_keras import registry
from slr_keras.schema import Setting

OPEN_FILE, NONE, RUNNING = "open-file", "", "running"
_FILES = {"best": "best.keras", "final": "final.keras"}
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
        for name in bench_model.attack_names():
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
        for position, row in enumerate(bench_model.attack_rows(name), start=1):
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
        if bench_model.is_distance(row):
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
            self.slider.setRange(0, bench_model.slider_end(norm, eps))
        if self.slider.value() != round(510 * eps):
            self.slider.setValue(round(510 * eps))
        self.box.setMaximum(255.0 if norm == "linf" else _MOST_LEVELS)
        _set_number(self.box, 255 * eps)
        del blockers


class ImageSource(QWidget):
    """Where the image comes from.

    Signals:
        picked: origin (``index``, ``random``, ``wrong``) and index.
        open_wanted: choose a file.
    """

    picked = Signal(str, int)
    open_wanted = Signal()

    def __init__(self, parent: QWidget | None = None):
        super().__init__(parent)
        self.index = QSpinBox()
        self.index.setAccessibleName("Number of the test image")
        self.index.setKeyboardTracking(False)
        self.index.valueChanged.connect(lambda index: self.picked.emit("index", index))
        no_wheel.guard(self.index)
        self.random = QPushButton("Random")
        self.random.setToolTip("Take any image of the test set.")
        self.random.clicked.connect(lambda: self.picked.emit("random", 0))
        self.wrong = QPushButton("Only wrong")
        self.wrong.setToolTip("Take a test image that model A gets wrong without any attack.")
        self.wrong.clicked.connect(lambda: self.picked.emit("wrong", 0))
        self.open = QPushButton("Open an image file…")
        self.open.setToolTip("Take an image from disk; or drop one anywhere on this screen.")
        self.open.clicked.connect(self.open_wanted)
        self.about, self.problem = QLabel(), QLabel()
        for label in (self.about, self.problem):
            label.setWordWrap(True)
            label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        theme.role(self.about, "muted")
        theme.role(self.problem, "bad")
        self._lay_out()

    def _lay_out(self) -> None:
        self.index.setPrefix("Test image ")
        self.index.setMinimumWidth(80)
        self.index.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        layout = QGridLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(6)
        layout.addWidget(self.index, 0, 0, 1, 2)
        layout.addWidget(self.random, 1, 0)
        layout.addWidget(self.wrong, 1, 1)
        layout.addWidget(self.open, 2, 0, 1, 2)
        layout.addWidget(self.about, 3, 0, 1, 2)
        layout.addWidget(self.problem, 4, 0, 1, 2)

    def show_bench(self, bench: Bench, usable: bool) -> None:
        """Bring the controls to what the bench holds; emits nothing."""
        models = [bench.slots[slot].model for slot in bench_model.SLOTS]
        count = next((m.test_images for m in models if m is not None), 0)
        image = bench.image
        blocker = QSignalBlocker(self.index)
        self.index.setRange(0, max(count - 1, 0))
        self.index.setSuffix(f"  (0 to {count - 1})" if count else "")
        if image is not None and image.index is not None and not self.index.hasFocus():
            self.index.setValue(image.index)
        del blocker
        for widget in (self.index, self.random, self.wrong):
            widget.setEnabled(usable and count > 0)
        self.open.setEnabled(usable)
        self.about.setText(_about(bench, count))
        self.problem.setText(bench.image_problem)
        self.problem.setVisible(bool(bench.image_problem))


def _about(bench: Bench, count: int) -> str:
    image, model = bench.image, bench.slots["a"].model
    if image is None:
        if model is None or count:
            return ""
        none = model.notice or "This model comes without a test set."
        return f"{none} Open an image file, or drop one here."
    parts = [image.title]
    if image.label is not None and model is not None:
        parts.append(f"class {model.class_name(image.label)}")
    elif image.label is None:
        parts.append("class unknown")
    first = "  ·  ".join(part for part in parts if part)
    return f"{first}\n{image.notice}" if image.notice else first


class SourceBox(QComboBox):
    """A box that says when its list is about to open.

    Signals:
        opening: now is the time to bring the list up to date.
    """

    opening = Signal()

    def showPopup(self) -> None:
        """Say so, then open."""
        self.opening.emit()
        super().showPopup()


class ModelPicker(QWidget):
    """A model for one slot.

    Signals:
        chosen: a :class:`Source`, or None for no model.
        open_wanted: choose a ``.keras`` file.
    """

    chosen = Signal(object)
    open_wanted = Signal()

    def __init__(self, slot: str, parent: QWidget | None = None):
        super().__init__(parent)
        self.slot, self._running = slot, ""
        self.badge = QLabel(slot.upper())
        self.badge.setObjectName("badge")
        self.badge.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.source, self.which = SourceBox(), QComboBox()
        self.source.setAccessibleName(f"Model {slot.upper()}")
        self.source.setToolTip("A run, or a .keras file.")
        self.source.setMinimumWidth(120)
        self.source.setPlaceholderText("Choose a model")
        self.source.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.source.setMaxVisibleItems(20)
        self.which.setAccessibleName(f"Epoch of model {slot.upper()}")
        self.which.setToolTip("Which weights of the run.")
        self.about = QLabel()
        theme.role(self.about, "muted")
        self.about.setMinimumWidth(1)
        self.source.activated.connect(self._source_chosen)
        self.which.activated.connect(self._which_chosen)
        no_wheel.guard(self.source, self.which)
        row = QHBoxLayout()
        row.setSpacing(6)
        row.addWidget(self.badge)
        row.addWidget(self.source, 1)
        row.addWidget(self.which)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2)
        layout.addLayout(row)
        layout.addWidget(self.about)

    def set_runs(self, runs: Sequence[tuple[str, str]], running: str) -> None:
        """The runs there are, as (path, name), newest first, and the path of the one training."""
        chosen = self.source.currentData()
        self._running = running
        self.source.clear()
        if self.slot == "b":
            self.source.addItem("No second model", NONE)
        if running:
            self.source.addItem("Newest weights of the running run", RUNNING)
        for path, name in runs:
            self.source.addItem(name, path)
            self.source.setItemData(self.source.count() - 1, path, Qt.ItemDataRole.ToolTipRole)
        self.source.insertSeparator(self.source.count())
        self.source.addItem("Open a .keras file…", OPEN_FILE)
        self._select(chosen)

    def _select(self, data: object) -> None:
        at = self.source.findData(data) if data is not None else -1
        self.source.setCurrentIndex(at if at >= 0 else (0 if self.slot == "b" else -1))

    def show_slot(self, slot: Slot) -> None:
        """Bring both boxes to what the slot holds; emits nothing."""
        source = slot.source
        if source is None:
            self._select(NONE)
            self.which.hide()
        else:
            if self.source.findData(source.path) < 0:
                place = 1 if self.slot == "b" else 0
                self.source.insertItem(place, pathlib.Path(source.path).name, source.path)
            self._select(source.path)
            self._show_which(source)
        text = slot.model.facts if slot.model else ("Loading…" if slot.loading else "")
        self.about.setText(f"{text}  ·  loading…" if slot.model and slot.loading else text)
        self.about.setToolTip(slot.model.notice if slot.model else "")

    def _show_which(self, source: Source) -> None:
        self.which.clear()
        for which in available(source.path) or [source.which]:
            self.which.addItem(WHICH[which].capitalize(), which)
        if self.which.findData(source.which) < 0:
            self.which.addItem(WHICH.get(source.which, source.which).capitalize(), source.which)
        self.which.setCurrentIndex(self.which.findData(source.which))
        self.which.setVisible(not source.is_file)

    def _source_chosen(self) -> None:
        data = self.source.currentData()
        if data == OPEN_FILE:
            self.open_wanted.emit()
        elif data == RUNNING:
            self.chosen.emit(Source(self._running, "current"))
        elif data == NONE:
            self.chosen.emit(None)
        else:
            self.chosen.emit(best_source(str(data)))

    def _which_chosen(self) -> None:
        path = self.source.currentData()
        self.chosen.emit(Source(str(path), str(self.which.currentData())))


def available(path: str) -> list[str]:
    """Which weights a run folder has."""
    folder = pathlib.Path(path)
    found = [which for which, file in _FILES.items() if (folder / file).is_file()]
    return found + (["current"] if any(folder.glob("checkpoints/*.npz")) else [])


def best_source(path: str) -> Source:
    """The weights that are usually wanted: the best there are, else the newest."""
    which = available(path)
    return Source(path, which[0] if which else "best")
