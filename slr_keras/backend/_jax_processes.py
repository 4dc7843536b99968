"""JAX in several processes: they meet at an address, compute together and notice who is lost."""

from __future__ import annotations

import atexit
import contextlib
import ctypes
import functools
import os
import signal
import socket
import sys
import tempfile
from collections.abc import Iterator
from typing import Any

import jax
import numpy as np
from jax.experimental import multihost_utils

from slr_keras.errors import PROCESS_LOST, UserError

HEARTBEAT = 15  # seconds without a sign of life after which a process counts as lost
LONGEST_END = 24 * 3600  # seconds that the others wait while the first tests and writes
UNTOLD = (
    "the environment does not tell where to meet: set JAX_COORDINATOR_ADDRESS, JAX_NUM_PROCESSES "
    "and JAX_PROCESS_ID, or give HOST:PORT of process 0, processes and process"
)
_LOSS = ("Gloo", "NCCL", "oordination", "heartbeat", "UNAVAILABLE", "DEADLINE_EXCEEDED")
_kept: list[Any] = []  # the handler that C holds


def join(
    address: str | None,
    processes: int | None,
    process: int | None,
    seconds: int,
    device: int | None = None,
) -> tuple[int, int]:
    """Meet the other processes; returns their number and this one's. Before any computation.

    Args:
        address: ``HOST:PORT`` of process 0; None finds all three in the environment.
        processes, process: how many, and which one this is.
        seconds: how long to wait for the others.
        device: the one GPU of this machine to use; None uses all.

    Raises:
        UserError: nobody answers, or the environment tells nothing.
    """
    where = address or "the address in the environment"
    missed = f"distributed.coordinator: no meeting at {where} within {seconds} seconds"
    abort = _on_abort(missed, 2)
    end_with(2)
    jax.config.update("jax_cpu_collectives_implementation", "gloo")
    try:
        jax.distributed.initialize(
            address,
            processes,
            process,
            device,
            initialization_timeout=seconds,
            heartbeat_timeout_seconds=HEARTBEAT,
            shutdown_timeout_seconds=LONGEST_END,
        )
        _listen_where_the_others_reach()
        with _without_stdout():
            gather(0)  # opens the connections between the processes, of which gloo tells
    except (ValueError, TypeError, KeyError) as error:  # a cluster's variables make no sense
        told = UNTOLD if "defined" in str(error) else f"{type(error).__name__}: {error}"
        raise UserError(f"distributed.coordinator auto: {told}") from None
    except RuntimeError as error:
        reason = "" if "DEADLINE" in str(error) else f" ({str(error).splitlines()[0]})"
        raise UserError(missed + reason) from None
    abort["sentence"], abort["code"] = PROCESS_LOST, 1
    end_with(1)
    if jax.local_device_count() * jax.process_count() != jax.device_count():
        raise UserError("distributed: every process needs the same number of devices")
    return jax.process_count(), jax.process_index()


def _listen_where_the_others_reach() -> None:
    """Have gloo listen at this machine's address on the way to process 0.

    By itself it takes the one of the machine's own name, which most Linux distributions set to
    127.0.0.1 or 127.0.1.1: no other machine reaches that. JAX has no setting for it.
    """
    from jax._src import distributed, xla_bridge
    from jax._src.lib import _jax

    state = distributed.global_state
    host, _, port = str(state.coordinator_address).rpartition(":")
    family, _, _, _, where = socket.getaddrinfo(host.strip("[]"), port, type=socket.SOCK_DGRAM)[0]
    with socket.socket(family, socket.SOCK_DGRAM) as way:  # nothing is sent
        way.connect(where)
        address = way.getsockname()[0]
    collectives = _jax.make_gloo_tcp_collectives(state.client, hostname=address)
    make = functools.partial(xla_bridge.make_cpu_client, collectives=collectives)
    xla_bridge.register_backend_factory("cpu", make, priority=0, fail_quietly=False)


@contextlib.contextmanager
def _without_stdout() -> Iterator[None]:
    sys.stdout.flush()
    kept, nowhere = os.dup(1), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    try:
        yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)
        os.close(nowhere)


def _on_abort(sentence: str, code: int) -> dict[str, Any]:
    """End with a sentence where JAX would abort, from a thread of its own, when one is lost.

    What native libraries write on stderr goes to a file, and is shown if it tells something else.
    """
    end: dict[str, Any] = {"sentence": sentence, "code": code}
    sys.stderr.flush()
    shown = os.dup(2)
    sys.stderr = os.fdopen(os.dup(2), "w", buffering=1)
    chatter = tempfile.TemporaryFile()  # noqa: SIM115 - as long as the process
    os.dup2(chatter.fileno(), 2)

    def handler(_: int) -> None:
        chatter.seek(0)
        said = chatter.read()
        known = b"distributed service" in said or b"oordination" in said
        os.write(shown, f"error: {end['sentence']}\n".encode() if known else said)
        os._exit(end["code"])

    _kept[:] = [ctypes.CFUNCTYPE(None, ctypes.c_int)(handler), chatter]
    libc = ctypes.CDLL(None)
    libc.signal.argtypes = [ctypes.c_int, ctypes.c_void_p]
    libc.signal(signal.SIGABRT, ctypes.cast(_kept[0], ctypes.c_void_p))
    return end


def part() -> None:
    """Wait until every process has come to its end, then let go of them."""
    jax.distributed.shutdown()


def end_with(code: int) -> None:
    """When the program ends, end at once and wait for nobody: the others notice."""
    atexit.unregister(_end)
    atexit.register(_end, code)


def _end(code: int) -> None:
    if jax.distributed.is_initialized():
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def gather(value: Any) -> np.ndarray:
    """The values of all processes, in a row."""
    return np.asarray(multihost_utils.process_allgather(np.asarray(value)))


def is_loss(error: BaseException | None) -> bool:
    """Whether an error, or one it was raised on top of, says that another process is gone."""
    while error is not None:
        if not isinstance(error, UserError) and any(word in str(error) for word in _LOSS):
            return True
        error = error.__cause__ or error.__context__
    return False


@contextlib.contextmanager
def alone() -> Iterator[None]:
    """Variables made in it belong to this process alone."""
    from slr_keras.backend import keras

    before = keras.distribution.distribution()
    keras.distribution.set_distribution(None)
    try:
        yield
    finally:
        keras.distribution.set_distribution(before)
