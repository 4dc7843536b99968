"""A tab of the Evaluate screen: accuracy by kind and severity of natural change, as a heat map."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, Qt
from PySide6.QtGui import QBrush, QColor, QFont
from PySide6.QtWidgets import QLabel, QVBoxLayout, QWidget

from .. import theme
from ..models import changes
from ..models.changes import HeatRow
from ..models.measured import Natural
from .text_table import Texts, TextTable

STRONGEST = 0.5  # share of the accent in the colour of 100 percent; texts stay readable on it
_Index = QModelIndex | QPersistentModelIndex


class Shades(Texts):
    """Texts whose cells are tinted by the share that they show."""

    def __init__(self) -> None:
        super().__init__()
        self.heat: Sequence[HeatRow] = ()

    def data(self, index: _Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """As usual, with a colour, and what a cell says in words."""
        row, column = self.heat[index.row()], index.column() - 1
        share = row.shares[column] if 0 <= column < len(row.shares) else None
        if role == Qt.ItemDataRole.BackgroundRole and share is not None:
            return QBrush(QColor(shade(share)))
        if role == Qt.ItemDataRole.ToolTipRole and share is not None:
            return row.tips[column]
        if role == Qt.ItemDataRole.FontRole and row.whole:
            font = QFont()
            font.setBold(True)
            return font
        return super().data(index, role)


class NaturalPage(QWidget):
    """The table, and its sum in a sentence above."""

    def __init__(self) -> None:
        super().__init__()
        self.words = QLabel(wordWrap=True)
        self.words.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.shades = Shades()
        self.table = TextTable("Accuracy by kind and severity of natural change", self.shades)
        self.table.setAlternatingRowColors(False)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 8, 0, 0)
        layout.addWidget(self.words)
        layout.addWidget(self.table, 1)

    def show_changes(self, found: Natural | None) -> None:
        """Show these."""
        if found is None:
            return
        self.words.setText(changes.sentence(found))
        self.shades.heat = changes.heat(found)
        header = ["change", *map(str, found.severities), "mean"]
        header += ["calibration\nerror"] if found.ece else []
        cells = [functools.partial(_cells, row, bool(found.ece)) for row in self.shades.heat]
        self.table.show_rows(header, cells)


def _cells(row: HeatRow, ece: bool) -> list[str]:
    name = row.name if row.whole else f"   {row.name}"
    figures = [*row.shares, *([row.ece] if ece else [])]
    return [name, *("" if figure is None else f"{100 * figure:.1f}" for figure in figures)]


def shade(share: float) -> str:
    """The colour of an accuracy in [0, 1]: the surface for none, bluish for all."""
    colours = theme.colours()
    return theme.mix(colours.surface, colours.clean, STRONGEST * share)
