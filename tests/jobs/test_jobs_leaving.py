"""A process that has said its last line is gone, whatever threads, iterators and peers it has."""

import concurrent.futures
import os
import pathlib
import signal
import socket
import subprocess
import sys
import time

import pytest

from slr_keras import backend
from tests import processes

ROOT = pathlib.Path(__file__).parents[2]
LIMIT = 5.0  # seconds from the last line to the end
DEVICES = (1,) if backend.name() == "torch" else (1, 2)
ENDS = {"open": 0, "error": 1, "SIGINT": 130, "SIGTERM": 143}
slow = pytest.mark.slow
EVERY = [
    pytest.param(end, count, marks=[slow] if (number + count) % 2 else [], id=f"{end}-{count}")
    for number, end in enumerate(ENDS)
    for count in DEVICES
]


def begin(end, devices, *flags):
    """The program, with both its streams in one."""
    extra = {
        "KERAS_BACKEND": backend.name(),
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "XLA_FLAGS": f"--xla_force_host_platform_device_count={devices}",
    }
    return processes.begin(
        [sys.executable, "-m", "tests.jobs._leaving", *map(str, [end, devices, *flags])],
        cwd=ROOT,
        env=os.environ | extra,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def heard(process, signum=0):
    """Exit code, what was said, and when the last line and the end came.

    With ``signum`` the process gets that signal after its first epoch.
    """
    said, last = [], time.monotonic()
    with process.stdout:
        for line in process.stdout:
            said.append(line)
            last = time.monotonic()
            if signum and "epoch   1/" in line:
                process.send_signal(signum)
                signum = 0
    code = process.wait()
    return code, "".join(said), last, time.monotonic()


@pytest.mark.parametrize(("end", "devices"), EVERY)
def test_a_process_that_has_said_its_last_line_is_gone(end, devices, tmp_path, flags):
    if end.startswith("SIG"):
        words = [*flags(train__epochs=10_000), "--devices", devices, "--run-dir", tmp_path / "run"]
        process = begin("command", devices, *words)
        code, said, last, ended = heard(process, getattr(signal, end))
    else:
        code, said, last, ended = heard(begin(end, devices))
    assert code == ENDS[end], said
    assert ended - last < LIMIT, said
    assert {"open": "trained", "error": "an error inside fit"}.get(end, "state saved") in said


@pytest.mark.skipif(backend.name() != "jax", reason="several processes need JAX")
@pytest.mark.parametrize("devices", [1, pytest.param(2, marks=slow)])
@pytest.mark.parametrize("end", ["whole", pytest.param("SIGINT", marks=slow), "SIGTERM"])
def test_two_processes_are_gone_too(end, devices, tmp_path, flags):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        where = f"127.0.0.1:{free.getsockname()[1]}"
    epochs = {"train__epochs": 2 if end == "whole" else 10_000}
    words = ["command", devices, *flags(**epochs), "--run-dir", tmp_path / "run"]
    meet = ["--distributed.coordinator", where, "--distributed.processes", 2]
    pair = [begin(*words, *meet, "--distributed.process", i) for i in (0, 1)]
    signals = [0 if end == "whole" else getattr(signal, end), 0]
    with concurrent.futures.ThreadPoolExecutor() as listening:
        codes, said, last, ended = zip(*listening.map(heard, pair, signals), strict=True)
    code = 0 if end == "whole" else ENDS[end]
    assert codes == (code, code), said
    assert max(ended) - max(last) < LIMIT, said
