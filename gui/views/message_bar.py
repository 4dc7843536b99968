"""The bar for sentences: it covers nothing, waits for nobody and can be dismissed."""

from __future__ import annotations

from PySide6.QtCore import Qt, QTimer
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton

from .. import theme

SHOWN = 15_000  # milliseconds; what is passed over stays in the log of Diagnostics


class MessageBar(QFrame):
    """Shows the last sentence; one of trouble stays until it is dismissed."""

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("messageBar")
        self._label = QLabel(wordWrap=True)
        self._label.setTextFormat(Qt.TextFormat.PlainText)
        self._label.setTextInteractionFlags(
            Qt.TextInteractionFlag.TextSelectableByMouse
            | Qt.TextInteractionFlag.TextSelectableByKeyboard
        )
        self._label.setAccessibleName("Message")
        button = QPushButton("Dismiss", flat=True)
        button.clicked.connect(self.dismiss)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(14, 6, 8, 6)
        layout.addWidget(self._label, 1)
        layout.addWidget(button)
        self._timer = QTimer(self, singleShot=True, interval=SHOWN)
        self._timer.timeout.connect(self.dismiss)
        self.hide()

    def text(self) -> str:
        """The sentence shown; empty when there is none."""
        return self._label.text() if not self.isHidden() else ""

    def say(self, sentence: str, trouble: bool = False) -> None:
        """Show a sentence; one of no trouble does not take the place of trouble."""
        if not trouble and self.property("trouble") and not self.isHidden():
            sentence = f"{self._label.text().splitlines()[0]}\n{sentence}"
            trouble = True
        self._label.setText(sentence)
        self.setProperty("trouble", trouble)
        theme.repolish(self)
        self.show()
        if trouble:
            self._timer.stop()
        else:
            self._timer.start()

    def dismiss(self) -> None:
        """Take it away."""
        self._timer.stop()
        self.hide()
