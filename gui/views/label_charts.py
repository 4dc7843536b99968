"""The charts of the Labels screen: the data map, and class to class."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import Signal

from .. import theme
from ..models.label_history import History
from .plots import Chart


class MapChart(Chart):
    """Samples by the mean and the spread over epochs of what is left to their given class.

    Signals:
        chosen: a sample that was clicked.
    """

    chosen = Signal(int)

    def __init__(self) -> None:
        super().__init__("Data map", bottom=pg.AxisItem("bottom"))
        self.setAccessibleName("Data map")
        self.x_label = "variability over the epochs (standard deviation)"
        self.titles = ("Mean probability of the given class against its variability", "Data map")
        for side in ("left", "bottom"):
            self.plotItem.getAxis(side).enableAutoSIPrefix(False)
        self._dots = pg.ScatterPlotItem(size=5, pen=None)
        self._dots.sigClicked.connect(self._clicked_dots)
        self.addItem(self._dots)

    def show_samples(self, found: History) -> None:
        """Draw; samples whose label was changed on purpose have another colour."""
        mean, spread = found.cartography
        c = theme.colours()
        kinds = [pg.mkBrush(c.clean + "80"), pg.mkBrush(c.bad)]
        brushes = [kinds[int(wrong)] for wrong in found.wrong]
        self._dots.setData(spread, mean, brush=brushes, data=np.arange(len(found)))
        self.setXRange(0, max(0.05, float(spread.max())) * 1.05, padding=0)
        self.setYRange(max(0.0, float(mean.min()) - 0.03), 1.03, padding=0)

    def _clicked_dots(self, _: object, points: Any) -> None:
        if len(points):
            self.chosen.emit(int(points[0].data()))


class MatrixChart(Chart):
    """Class to class: the mean refined distribution of each given class."""

    def __init__(self) -> None:
        super().__init__("Class to class", bottom=pg.AxisItem("bottom"))
        self.setAccessibleName("Class to class")
        self.x_label = "refined to"
        self.titles = ("Where the labels of each given class (rows) went", "Class to class")
        self._image = pg.ImageItem(axisOrder="row-major")
        self.addItem(self._image)
        self._texts: list[pg.TextItem] = []
        self.plotItem.getAxis("left").setWidth(80)
        self.view.invertY(True)
        self.view.setMouseEnabled(x=False, y=False)

    def dress(self, colours: theme.Colours, pen_scale: float = 1.0) -> None:
        """Without lines through the figures."""
        super().dress(colours, pen_scale)
        self.plotItem.showGrid(x=False, y=False)

    def show_table(self, found: History) -> None:
        """Draw; the diagonal is what stays, so colours follow what leaves it."""
        table = np.nan_to_num(found.softening)
        classes = len(table)
        leaves = table * (1 - np.eye(classes, dtype="float32"))
        c = theme.colours()
        colours = pg.ColorMap([0.0, 1.0], [c.surface, c.robust])
        self._image.setLookupTable(colours.getLookupTable(0, 1, 256))
        self._image.setImage(leaves, levels=(0, max(1e-3, float(leaves.max()))))
        names = [list(enumerate(found.name(k) for k in range(classes)))]
        shifted = [[(k + 0.5, name) for k, name in names[0]]]
        for side in ("left", "bottom"):
            self.plotItem.getAxis(side).setTicks(shifted if classes <= 12 else None)
        for text in self._texts:
            self.removeItem(text)
        self._texts = []
        for row, column in np.ndindex(*table.shape) if classes <= 12 else ():
            text = pg.TextItem(f"{100 * table[row, column]:.0f}", color=c.text, anchor=(0.5, 0.5))
            text.setPos(column + 0.5, row + 0.5)
            self.addItem(text)
            self._texts.append(text)
        self.setXRange(0, classes, padding=0)
        self.setYRange(0, classes, padding=0)
