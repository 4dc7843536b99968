"""The guided tour: a bar at the window's foot that covers nothing and can be left at any time."""

from __future__ import annotations

from PySide6.QtCore import QSettings, Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton, QVBoxLayout

from .. import theme
from ..models.tour import OFFER, STEPS, Step

KEY = "tour/seen"


class Tour(QFrame):
    """Offered at the first start on an empty runs folder.

    Signals:
        go: the screen of the step.
    """

    go = Signal(str)

    def __init__(self, settings: QSettings):
        super().__init__()
        self.setObjectName("messageBar")
        self._settings, self.place = settings, -1  # -1: it is offered
        self._title, self._text = QLabel(), QLabel(wordWrap=True)
        theme.role(self._title, "heading")
        self._text.setAccessibleName("What to do in this step of the tour")
        self.back, self.next, self.away = (QPushButton() for _ in range(3))
        self.back.setText("Back")
        theme.role(self.next, "primary")
        self.back.clicked.connect(lambda: self._step(-1))
        self.next.clicked.connect(lambda: self._step(1))
        self.away.clicked.connect(self.leave)
        words = QVBoxLayout()
        words.setSpacing(2)
        words.addWidget(self._title)
        words.addWidget(self._text)
        row = QHBoxLayout(self)
        row.setContentsMargins(14, 8, 8, 8)
        row.addLayout(words, 1)
        for button in (self.back, self.next, self.away):
            row.addWidget(button)
        self.hide()

    def offer(self) -> None:
        """Ask once whether the user wants it."""
        if not self._settings.value(KEY):
            self.place = -1
            self._show(OFFER)

    def start(self) -> None:
        """Begin with the first step."""
        self._settings.setValue(KEY, "yes")
        self.place = 0
        self._show(STEPS[0])

    def leave(self) -> None:
        """Away with it, for good."""
        self._settings.setValue(KEY, "yes")
        self.hide()

    def _step(self, by: int) -> None:
        if self.place < 0:
            self.start()
        elif self.place + by >= len(STEPS):
            self.leave()
        else:
            self.place = max(0, self.place + by)
            self._show(STEPS[self.place])

    def _show(self, step: Step) -> None:
        offered, last = self.place < 0, self.place == len(STEPS) - 1
        number = "" if offered else f"{self.place + 1} of {len(STEPS)}: "
        self._title.setText(f"{number}{step.title}")
        self._text.setText(step.text)
        self.back.setVisible(self.place > 0)
        self.next.setText("Show me" if offered else "Finish" if last else "Next")
        self.away.setText("No, thanks" if offered else "Leave the tour")
        self.away.setVisible(not last)
        self.show()
        if step.screen:
            self.go.emit(step.screen)
