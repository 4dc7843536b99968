"""The images that fell, as small pictures; a double click takes one into the attack lab."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QIcon, QPixmap
from PySide6.QtWidgets import (
    QHBoxLayout,
    QLabel,
    QListView,
    QListWidget,
    QListWidgetItem,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from .. import theme
from ..models import gallery, pictures
from ..models.run_words import count
from .image_view import to_qimage
from .parts import combo, fill

SIDE = 96
NONE = (
    "No adversarial images are kept. Evaluate with “Keep adversarial images”, and those that fell "
    "appear here."
)


class Gallery(QWidget):
    """Pictures with their class and the attack that fooled them.

    Signals:
        attack: the number of an image, to be attacked by hand.
    """

    attack = Signal(int)

    def __init__(self) -> None:
        super().__init__()
        self.fallen = gallery.NOTHING
        self._names: Sequence[str] = ()
        self.which = combo("Attack that fooled the image")
        self.label = combo("True class")
        self.count = QLabel()
        theme.role(self.count, "muted")
        self.open = QPushButton("Attack in lab")
        self.open.setToolTip("Take the chosen image into the attack lab (Return)")
        self.open.clicked.connect(self._open)
        self.list = picture_list("Images that fell", SIDE)
        self.list.itemActivated.connect(lambda _: self._open())
        self.list.currentRowChanged.connect(lambda row: self.open.setEnabled(row >= 0))
        for box in (self.which, self.label):
            box.currentIndexChanged.connect(lambda _: self._draw())
        row = QHBoxLayout()
        for text, box in (("Fooled by", self.which), ("class", self.label)):
            label = QLabel(text)
            label.setBuddy(box)
            row.addWidget(label)
            row.addWidget(box)
        row.addWidget(self.count, 1)
        row.addWidget(self.open)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 8, 0, 0)
        layout.addLayout(row)
        layout.addWidget(self.list, 1)

    def show_images(self, path: str, names: Sequence[str]) -> None:
        """Show the images of a file; ``names`` are those of the classes."""
        fallen = gallery.read(path)
        if fallen is self.fallen and list(names) == list(self._names) and self.which.count():
            return
        self.fallen, self._names = fallen, names
        fill(self.which, [("any attack", ""), *((name, name) for name in fallen.names)])
        classes = sorted({int(label) for label in fallen.labels})
        fill(self.label, [("any", -1), *((self._class(label), label) for label in classes)])
        self._draw()

    def _class(self, label: int) -> str:
        return self._names[label] if label < len(self._names) else str(label)

    def _draw(self) -> None:
        self.list.clear()
        label = self.label.currentData()
        chosen = self.fallen.chosen(
            self.which.currentData() or "", -1 if label is None else int(label)
        )
        for number in chosen[: gallery.MOST]:
            words = self._class(int(self.fallen.labels[number]))
            image = pictures.to_bytes(self.fallen.images[number])
            item = QListWidgetItem(QIcon(enlarged(image, SIDE)), words)
            item.setData(Qt.ItemDataRole.UserRole, number)
            item.setToolTip(f"Image {number}, {words}, fooled by {self.fallen.attacks[number]}")
            self.list.addItem(item)
        more = f", {gallery.MOST} shown" if len(chosen) > gallery.MOST else ""
        none = self.fallen.problem or ("" if len(self.fallen.images) else NONE)
        self.count.setText(none or f"{count(len(chosen), 'image')} fell{more}")
        self.count.setWordWrap(bool(none))
        self.open.setEnabled(False)

    def _open(self) -> None:
        item = self.list.currentItem()
        if item is not None:
            self.attack.emit(item.data(Qt.ItemDataRole.UserRole))


def picture_list(name: str, side: int) -> QListWidget:
    """A list of small pictures with a word below each, in rows as wide as the place."""
    made = QListWidget()
    made.setAccessibleName(name)
    made.setViewMode(QListView.ViewMode.IconMode)
    made.setResizeMode(QListView.ResizeMode.Adjust)
    made.setMovement(QListView.Movement.Static)
    made.setUniformItemSizes(True)
    made.setIconSize(QSize(side, side))
    made.setSpacing(6)
    return made


def enlarged(picture: np.ndarray, side: int) -> QPixmap:
    """A picture (H, W, 3) uint8 with pixels as squares, as large as the place for it."""
    mode = Qt.AspectRatioMode.KeepAspectRatio
    return QPixmap.fromImage(to_qimage(picture).scaled(side, side, mode))
