"""The line at the window's foot: trainer, attack lab, device and memory."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QSize, Qt, QTimer
from PySide6.QtWidgets import QStatusBar, QToolButton

from .. import theme
from ..presenters.context import Context
from .icons import icon

EVERY = 500  # milliseconds; this timer also lets Python see its signals (Ctrl+C)
TRAINER = {"idle": "muted", "paused": "warn", "pausing": "warn", "stopping": "warn"}
LAB = {"ready": "good", "off": "muted", "silent": "warn", "crashed": "bad"}


class Status(QStatusBar):
    """Each part is a button that leads to the screen it speaks of."""

    def __init__(self, context: Context):
        super().__init__()
        self._context = context
        self.setSizeGripEnabled(False)
        self.trainer = self._part("train", "Trainer")
        self.lab = self._part("lab", "Attack lab")
        self.device = self._part("diagnostics", "Device")
        self.memory = self._part("diagnostics", "Memory of window and workers")
        self._shown: dict[QToolButton, tuple[str, str]] = {}
        self._timer = QTimer(self, interval=EVERY)
        self._timer.timeout.connect(self.refresh)
        self._timer.start()
        context.trainer.changed.connect(self._show_trainer)
        context.lab.changed.connect(self._show_lab)
        self.refresh()

    def _part(self, screen: str, name: str) -> QToolButton:
        button = QToolButton(autoRaise=True)
        button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        button.setIconSize(QSize(12, 12))
        button.setAccessibleName(name)
        button.clicked.connect(lambda: self._context.go_to.emit(screen))
        self.addPermanentWidget(button)
        return button

    def refresh(self) -> None:
        """Read everything anew."""
        self._show_trainer()
        self._show_lab()
        devices = self._context.diagnostics.devices
        device = devices.get("trainer") or devices.get("attack lab") or ""
        self._show(self.device, device, "")
        self.device.setVisible(bool(device))
        self._show(self.memory, f"{self._context.diagnostics.memory_mb():,.0f} MB", "")

    def _show_trainer(self) -> None:
        trainer = self._context.trainer
        colour = "bad" if trainer.silent else TRAINER.get(trainer.state, "good")
        self._show(self.trainer, trainer.status_text, colour)

    def _show_lab(self) -> None:
        lab = self._context.lab
        text = lab.state if lab.state == "off" else lab.state_text.rstrip(".")
        colour = LAB.get(lab.state, "accent")
        self._show(self.lab, f"Attack lab: {text[:1].lower()}{text[1:]}", colour)

    def _show(self, button: QToolButton, text: str, colour: str) -> None:
        shade = getattr(theme.colours(), colour) if colour else ""
        before = self._shown.get(button, ("", ""))
        if before == (text, shade):
            return
        self._shown[button] = (text, shade)
        button.setText(text)
        if shade and shade != before[1]:  # Qt keeps the pictures of each new icon for a while
            button.setIcon(icon("dot", shade, size=12))

    def changeEvent(self, event: QEvent) -> None:
        """Take up the theme's colours."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange and hasattr(self, "_timer"):
            self.refresh()
