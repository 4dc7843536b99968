"""What the attack lab's screen is made of, and where it stands."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Qt
from PySide6.QtWidgets import (
    QButtonGroup,
    QComboBox,
    QFrame,
    QHBoxLayout,
    QLabel,
    QProgressBar,
    QPushButton,
    QSizePolicy,
    QStackedWidget,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from .. import theme
from ..models import pictures
from ..models.lab_parts import SLOTS
from . import no_wheel
from .areas import Column
from .images import MODES
from .lab_many import ManyView
from .lab_path import PathAndSweep
from .lab_settings import AttackPanel
from .lab_slot import SlotRow
from .lab_sources import ImageSource, ModelPicker
from .screen import Screen

STYLE = """
#card { background: palette(base); border: 1px solid palette(mid); border-radius: 6px; }
#badge { background: palette(highlight); color: palette(highlighted-text); border-radius: 9px;
         min-width: 18px; max-width: 18px; min-height: 18px; max-height: 18px; font-weight: 600; }
#lab QScrollArea, #lab QGraphicsView { border: none; background: transparent; }
#lab QToolButton { padding: 4px 8px; }
#verdict { font-size: 11pt; font-weight: 600; }
"""
EMPTY = (
    "Train a model first, or open a .keras file. Then pick an image, drag epsilon, and watch "
    "what the attack does to the prediction."
)


class LabLayout(Screen):
    """The parts of the screen; they do nothing by themselves."""

    def build(self) -> None:
        """Make all parts and lay them out."""
        self.setStyleSheet(STYLE)
        self._make_parts()
        self._lay_out()

    # -- parts --------------------------------------------------------------------------------

    def _make_parts(self) -> None:
        self.pickers = {slot: ModelPicker(slot) for slot in SLOTS}
        self.swap = QToolButton()
        self.swap.setText("⇄")
        self.swap.setFixedSize(40, 26)
        self.swap.setAccessibleName("Swap the models")
        self.swap.setToolTip("Swap the models A and B.")
        self.source, self.attack = ImageSource(), AttackPanel()
        self.as_trained = QPushButton("As in training")
        self.as_trained.setToolTip("Take the attack that model A was trained with.")
        self.notes = QLabel()
        self.notes.setWordWrap(True)
        theme.role(self.notes, "warn")
        self.rows = {slot: SlotRow(slot) for slot in SLOTS}
        self.warnings = QLabel()
        self.warnings.setWordWrap(True)
        theme.role(self.warnings, "warn")
        self.many = ManyView(self.context.lab)
        self._make_bar()
        self._make_charts()
        self._make_status()
        self._make_empty()

    def _make_bar(self) -> None:
        self.modes = QButtonGroup(self)
        self.mode_buttons: dict[str, QToolButton] = {}
        hints = {
            "adversarial": "The attacked image.",
            "clean": "The clean image in the same place: switch to and fro with the key T.",
            "swipe": "Both, with a divider to drag (or the keys , and .).",
            "difference": "How far each value moved, amplified, black where it did not.",
        }
        for mode, text in MODES.items():
            button = QToolButton()
            button.setText(text)
            button.setCheckable(True)
            button.setToolTip(hints[mode])
            self.modes.addButton(button)
            self.mode_buttons[mode] = button
        self.mode_buttons["adversarial"].setChecked(True)
        self.factor = QComboBox()
        self.factor.setAccessibleName("Amplification of the perturbation")
        self.factor.setToolTip(
            "How much the perturbation is amplified; Fit: epsilon fills the range."
        )
        self.factor.addItem("Fit to ε", None)
        for factor in pictures.FACTORS:
            self.factor.addItem(f"{factor} times", float(factor))
        no_wheel.guard(self.factor)
        self.look_at_many = QToolButton()
        self.look_at_many.setText("Many images")
        self.look_at_many.setCheckable(True)
        self.look_at_many.setToolTip("Attack 9 to 25 test images at once (Ctrl+Shift+M).")
        self.pixel = QLabel()
        self.pixel.setMinimumWidth(1)
        theme.role(self.pixel, "muted")
        self.save, self.copy = QPushButton("Save figure…"), QPushButton("Copy as Python")
        self.save.setToolTip("Write the comparison as PNG or SVG.")
        self.copy.setToolTip("Copy a program that runs this attack.")

    def _make_charts(self) -> None:
        self.charts = PathAndSweep()
        self.sweep = QPushButton("Sweep epsilon")
        self.sweep.setToolTip("Attack at a row of radii, from 0 to twice the present epsilon.")

    def _make_status(self) -> None:
        self.status = QLabel()
        theme.role(self.status, "muted")
        self.busy = QProgressBar()
        self.busy.setRange(0, 0)
        self.busy.setTextVisible(False)
        self.busy.setFixedSize(64, 6)
        self.busy.setAccessibleName("The lab is at work")
        self.cancel = QPushButton("Cancel")
        self.cancel.setToolTip("Give up what is being computed.")
        self.trouble = QFrame()
        self.trouble.setObjectName("card")
        self.trouble_text = QLabel()
        self.trouble_text.setWordWrap(True)
        theme.role(self.trouble_text, "bad")
        self.restart = QPushButton("Restart the lab")
        self.trouble_log = QLabel()
        theme.role(self.trouble_log, "muted")
        self.trouble_log.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)

    def _make_empty(self) -> None:
        title, text = QLabel("No model on the bench"), QLabel(EMPTY)
        theme.role(title, "title")
        theme.role(text, "muted")
        self.empty_problem = QLabel()
        theme.role(self.empty_problem, "bad")
        self.empty_newest = QPushButton("Open the newest run")
        self.empty_open = QPushButton("Open a .keras file…")
        self.empty_train = QPushButton("Train a model")
        block = QWidget()
        block.setFixedWidth(470)
        column, buttons = QVBoxLayout(block), QHBoxLayout()
        column.setSpacing(10)
        for label in (title, text, self.empty_problem):
            label.setWordWrap(True)
            label.setAlignment(Qt.AlignmentFlag.AlignCenter)
            column.addWidget(label)
        buttons.addStretch()
        for button in (self.empty_newest, self.empty_open, self.empty_train):
            buttons.addWidget(button)
        buttons.addStretch()
        column.addLayout(buttons)
        self.empty = QWidget()
        row, layout = QHBoxLayout(), QVBoxLayout(self.empty)
        row.addStretch()
        row.addWidget(block)
        row.addStretch()
        layout.addStretch(2)
        layout.addLayout(row)
        layout.addStretch(3)

    # -- layout -------------------------------------------------------------------------------

    def _lay_out(self) -> None:
        self.pages = QStackedWidget()
        self.pages.addWidget(self.empty)
        self.pages.addWidget(self._bench_page())
        layout = QVBoxLayout(self)
        layout.setContentsMargins(12, 10, 12, 10)
        layout.setSpacing(8)
        layout.addLayout(self._top())
        layout.addWidget(self._trouble_card())
        layout.addWidget(self.pages, 1)

    def _top(self) -> QHBoxLayout:
        top = QHBoxLayout()
        top.setSpacing(10)
        top.addWidget(self.pickers["a"])
        top.addWidget(self.swap, 0, Qt.AlignmentFlag.AlignTop)
        top.addWidget(self.pickers["b"])
        state = QVBoxLayout()
        state.setSpacing(4)
        line = QHBoxLayout()
        line.addStretch()
        line.addWidget(self.busy)
        line.addWidget(self.cancel)
        state.addLayout(line)
        state.addWidget(self.status, 0, Qt.AlignmentFlag.AlignRight)
        side = QWidget()
        side.setLayout(state)
        side.setFixedWidth(150)
        state.setContentsMargins(0, 0, 0, 0)
        for widget in (self.busy, self.cancel):  # their place stays when they are hidden
            policy = widget.sizePolicy()
            policy.setRetainSizeWhenHidden(True)
            widget.setSizePolicy(policy)
        top.addWidget(side)
        return top

    def _trouble_card(self) -> QFrame:
        row = QHBoxLayout(self.trouble)
        words = QVBoxLayout()
        words.addWidget(self.trouble_text)
        words.addWidget(self.trouble_log)
        row.addLayout(words, 1)
        row.addWidget(self.restart, 0, Qt.AlignmentFlag.AlignTop)
        return self.trouble

    def _bench_page(self) -> QWidget:
        page = QWidget()
        layout = QHBoxLayout(page)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(10)
        layout.addWidget(self._left())
        layout.addLayout(self._centre(), 1)
        return page

    def _left(self) -> QWidget:
        inner = QWidget()
        column = QVBoxLayout(inner)
        column.setContentsMargins(0, 0, 6, 0)
        column.setSpacing(8)
        along = QHBoxLayout()
        along.addWidget(self.copy, 1)
        along.addWidget(self.save, 1)
        attack = _card("Attack", [self.attack, self.notes])
        below = QHBoxLayout()
        below.addWidget(self.as_trained, 1)
        below.addWidget(self.sweep, 1)
        attack.addLayout(below)
        column.addWidget(_framed(_card("Image", [self.source])))
        column.addWidget(_framed(attack))
        column.addLayout(along)
        column.addStretch()
        area = Column(inner)
        area.setSizePolicy(QSizePolicy.Policy.Maximum, QSizePolicy.Policy.Expanding)
        return area

    def _centre(self) -> QVBoxLayout:
        bar = QHBoxLayout()
        bar.setSpacing(4)
        for button in self.mode_buttons.values():
            bar.addWidget(button)
        bar.addSpacing(6)
        bar.addWidget(self.look_at_many)
        bar.addStretch()
        self.amplify = QLabel("Amplify")
        bar.addWidget(self.amplify)
        bar.addWidget(self.factor)
        one = QWidget()
        column = QVBoxLayout(one)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(8)
        for row in self.rows.values():
            column.addWidget(row, 5)
        column.addWidget(self.warnings)
        column.addWidget(self.pixel)
        column.addWidget(self.charts, 3)
        self.middle = QStackedWidget()
        self.middle.addWidget(one)
        self.middle.addWidget(self.many)
        centre = QVBoxLayout()
        centre.setSpacing(8)
        centre.addLayout(bar)
        centre.addWidget(self.middle, 1)
        return centre


def _card(title: str, widgets: Sequence[QWidget]) -> QVBoxLayout:
    heading, inside = QLabel(title), QVBoxLayout()
    theme.role(heading, "heading")
    inside.setContentsMargins(10, 8, 10, 10)
    inside.setSpacing(6)
    for widget in (heading, *widgets):
        inside.addWidget(widget)
    return inside


def _framed(layout: QVBoxLayout) -> QFrame:
    card = QFrame()
    card.setObjectName("card")
    card.setLayout(layout)
    return card
