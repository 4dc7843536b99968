"""Two processes that train one model (JAX): the same run as one, and nobody waits for the dead."""

import importlib.util
import os
import pathlib
import signal
import socket
import subprocess
import sys
import time

import numpy as np
import pytest

from slr_keras.config import DistributedSettings, RunConfig
from slr_keras.data import Batches
from slr_keras.errors import SettingError

ROOT = pathlib.Path(__file__).parents[2]
SMALL = {"attack__steps": 2, "method__start_epoch": 1, "train__epochs": 2}
needs_jax = pytest.mark.skipif(not importlib.util.find_spec("jax"), reason="jax is not installed")


def begin(*arguments, cwd=ROOT):
    """A process of the command; its output is read when it has ended."""
    return subprocess.Popen(
        [sys.executable, "-m", "slr_keras.train", *map(str, arguments)],
        env=os.environ | {"KERAS_BACKEND": "jax", "PYTHONPATH": str(ROOT)},
        cwd=cwd,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def meeting(count=2):
    """Flags of each process, to meet at a free port."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        where = f"127.0.0.1:{free.getsockname()[1]}"
    common = ["--distributed.coordinator", where, "--distributed.processes", count]
    return [[*common, "--distributed.process", i] for i in range(count)]


def ended(process, seconds=240):
    """Exit code and stderr; a process that hangs is killed and fails the test."""
    try:
        out, err = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        pytest.fail(f"hangs: {process.communicate()}")
    return process.returncode, out, err


def last_checkpoint(path):
    with np.load(max((path / "checkpoints").glob("*.npz"))) as arrays:
        return dict(arrays)


@needs_jax
def test_two_processes_end_as_one(tmp_path, flags):
    alone = begin(*flags(**SMALL), "--run-dir", tmp_path / "one")
    assert ended(alone)[0] == 0
    pair = [begin(*flags(**SMALL), "--run-dir", tmp_path / "two", *own) for own in meeting()]
    results = [ended(process) for process in pair]
    assert [code for code, *_ in results] == [0, 0], results
    assert results[1] == (0, "", ""), "the second process has nothing to say"
    assert not list(tmp_path.glob("two.*")) and (tmp_path / "two" / "summary.json").exists()
    one, two = last_checkpoint(tmp_path / "one"), last_checkpoint(tmp_path / "two")
    assert one.keys() == two.keys()
    for name, array in one.items():
        np.testing.assert_allclose(two[name], array, rtol=1e-6, atol=1e-6, err_msg=name)


@needs_jax
def test_a_process_that_dies_ends_the_others_and_one_goes_on(tmp_path, flags):
    path = tmp_path / "run"
    long = flags(**SMALL | {"train__epochs": 12})
    first, second = (begin(*long, "--run-dir", path, *own) for own in meeting())
    limit = time.monotonic() + 240
    while not list(path.glob("checkpoints/*.json")) and time.monotonic() < limit:
        time.sleep(0.1)
    second.send_signal(signal.SIGKILL)
    begun = time.monotonic()
    code, _, err = ended(first)
    assert code == 1 and time.monotonic() - begun < 30
    assert err.splitlines()[-1] == "error: another process of the run ended; go on with --resume"
    assert ended(second)[0] == -signal.SIGKILL
    assert ended(begin("--resume", path))[0] == 0
    assert (path / "summary.json").exists()


@needs_jax
def test_processes_that_disagree_are_refused(tmp_path, flags):
    path = tmp_path / "run"
    settings = [SMALL, SMALL | {"seed": 1}]
    pairs = zip(settings, meeting(), strict=True)
    both = [begin(*flags(**own), "--run-dir", path, *meet) for own, meet in pairs]
    for code, _, err in map(ended, both):
        assert code == 2
        assert err.startswith(
            "error: distributed: process 1 and process 0 differ in their settings"
        )
    assert not path.exists()


@needs_jax
def test_processes_that_read_other_data_are_refused(tmp_path, flags, digits):
    x, y = digits
    for i, own in enumerate(("a", "b")):
        (tmp_path / own).mkdir()
        np.savez(tmp_path / own / "set.npz", x_train=x * (1 - i / 2), y_train=y, x_test=x, y_test=y)
    path, here = tmp_path / "run", flags(**SMALL, data__name="set.npz", data__train_samples=0)
    pairs = zip(("a", "b"), meeting(), strict=True)
    both = [begin(*here, "--run-dir", path, *meet, cwd=tmp_path / own) for own, meet in pairs]
    for code, _, err in map(ended, both):
        assert code == 2 and "process 1 and process 0 differ in their data" in err
    assert not path.exists()


@needs_jax
def test_nobody_answers(tmp_path, flags):
    own = meeting()[1]
    process = begin(*flags(), "--run-dir", tmp_path / "run", *own, "--distributed.timeout", 1)
    code, _, err = ended(process)
    assert code == 2 and err.startswith("error: distributed.coordinator: no meeting at 127.0.0.1:")
    assert len(err.splitlines()) == 1 and not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"coordinator": "here"}, "expected HOST:PORT"),
        ({"coordinator": "here:0"}, "expected HOST:PORT"),
        ({"processes": 2}, "expected HOST:PORT"),
        ({"coordinator": "a:1", "processes": 2, "process": 2}, "process: expected 0 to 1"),
        ({"coordinator": "auto", "processes": 2}, "leave processes and process out"),
    ],
)
def test_where_to_meet(given, message):
    with pytest.raises(SettingError, match=message):
        DistributedSettings(**given)


def test_several_processes_use_all_devices():
    with pytest.raises(SettingError, match="leave it out"):
        RunConfig(devices="2", distributed=DistributedSettings(coordinator="auto"))


def test_only_jax_can(job, flags, tmp_path):
    from slr_keras import backend, train

    if backend.name() == "jax":
        pytest.skip("this is JAX")
    path = tmp_path / "run"
    done = job(train.main, *flags(), "--run-dir", path, *meeting()[0])
    assert done.code == 2 and "need KERAS_BACKEND=jax" in done.err and not path.exists()


def test_each_process_makes_its_part_of_a_batch():
    x, y = np.random.default_rng(0).random((10, 4, 4, 1), "float32"), np.arange(10)
    common = {"batch_size": 4, "seed": 0, "shares": 2, "augment": "crop-flip"}
    whole = Batches(x, y, **common)
    parts = [Batches(x, y, part=(i, 2), **common) for i in range(2)]
    for b in range(whole.steps_per_epoch):
        inputs, labels = whole.batch(1, b)
        halves = [part.batch(1, b) for part in parts]
        for key, value in inputs.items():
            np.testing.assert_array_equal(value, np.concatenate([half[0][key] for half in halves]))
        np.testing.assert_array_equal(labels, np.concatenate([half[1] for half in halves]))
    with pytest.raises(ValueError, match="expected a divisor"):
        Batches(x, y, part=(0, 3), **common)
