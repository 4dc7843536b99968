"""Many images under one attack, a grid for each model; a double click takes one to the bench."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
from PySide6.QtCore import QEvent, QObject, QSize, Qt, Signal
from PySide6.QtGui import QColor, QIcon, QPainter, QPen
from PySide6.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QLabel,
    QListWidgetItem,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from .. import theme
from ..models import many, pictures
from ..models.lab_parts import SLOTS, Model
from ..models.many import TONES, Outcome, Tile
from ..presenters.lab import LabPresenter
from .gallery import enlarged, picture_list
from .parts import combo

SIDE = 160  # pixels of a picture; shown smaller where the place is
LEAST, WORDS = 40, 26  # a picture's least side, and the height of the word below it
EMPTY = "There are no test images for this model, and many are taken from there."


class ManyView(QWidget):
    """Both models' grids and what is chosen for both.

    Signals:
        wanted: the number of a test image that shall be looked at alone.
    """

    wanted = Signal(int)

    def __init__(self, lab: LabPresenter):
        super().__init__()
        self.lab = lab
        self.count = combo("How many images", [(f"{n} images", n) for n in many.COUNTS])
        self.count.currentIndexChanged.connect(lambda _: lab.many.take(self.count.currentData()))
        self.others = QPushButton("Other images")
        self.others.setToolTip("Draw other images of the test set")
        self.others.clicked.connect(lab.many.draw)
        self.hint = QLabel("Red: fooled. Green: resists. Yellow: wrong without any attack.")
        theme.role(self.hint, "muted")
        self.grids = {slot: ManyGrid(slot) for slot in SLOTS}
        bar, grids, layout = QHBoxLayout(), QHBoxLayout(), QVBoxLayout(self)
        for widget in (self.count, self.others):
            bar.addWidget(widget)
        bar.addWidget(self.hint, 1)
        for grid in self.grids.values():
            grid.wanted.connect(self.wanted)
            grids.addWidget(grid, 1)
        grids.setSpacing(8)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addLayout(bar)
        layout.addLayout(grids, 1)

    def show_bench(self, mode: str) -> None:
        """Draw what is known; ``mode`` is how clean and adversarial are compared."""
        found = self.count.findData(self.lab.many.count)
        if found != self.count.currentIndex():
            self.count.blockSignals(True)
            self.count.setCurrentIndex(found)
            self.count.blockSignals(False)
        for slot, grid in self.grids.items():
            place = self.lab.bench.slots[slot]
            grid.setVisible(place.source is not None)
            grid.show_outcome(place.model, self.lab.many.outcome(slot), mode)


@dataclasses.dataclass(frozen=True)
class State:
    """What a tile's picture depends on."""

    tile: Tile
    mode: str
    current: bool
    colours: theme.Colours


class ManyGrid(QFrame):
    """The images of one model.

    Signals:
        wanted: the number of a test image.
    """

    wanted = Signal(int)

    def __init__(self, slot: str):
        super().__init__()
        self.setObjectName("card")
        badge = QLabel(slot.upper())
        badge.setObjectName("badge")
        badge.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.summary = QLabel()
        self.summary.setObjectName("verdict")
        self.summary.setWordWrap(True)
        self.list = picture_list(f"Attacked images, model {slot.upper()}", SIDE)
        self.list.itemActivated.connect(
            lambda item: self.wanted.emit(item.data(Qt.ItemDataRole.UserRole))
        )
        self.list.setSpacing(0)
        self.list.viewport().installEventFilter(self)
        self._shown: list[State] = []
        head, layout = QHBoxLayout(), QVBoxLayout(self)
        head.addWidget(badge)
        head.addWidget(self.summary, 1)
        layout.addLayout(head)
        layout.addWidget(self.list, 1)

    def show_outcome(self, model: Model | None, outcome: Outcome | None, mode: str) -> None:
        """The tiles in the order of their places; only what changed is drawn anew."""
        if model is None or outcome is None:
            self.summary.setText(EMPTY if model is not None and not model.test_images else "")
            outcome = None
        else:
            self.summary.setText(outcome.summary())
        tiles = [] if outcome is None else [outcome.tiles[i] for i in sorted(outcome.tiles)]
        wanted = [
            State(t, mode, outcome is not None and t.key == outcome.key, theme.colours())
            for t in tiles
        ]
        if [s.tile.index for s in wanted] != [s.tile.index for s in self._shown]:
            self.list.clear()
            self._shown = []
        for row, state in enumerate(wanted):
            if row >= len(self._shown):
                self.list.addItem(QListWidgetItem())
            elif state == self._shown[row]:
                continue
            if model is not None:
                _draw(self.list.item(row), model, state)
        if len(wanted) != len(self._shown):
            self._fit()
        self._shown = wanted

    def eventFilter(self, _: QObject, event: QEvent) -> bool:
        """As many rows as columns, as large as the place allows."""
        if event.type() == QEvent.Type.Resize:
            self._fit()
        return False

    def _fit(self) -> None:
        columns = math.isqrt(max(1, self.list.count() - 1)) + 1
        bar = self.list.verticalScrollBar().sizeHint().width()
        place = self.list.contentsRect()  # a scroll bar may come and go, its place is left free
        wide, high = (place.width() - bar) // columns, (place.height() - 4) // columns
        side = max(LEAST, min(wide - 12, high - WORDS, SIDE))
        self.list.setIconSize(QSize(side, side))
        self.list.setGridSize(QSize(max(wide - 1, side + 8), side + WORDS))


def _draw(item: QListWidgetItem, model: Model, state: State) -> None:
    """Picture, words and the colour of what came of it."""
    tile = state.tile
    picture = enlarged(_picture(tile, state.mode), SIDE)
    painter = QPainter(picture)
    if not state.current:
        painter.fillRect(picture.rect(), QColor(128, 128, 128, 140))
    colour = getattr(state.colours, TONES[tile.verdict])
    painter.setPen(QPen(QColor(colour), 12))
    painter.drawRect(picture.rect())
    painter.end()
    item.setIcon(QIcon(picture))
    item.setText(tile.words(model))
    item.setToolTip(tile.sentence(model))
    item.setData(Qt.ItemDataRole.AccessibleTextRole, tile.sentence(model))
    item.setData(Qt.ItemDataRole.UserRole, tile.index)


def _picture(tile: Tile, mode: str) -> np.ndarray:
    if mode == "difference":
        factor = 1 / max(pictures.largest_change(tile.adversarial - tile.clean), 1e-6)
        return pictures.difference(tile.adversarial, tile.clean, factor)
    return pictures.to_bytes(tile.clean if mode == "clean" else tile.adversarial)
