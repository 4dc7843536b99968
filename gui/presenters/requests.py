"""What the lab was asked for and has not answered yet."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Iterator
from typing import Any, Protocol

from PySide6.QtCore import QObject, QTimer

from slr_keras.protocol import commands

from ..models.lab import Bench
from ..models.lab_parts import Slot

Key = Any  # gui.models.lab_parts.Key of one image, gui.models.many.Key of many
PATIENCE = 0.3  # seconds that an outdated attack may still take before it is cancelled


@dataclasses.dataclass
class Request:
    """One of them."""

    id: int
    kind: str
    slot: Slot | None = None
    key: Key | None = None
    path: str = ""
    sent: float = dataclasses.field(default_factory=time.monotonic)
    cancelled: bool = False


class Requests:
    """All of them.

    Args:
        send: sends a command; returns its number, 0 where there is no worker.
        again: called when an outdated request has had its time.
        parent: lives as long.
    """

    def __init__(
        self,
        send: Callable[[commands.Command], int],
        again: Callable[[], None],
        parent: QObject,
    ):
        self._send = send
        self._sent: dict[int, Request] = {}
        self._clock = QTimer(parent, singleShot=True)
        self._clock.timeout.connect(again)

    def __len__(self) -> int:
        return len(self._sent)

    def __iter__(self) -> Iterator[Request]:
        return iter([*self._sent.values()])

    def send(
        self,
        command: commands.Command,
        kind: str,
        slot: Slot | None = None,
        key: Key | None = None,
    ) -> None:
        """Send a command and remember that its answer is awaited."""
        number = self._send(command)
        if number:
            path = getattr(command, "path", "")
            self._sent[number] = Request(number, kind, slot, key, path)

    def get(self, number: int) -> Request | None:
        """The request that an event is about; None where it was forgotten."""
        return self._sent.get(number)

    def waiting(self, kind: str, slot: Slot | None = None) -> Request | None:
        """The request of a kind that is on its way."""
        found = (r for r in self._sent.values() if r.kind == kind and r.slot is slot)
        return next(found, None)

    def awaits(self, kind: str) -> bool:
        """Whether one of a kind is on its way, for whichever slot."""
        return any(request.kind == kind for request in self._sent.values())

    def forget(self, number: int) -> Request | None:
        """Its answer is there, or is not wanted any more."""
        request = self._sent.pop(number, None)
        if request is not None and request.slot is not None and request.kind == "attack":
            request.slot.live = None
        return request

    def cancel(self, request: Request) -> None:
        """Give one up."""
        self._send(commands.Cancel(target=request.id))
        self.forget(request.id)

    def hurry(self, running: Request, key: Key | None) -> None:
        """Cancel a request that is outdated, once it has had its time."""
        if running.key == key or running.cancelled:
            return
        left = running.sent + PATIENCE - time.monotonic()
        if left > 0:
            self._clock.start(int(1000 * left) + 1)
            return
        running.cancelled = True
        self._send(commands.Cancel(target=running.id))

    def clear(self) -> None:
        """Forget all: the worker that was asked is gone."""
        self._sent.clear()


class Asking(Protocol):
    """A presenter that sends requests to the lab; its parts see to a kind of them each."""

    bench: Bench
    requests: Requests

    @property
    def usable(self) -> bool:
        """Whether requests are taken."""

    def pick(self, origin: str, index: int = 0, path: str = "") -> None:
        """Take another image."""

    def settings_changed(self) -> None:
        """Ask for what the bench lacks with the settings as they are now."""
