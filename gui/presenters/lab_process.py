"""The lab's process: its life, and what is said of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from PySide6.QtCore import QObject, Signal

from slr_keras.protocol import events, lab_events

from ..models.death import Death
from ..worker import Worker

SENTENCES = {
    "off": "The attack lab is off.",
    "starting": "Starting…",
    "importing": "Importing TensorFlow…",
    "ready": "Ready",
    "loading": "Loading a model…",
    "compiling": "Compiling the attack…",
    "picking": "Reading an image…",
    "attacking": "Attacking…",
    "attacking_many": "Attacking many images…",
    "sweeping": "Sweeping epsilon…",
    "silent": "The lab does not answer.",
    "crashed": "The lab stopped.",
}


class LabProcess(QObject):
    """Starts and ends the worker; a presenter says what is to come back with a new one.

    Signals:
        changed: something that is shown changed.
        message: a sentence for the bar at the window's foot.
    """

    changed = Signal()
    message = Signal(str)

    def __init__(self, command: Sequence[str], parent: QObject | None = None):
        super().__init__(parent)
        self.command = list(command)
        self.flags: Callable[[], list[str]] = list  # of own parts that it is to know
        self.death: Death | None = None
        self.device = ""
        self._phase = "off"
        self._failure = ""
        self._silent = self._restarting = self._closing = False
        self.worker = Worker("attack lab", self)
        self.worker.silent.connect(self._on_silent)
        self.worker.ended.connect(self._ended)

    def _bring_back(self) -> None:
        """Ask a new worker for what the old one had."""

    def _lost(self) -> None:
        """The worker is gone, and with it what it was asked for."""

    # -- what it shows ------------------------------------------------------------------------

    @property
    def state(self) -> str:
        """``off``, ``starting``, ``importing``, ``ready``, ``loading``, ``attacking``,
        ``silent`` or ``crashed``, among others that the lab names."""
        if self.death is not None:
            return "crashed"
        return "silent" if self._silent else self._phase

    @property
    def state_text(self) -> str:
        """The state as a sentence."""
        if self.state == "ready" and self.device:
            return f"Ready, on {self.device.split('(')[0].strip()}"
        return SENTENCES.get(self.state, f"{self.state.capitalize()}…")

    @property
    def trouble(self) -> str:
        """What happened to a lab that is gone or does not answer; empty while all is well."""
        if self.death is not None:
            reason = self._failure or self.death.sentence
            return f"{reason} Models, image and settings are kept and come back with a restart."
        if self._silent:
            return (
                "The lab has given no sign of life for a while. Wait, or restart it: models, "
                "image and settings come back."
            )
        return ""

    @property
    def usable(self) -> bool:
        """Whether requests are taken."""
        return self.worker.running and not self._restarting and not self._closing

    # -- its life -----------------------------------------------------------------------------

    def start(self) -> None:
        """Start the worker; it imports TensorFlow in the background."""
        if self.worker.running or self._closing:
            return
        self.death, self._failure, self._silent = None, "", False
        self._phase = "starting"
        self.worker.start([*self.command, *self.flags()])
        self._bring_back()
        self.changed.emit()

    def restart(self) -> None:
        """End the worker if it runs, start a new one and bring models and image back."""
        if not self.worker.running:
            return self.start()
        self._restarting = True
        self.worker.kill()
        return None

    def close(self, wait_ms: int = 1000) -> None:
        """End the worker for good; it has nothing to save."""
        self._closing = True
        if not self.worker.close(wait_ms):
            self.worker.kill()

    def _ended(self, death: Death) -> None:
        self._lost()
        self._silent = False
        if self._restarting:
            self._restarting = False
            self.start()
        elif self._closing:
            self._phase = "off"
        else:
            self.death = death
            self.message.emit(f"{self._failure or death.sentence} Restart it in the Attack lab.")
        self.changed.emit()

    def _on_silent(self, silent: bool) -> None:
        self._silent = silent
        self.changed.emit()

    def _hello(self, event: events.Hello) -> None:
        self._phase = "importing"

    def _lab_state(self, event: lab_events.LabState) -> None:
        self._phase = event.state
        self.device = event.device or self.device

    def _failed(self, event: events.Failed) -> None:
        self._failure = event.message
