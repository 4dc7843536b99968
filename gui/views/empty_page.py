"""What stands in the place of an empty list: what is so, and a way on."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QLabel, QPushButton, QVBoxLayout, QWidget

from .. import theme


class EmptyPage(QWidget):
    """A title, a sentence and a button."""

    def __init__(self, title: str, sentence: str, button: str, do: Callable[[], None]):
        super().__init__()
        head = QLabel(title)
        theme.role(head, "title")
        self.why = QLabel(sentence)
        self.why.setWordWrap(True)
        self.why.setAlignment(Qt.AlignmentFlag.AlignHCenter)
        theme.role(self.why, "muted")
        push = QPushButton(button)
        push.clicked.connect(lambda: do())
        block = QWidget()
        block.setFixedWidth(460)
        column = QVBoxLayout(block)
        column.setSpacing(10)
        column.addWidget(head, 0, Qt.AlignmentFlag.AlignHCenter)
        column.addWidget(self.why)  # as high as its lines
        column.addWidget(push, 0, Qt.AlignmentFlag.AlignHCenter)
        layout = QVBoxLayout(self)
        layout.addStretch(2)
        layout.addWidget(block, 0, Qt.AlignmentFlag.AlignHCenter)
        layout.addStretch(3)
