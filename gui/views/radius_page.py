"""A tab of the Evaluate screen: accuracy against the radius, of attacks and of certificates."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QHBoxLayout, QLabel, QVBoxLayout, QWidget

from .. import theme
from ..models import against
from ..models.against import Fall
from .compare_charts import CurvesChart, Shown, hue
from .legend import Entry, Legend
from .parts import combo, fill

PROVED = (
    "An attack says how much accuracy is left at most. A certificate (dashed) proves how much is "
    "left at least, of the smoothed model."
)


class RadiusPage(QWidget):
    """A chart for each norm that something was measured in; one at a time."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = combo("Norm of the radii")
        self.norm.currentIndexChanged.connect(lambda _: self._draw())
        self.legend = Legend("What is drawn against the radius")
        self.legend.toggled.connect(self._toggle)
        self.chart = CurvesChart()
        self.note = QLabel(PROVED, wordWrap=True)
        theme.role(self.note, "muted")
        self._falls: list[Fall] = []
        self._hidden: set[str] = set()
        row = QHBoxLayout()
        row.addWidget(self.norm)
        row.addWidget(self.legend, 1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 8, 0, 0)
        layout.addLayout(row)
        layout.addWidget(self.chart, 1)
        layout.addWidget(self.note)

    def show_falls(self, falls: list[Fall]) -> None:
        """Draw these lines; the norm that was chosen stays so if one measures in it."""
        self._falls = falls
        names = against.norms(falls)
        fill(self.norm, [(f"in {name}", name) for name in names])
        self.norm.setVisible(len(names) > 1)
        self._draw()

    def _toggle(self, key: str, shown: bool) -> None:
        (self._hidden.discard if shown else self._hidden.add)(key)
        self._draw()

    def _draw(self) -> None:
        norm, colours = self.norm.currentData() or "", theme.colours()
        mine = [fall for fall in self._falls if fall.norm == norm]
        arms = [_shown(number, fall) for number, fall in enumerate(mine)]
        self.legend.show_entries(
            [Entry(a.key, a.label, a.hue, a.dash, a.key not in self._hidden) for a in arms],
            colours,
        )
        self.chart.dress(colours)
        lines = [
            (arm, fall.line)
            for arm, fall in zip(arms, mine, strict=True)
            if arm.key not in self._hidden
        ]
        unit = "epsilon, in /255" if norm == "linf" else f"epsilon, {norm}"
        self.chart.show_over(lines, unit, "Accuracy under attack", " %")
        self.note.setVisible(any(fall.proved for fall in mine))


def _shown(number: int, fall: Fall) -> Shown:
    dash = Qt.PenStyle.DashLine if fall.proved else Qt.PenStyle.SolidLine
    return Shown(fall.key, fall.label, hue(number, theme.colours()), dash)
