"""The processes that train one model together, on one machine or several."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
from typing import Any

import numpy as np

from slr_keras import backend
from slr_keras.config import DistributedSettings
from slr_keras.errors import PROCESS_LOST, ProcessLostError, UserError
from slr_keras.training.control import Control


@dataclasses.dataclass(frozen=True)
class Crew:
    """``count`` processes of which this is number ``index``; the usual run is a crew of one.

    Only the first writes the run folder; all compute the same in the same order.
    """

    count: int = 1
    index: int = 0

    @classmethod
    def join(cls, settings: DistributedSettings) -> Crew:
        """Meet the others, before the framework touches a device.

        Raises:
            UserError: another backend than JAX, or nobody answers.
        """
        if not settings.coordinator:
            return cls()
        if backend.name() != "jax":
            raise UserError(
                f"distributed.coordinator: several processes need KERAS_BACKEND=jax, "
                f"this is {backend.name()}"
            )
        if settings.coordinator == "auto":
            return cls(*backend.join(None, None, None, settings.timeout))
        given = settings.coordinator, settings.processes, settings.process
        return cls(*backend.join(*given, settings.timeout))

    @property
    def first(self) -> bool:
        """Whether this is the process that writes."""
        return self.index == 0

    def alone(self) -> Any:
        """Variables made in this context belong to this process alone."""
        return backend.alone() if self.count > 1 else contextlib.nullcontext()

    def part(self) -> None:
        """Wait for the end of all."""
        if self.count > 1:
            backend.part()

    def require_equal(self, what: str, text: str, hint: str) -> None:
        """Compare a text between the processes.

        Raises:
            UserError: it is not the same in all of them; every process raises it.
        """
        if self.count == 1:
            return
        digest = np.frombuffer(hashlib.sha256(text.encode()).digest(), np.uint8)
        found = backend.gather(digest.astype("int32"))
        others = [str(i) for i, row in enumerate(found) if (row != found[0]).any()]
        if others:
            numbers = (
                f"process {others[0]}" if len(others) == 1 else f"processes {'; '.join(others)}"
            )
            raise UserError(f"distributed: {numbers} and process 0 differ in {what}: {hint}")

    def leaving(self, control: Control) -> str | None:
        """Why the run is to leave, once every process knows that one of them was asked to."""
        if self.count == 1:
            return control.leaving
        mine = (control.code or -1) if control.leaving else 0
        asked = [int(code) for code in backend.gather(np.int32(mine)) if code]
        if not asked:
            return None  # also where a signal came just now: the others learn of it next time
        if not control.leaving:
            control.follow(asked[0])
        return control.leaving

    def end_with(self, code: int) -> None:
        """When the program ends, wait for nobody."""
        if self.count > 1:
            backend.end_with(code)

    def lost(self, error: Exception) -> ProcessLostError | None:
        """What to raise if an error tells that another process is gone."""
        return ProcessLostError(PROCESS_LOST) if self.count > 1 and backend.is_loss(error) else None
