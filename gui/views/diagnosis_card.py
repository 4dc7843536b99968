"""What goes wrong in the run that is charted: each diagnosis, its cause and what helps."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from PySide6.QtCore import QEvent, Qt
from PySide6.QtWidgets import QFrame, QLabel, QVBoxLayout

from slr_keras.protocol.events import Diagnosed

from .. import theme


class DiagnosisCard(QFrame):
    """Hidden while there is nothing to say."""

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("diagnosis")
        self.text = QLabel(wordWrap=True)
        self.text.setAccessibleName("What goes wrong in this run")
        self.text.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(10, 6, 10, 6)
        layout.addWidget(self.text)
        self._told: tuple[Diagnosed, ...] = ()
        self._dress()
        self.hide()

    def show_diagnoses(self, told: Sequence[Diagnosed]) -> None:
        """Show these; hide for none."""
        if tuple(told) == self._told:
            return
        self._told = tuple(told)
        lines = [f"<b>{escape(_upper(one.title))}:</b> {escape(one.message)}" for one in told]
        self.text.setText("<br>".join(lines))
        self.text.setAccessibleDescription(" ".join(one.message for one in told))
        self.setVisible(bool(told))

    def changeEvent(self, event: QEvent) -> None:
        """Take the colours of a new theme."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange:
            self._dress()

    def _dress(self) -> None:
        theme.card(self, theme.colours().warn)


def _upper(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}"
