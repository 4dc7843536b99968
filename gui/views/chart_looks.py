"""Which accuracies of runs are drawn, and in which colours and dashes."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any

from PySide6.QtCore import Qt
from PySide6.QtGui import QColor

from .. import theme
from ..models.shown import ShownRun, ShownRuns
from .legend import Entry
from .plot_parts import Pen

_SOLID, _DASH = Qt.PenStyle.SolidLine, Qt.PenStyle.DashLine
_DOT, _DASH_DOT = Qt.PenStyle.DotLine, Qt.PenStyle.DashDotLine


@dataclasses.dataclass(frozen=True)
class Series:
    """One of the four accuracies: hue and dash with one run, dash alone with several."""

    key: str
    text: str
    hue: str
    dash: Qt.PenStyle
    dash_of_many: Qt.PenStyle


SERIES = (
    Series("val_robust_accuracy", "Robust, validation", "robust", _SOLID, _SOLID),
    Series("train_robust_accuracy", "Robust, training", "robust", _DASH, _DASH),
    Series("val_accuracy", "Clean, validation", "clean", _SOLID, _DOT),
    Series("train_accuracy", "Clean, training", "clean", _DASH, _DASH_DOT),
)


class Looks:
    """The looks of these runs: one run has a hue for each quantity, several have one each."""

    def __init__(self, runs: ShownRuns):
        self.colours = theme.colours()
        self._runs = runs
        self._hidden_of_one: set[str] = set()
        self._hidden_of_many = {series.key for series in SERIES[1:]}

    @property
    def hidden(self) -> set[str]:
        """Keys of the accuracies that are not drawn."""
        return self._hidden_of_many if self._runs.many else self._hidden_of_one

    @property
    def series(self) -> list[Series]:
        """The accuracies that are drawn."""
        return [series for series in SERIES if series.key not in self.hidden]

    def toggle(self, key: str) -> None:
        """Hide an accuracy, or draw it again."""
        self.hidden.symmetric_difference_update({key})

    def hue(self, run: ShownRun, alone: str = "") -> str:
        """With one run its own, else one for each run; after eight, darker and lighter ones."""
        if not self._runs.many:
            return alone
        turn, place = divmod(run.number, len(self.colours.series))
        colour = QColor(self.colours.series[place])
        return (colour, colour.darker(150), colour.lighter(140))[turn % 3].name()

    def pen(self, run: ShownRun, series: Series) -> Pen:
        """How an accuracy of a run is drawn."""
        dash = series.dash_of_many if self._runs.many else series.dash
        return Pen(self.hue(run, getattr(self.colours, series.hue)), dash=dash)

    def entries(self) -> list[Entry]:
        """The accuracies for a legend."""
        c, many = self.colours, self._runs.many
        return [
            Entry(
                s.key,
                s.text,
                c.muted if many else getattr(c, s.hue),
                s.dash_of_many if many else s.dash,
                s.key not in self.hidden,
            )
            for s in SERIES
        ]

    def entries_of_runs(self, runs: Iterable[ShownRun]) -> list[Entry]:
        """The runs for a legend."""
        return [Entry(run.path, run.label, self.hue(run), shown=not run.hidden) for run in runs]

    def state(self) -> dict[str, Any]:
        """Plain values that restore what is hidden."""
        return {
            "hidden": sorted(self._hidden_of_one),
            "hidden_of_many": sorted(self._hidden_of_many),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """The inverse of ``state``; passes over what it cannot use."""
        known = {series.key for series in SERIES}
        hidden = {"hidden": self._hidden_of_one, "hidden_of_many": self._hidden_of_many}
        for name, keys in hidden.items():
            saved = state.get(name)
            if isinstance(saved, list):
                keys.clear()
                keys.update(known.intersection(map(str, saved)))
