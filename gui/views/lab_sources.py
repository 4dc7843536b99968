"""Where models and image of the attack lab come from."""

from __future__ import annotations

import pathlib
from collections.abc import Sequence

from PySide6.QtCore import QSignalBlocker, Qt, Signal
from PySide6.QtWidgets import (
    QComboBox,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSizePolicy,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from .. import theme
from ..models.lab import Bench
from ..models.lab_parts import SLOTS, WHICH, Slot, Source
from . import no_wheel

OPEN_FILE, NONE, RUNNING = "open-file", "", "running"
_FILES = {"best": "best.keras", "final": "final.keras"}


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
        models = [bench.slots[slot].model for slot in SLOTS]
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
        policy = QSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        policy.setHorizontalStretch(2 if source is None else 3)
        self.setSizePolicy(policy)
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
