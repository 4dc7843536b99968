"""The tabs of the Compare screen: each has its choices above a chart or a table."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QLabel, QVBoxLayout, QWidget

from slr_keras.studies import tables

from .. import theme
from ..models import comparison
from ..models.comparison import AXES, QUANTITIES, VALIDATION, Arm
from ..models.evaluated import CLEAN
from ..presenters.compare import ComparePresenter
from .compare_charts import ClassChart, CurvesChart, PlaneChart, Shown, hue
from .parts import combo, fill
from .plots import Chart
from .text_table import TextTable

NO_EVALUATION = (
    "None of these runs has been evaluated: see Evaluate, or python -m slr_keras.evaluate."
)


class ComparePage(QWidget):
    """A tab.

    Signals:
        chosen: something else is to be drawn.

    Attributes:
        title: its name.
        chart: what it draws; None if it is a table.
    """

    title = ""
    chosen = Signal()
    chart: Chart | None = None

    def __init__(self, presenter: ComparePresenter):
        super().__init__()
        self.presenter = presenter

    def draw(self) -> None:
        """Show the visible arms."""
        raise NotImplementedError

    def offer(self, attacks: list[str]) -> None:
        """Attacks come and go with the runs."""

    def _lay_out(self, body: QWidget, *choices: tuple[str, QComboBox]) -> QVBoxLayout:
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 8, 0, 0)
        if choices:
            row = QHBoxLayout()
            for text, box in choices:
                label = QLabel(text)
                label.setBuddy(box)
                row.addWidget(label)
                row.addWidget(box)
                box.currentIndexChanged.connect(lambda _: self.chosen.emit())
            row.addStretch(1)
            layout.addLayout(row)
        layout.addWidget(body, 1)
        return layout

    def _shown(self, arm: Arm) -> Shown:
        return Shown(arm.key, arm.label, hue(self.presenter.number(arm), theme.colours()))


class CurvesPage(ComparePage):
    """A quantity over epochs, minutes or passes."""

    title = "Curves"

    def __init__(self, presenter: ComparePresenter):
        super().__init__(presenter)
        self.quantity = combo("Quantity", _pairs(QUANTITIES))
        axes = {name: text.partition(",")[0] for name, text in AXES.items()}
        self.axis = combo("Over", _pairs(axes))
        self.chart = CurvesChart()
        self._lay_out(self.chart, ("Show", self.quantity), ("over", self.axis))

    def draw(self) -> None:
        """A line for each arm."""
        quantity, axis = self.quantity.currentData(), self.axis.currentData()
        line = partial(self.presenter.overlay.line, quantity=quantity, axis=axis)
        lines = [(self._shown(arm), line(arm)) for arm in self.presenter.visible]
        self.chart.show_lines(lines, axis, quantity, QUANTITIES[quantity])


class PlanePage(ComparePage):
    """Clean against robust accuracy."""

    title = "Clean and robust"

    def __init__(self, presenter: ComparePresenter):
        super().__init__(presenter)
        self.under = combo("Robust accuracy under")
        self.chart = PlaneChart()
        self._lay_out(self.chart, ("Robust accuracy under", self.under))

    def offer(self, attacks: list[str]) -> None:
        """The validation attack, and those of evaluations."""
        fill(self.under, [(tables.title(name), name) for name in [VALIDATION, *attacks]])

    def draw(self) -> None:
        """An arrow for each run."""
        attack, evaluated = self.under.currentData() or VALIDATION, self.presenter.evaluated
        arrows = [
            (self._shown(arm), arrow)
            for arm in self.presenter.visible
            for arrow in comparison.arrows(arm, attack, evaluated)
        ]
        self.chart.show_arrows(arrows, tables.title(attack))


class EvaluationPage(ComparePage):
    """The figures of the evaluations, with paired differences."""

    title = "Evaluation"

    def __init__(self, presenter: ComparePresenter):
        super().__init__(presenter)
        self.table = TextTable("Evaluations of the runs")
        self.footing = QLabel(wordWrap=True)
        theme.role(self.footing, "muted")
        self.footing.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self._lay_out(self.table).addWidget(self.footing)

    def draw(self) -> None:
        """A row for each arm and epoch."""
        found = self.presenter.results()
        if not found["runs"]:
            self.table.show_rows([], [])
            self.footing.setText(NO_EVALUATION)
            return
        header, far = comparison.distances(self.presenter.visible, self.presenter.evaluated)
        rows = [partial(_row, part, arm, far[arm]) for arm, part in tables.parts(found).items()]
        self.table.show_rows([*tables.header(found), *header], rows)
        self.footing.setText(tables.footing(found))


class ClassesPage(ComparePage):
    """Accuracy in each class."""

    title = "Classes"

    def __init__(self, presenter: ComparePresenter):
        super().__init__(presenter)
        self.attack = combo("Accuracy under")
        self.chart = ClassChart()
        self._lay_out(self.chart, ("Accuracy in each class under", self.attack))

    def offer(self, attacks: list[str]) -> None:
        """Clean accuracy, and the attacks of evaluations."""
        fill(self.attack, [(tables.title(name), name) for name in [CLEAN, *attacks]])

    def draw(self) -> None:
        """A bar for each arm."""
        attack, evaluated = self.attack.currentData() or CLEAN, self.presenter.evaluated
        visible = self.presenter.visible
        bars = [(self._shown(arm), comparison.by_class(arm, attack, evaluated)) for arm in visible]
        names = comparison.class_names(visible, evaluated)
        title = f"Accuracy in each class, {tables.title(attack)} (best epoch)"
        self.chart.show_bars(bars, names, title)


class SettingsPage(ComparePage):
    """The settings that tell the runs apart."""

    title = "Settings"

    def __init__(self, presenter: ComparePresenter):
        super().__init__(presenter)
        self.table = TextTable("Settings that tell the runs apart")
        self._lay_out(self.table)

    def draw(self) -> None:
        """A row for each setting."""
        header, rows = comparison.settings_table(self.presenter.visible)
        self.table.show_rows(header, [_maker(row) for row in rows])


def _row(part: Any, arm: str, distances: list[str]) -> list[str]:
    return [*tables.row(part, arm), *distances]


def _maker(row: list[str]) -> Callable[[], list[str]]:
    return lambda: row


def _pairs(choices: dict[str, str]) -> list[tuple[str, object]]:
    """(text, name) of choices by their names."""
    return [(text, name) for name, text in choices.items()]
