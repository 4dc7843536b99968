"""What the lab was asked for and has not answered yet."""

from __future__ import annotations

import dataclasses
import time
from typing import Any, Protocol

from ..models.lab import Bench
from ..models.lab_parts import Slot

Key = Any  # gui.models.lab_parts.Key of one image, gui.models.many.Key of many


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


class Asking(Protocol):
    """A presenter that sends requests to the lab and sees to their answers."""

    bench: Bench

    def request(
        self, command: Any, kind: str, slot: Slot | None = None, key: Key | None = None
    ) -> None:
        """Send a command and remember that its answer is awaited."""

    def waiting(self, kind: str, slot: Slot | None = None) -> Request | None:
        """The request of a kind that is on its way."""

    def hurry(self, running: Request, key: Key | None) -> None:
        """Cancel a request that is outdated, once it has had its time."""

    def settings_changed(self) -> None:
        """Ask for what the bench lacks with the settings as they are now."""
