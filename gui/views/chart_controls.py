"""Smoothing, follow and export: the controls beside the legend."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QLabel, QMenu, QSlider, QToolButton, QWidget

from .no_wheel import guard

WINDOWS = (1, 3, 5, 10, 20, 50)


class ChartControls(QWidget):
    """The controls.

    Signals:
        changed: smoothing or follow.
        data_wanted: export the data.
        figure_wanted: export the figure.
    """

    changed = Signal()
    data_wanted = Signal()
    figure_wanted = Signal()

    def __init__(self, parent: QWidget | None = None):
        super().__init__(parent)
        self.smoothing = QSlider(Qt.Orientation.Horizontal)
        guard(self.smoothing)
        self.smoothing.setRange(0, len(WINDOWS) - 1)
        self.smoothing.setPageStep(1)
        self.smoothing.setFixedWidth(72)
        self.smoothing.setAccessibleName("Smoothing")
        self.smoothing.setToolTip(
            "Draw the mean over the last few evaluations; measured values stay visible, faint."
        )
        self._text = QLabel("Smoothing: off")
        self._text.setFixedWidth(self._text.fontMetrics().horizontalAdvance("Smoothing: off") + 4)
        self._text.setBuddy(self.smoothing)
        self.follow = QToolButton()
        self.follow.setText("Follow")
        self.follow.setCheckable(True)
        self.follow.setChecked(True)
        self.follow.setToolTip(
            "Show all epochs and keep up with new ones. Panning or zooming switches it off."
        )
        self.export = QToolButton()
        self.export.setText("Export")
        self.export.setToolTip("Save the data as a table or the charts as a figure.")
        self.export.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        menu = QMenu(self.export)
        menu.addAction("Data as CSV…", self.data_wanted.emit)
        menu.addAction("Figure as PNG or SVG…", self.figure_wanted.emit)
        self.export.setMenu(menu)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(8)
        for widget in (self._text, self.smoothing, self.follow, self.export):
            row.addWidget(widget)
        self.smoothing.valueChanged.connect(self._smoothing_changed)
        self.follow.toggled.connect(self.changed)

    @property
    def averaged(self) -> int:
        """Over how many evaluations the mean is drawn; 1 is no smoothing."""
        return WINDOWS[self.smoothing.value()]

    def _smoothing_changed(self) -> None:
        self._text.setText(f"Smoothing: {'off' if self.averaged == 1 else self.averaged}")
        self.changed.emit()
