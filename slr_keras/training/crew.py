"""The processes that train one model together, on one machine or several."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import os
from collections.abc import Mapping
from typing import Any

import numpy as np

from slr_keras import backend
from slr_keras.config import DistributedSettings
from slr_keras.errors import PROCESS_LOST, ProcessLostError, SettingError, UserError
from slr_keras.training.control import Control

JAX = ("JAX_COORDINATOR_ADDRESS", "JAX_NUM_PROCESSES", "JAX_PROCESS_ID")
STOP, PAUSE = -1, -2  # what a process was asked, beside the number of a signal
TORCHRUN = ("MASTER_ADDR", "MASTER_PORT", "WORLD_SIZE", "RANK")


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
        device = None
        if settings.coordinator == "auto":
            settings, device = told_by(os.environ, settings)
        if settings.coordinator == "auto":
            return cls(*backend.join(None, None, None, settings.timeout))
        given = settings.coordinator, settings.processes, settings.process
        return cls(*backend.join(*given, settings.timeout, device))

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

    def agree(self, control: Control, pause: bool) -> tuple[str | None, bool]:
        """Why the run is to leave, and whether to pause: what any process was asked all do."""
        if self.count == 1:
            return control.leaving, pause
        leaving = (control.code or STOP) if control.leaving else 0
        mine = leaving or (PAUSE if pause else 0)
        asked = [int(code) for code in backend.gather(np.int32(mine)) if code]
        ends = [code for code in asked if code != PAUSE]
        if not ends:  # also where a signal came just now: the others learn of it next time
            return None, PAUSE in asked
        if not control.leaving:
            control.follow(ends[0])
        return control.leaving, False

    def waits(self, control: Control) -> bool:
        """Whether a pause goes on; all ask, and it ends for all when it ends for one."""
        mine = control.paused and not control.leaving
        return mine if self.count == 1 else bool(backend.gather(np.int32(mine)).all())

    def end_with(self, code: int) -> None:
        """When the program ends, wait for nobody."""
        if self.count > 1:
            backend.end_with(code)

    def lost(self, error: Exception) -> ProcessLostError | None:
        """What to raise if an error tells that another process is gone."""
        return ProcessLostError(PROCESS_LOST) if self.count > 1 and backend.is_loss(error) else None


def told_by(
    environment: Mapping[str, str], settings: DistributedSettings
) -> tuple[DistributedSettings, int | None]:
    """Where to meet as JAX' own variables or torchrun's say, and the one device to use of several.

    The settings as they are, where there are none of these: JAX itself knows Slurm, Open MPI and
    TPU pods (and takes JAX_COORDINATOR_ADDRESS alone for their address).

    Raises:
        UserError: a variable lacks or makes no sense.
    """
    if environment.keys() & set(JAX[1:]):
        address, processes, process = _read(environment, JAX)
        device = None
    elif environment.keys() & set(TORCHRUN[2:]):
        host, port, processes, process = _read(environment, TORCHRUN)
        # torchrun's agent itself listens at that port
        busy = environment.get("TORCHELASTIC_USE_AGENT_STORE") == "True"
        address = f"{host}:{_number('MASTER_PORT', port) + busy}"
        alone = environment.get("LOCAL_WORLD_SIZE", "1") == "1"
        device = None if alone else _number("LOCAL_RANK", environment.get("LOCAL_RANK", ""))
    else:
        return settings, None
    try:
        return settings.replace(
            coordinator=address,
            processes=_number("the number of processes", processes),
            process=_number("the number of this process", process),
        ), device
    except SettingError as error:
        raise UserError(f"distributed.coordinator auto: the environment's {error}") from None


def _read(environment: Mapping[str, str], names: tuple[str, ...]) -> list[str]:
    lacking = [name for name in names if not environment.get(name)]
    if lacking:
        raise UserError(
            f"distributed.coordinator auto: expected {', '.join(names)} in the environment, "
            f"missing: {', '.join(lacking)}"
        )
    return [environment[name] for name in names]


def _number(what: str, text: str) -> int:
    if not text.isdecimal():
        raise UserError(
            f"distributed.coordinator auto: {what}: expected a number in the environment, "
            f"received {text!r}"
        )
    return int(text)
