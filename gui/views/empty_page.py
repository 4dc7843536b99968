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
        self.why.setFixedWidth(460)
        self.why.setAlignment(Qt.AlignmentFlag.AlignHCenter)
        theme.role(self.why, "muted")
        push = QPushButton(button)
        push.clicked.connect(lambda: do())
        layout = QVBoxLayout(self)
        layout.setSpacing(10)
        layout.addStretch(2)
        for widget in (head, self.why, push):
            layout.addWidget(widget, 0, Qt.AlignmentFlag.AlignHCenter)
        layout.addStretch(3)
