"""Two processes that train one model (JAX): the same run as one, and nobody waits for the dead."""

import importlib.util
import os
import pathlib
import signal
import socket
import sys
import time

import numpy as np
import pytest

from slr_keras.config import DistributedSettings, RunConfig
from slr_keras.data import Batches
from slr_keras.errors import SettingError, UserError
from slr_keras.protocol import commands, events
from slr_keras.run_folder import RunFolder
from slr_keras.training.crew import JAX, TORCHRUN, told_by
from tests import processes

ROOT = pathlib.Path(__file__).parents[2]
SMALL = {"attack__steps": 2, "method__start_epoch": 1, "train__epochs": 6}
BY_TORCHRUN = dict(zip(TORCHRUN, ("a", "7", "3", "2"), strict=True)) | {
    "TORCHELASTIC_USE_AGENT_STORE": "True"
}
needs_jax = pytest.mark.skipif(not importlib.util.find_spec("jax"), reason="jax is not installed")


def begin(*arguments, cwd=ROOT, **environment):
    """A process of the command; its output is read when it has ended."""
    environment = {"KERAS_BACKEND": "jax", "PYTHONPATH": str(ROOT)} | environment
    return processes.begin(
        [sys.executable, "-m", "slr_keras.train", *map(str, arguments)],
        env=os.environ | environment,
        cwd=cwd,
        text=True,
        **processes.PIPES,
    )


def meeting(count=2):
    """Flags of each process, to meet at a free port."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        where = f"127.0.0.1:{free.getsockname()[1]}"
    common = ["--distributed.coordinator", where, "--distributed.processes", count]
    return [[*common, "--distributed.process", i] for i in range(count)]


def begin_as_told(names, *arguments, **environment):
    """Two processes that find each other by variables of the environment."""
    (_, where, *_), _ = meeting()
    host, port = where.split(":")
    known = {"JAX_COORDINATOR_ADDRESS": where, "MASTER_ADDR": host, "MASTER_PORT": port}
    own = [
        {"JAX_NUM_PROCESSES": "2", "WORLD_SIZE": "2", "JAX_PROCESS_ID": i, "RANK": i} for i in "01"
    ]
    return [
        begin(
            *arguments,
            "--distributed.coordinator",
            "auto",
            **{name: (known | one)[name] for name in names},
            **environment,
        )
        for one in own
    ]


def ended(process):
    """Exit code, stdout and stderr."""
    out, err = process.communicate()
    return process.returncode, out, err


def last_checkpoint(path):
    with np.load(max((path / "checkpoints").glob("*.npz"))) as arrays:
        return dict(arrays)


def assert_equal_ends(path, other):
    one, two = last_checkpoint(path), last_checkpoint(other)
    assert one.keys() == two.keys()
    for name, array in one.items():
        np.testing.assert_allclose(two[name], array, rtol=1e-6, atol=1e-6, err_msg=name)


def wait_for_epoch(path, epoch, seconds=240):
    """Until the checkpoint after an epoch is there."""
    limit = time.monotonic() + seconds
    while not list(path.glob(f"checkpoints/{epoch + 1:06d}-*.json")):
        assert time.monotonic() < limit, f"no checkpoint in {seconds} seconds"
        time.sleep(0.02)


@pytest.fixture(scope="module")
def alone(tmp_path_factory, flags):
    """The run in one process on one device; read-only."""
    path = tmp_path_factory.mktemp("runs") / "alone"
    code, _, err = ended(begin(*flags(**SMALL), "--run-dir", path))
    assert code == 0, err
    return path


@needs_jax
def test_two_processes_end_as_one(tmp_path, flags, alone):
    path = tmp_path / "two"
    pair = begin_as_told(TORCHRUN, *flags(**SMALL), "--run-dir", path)
    results = [ended(process) for process in pair]
    assert [code for code, *_ in results] == [0, 0], results
    assert results[1] == (0, "", ""), "the second process has nothing to say"
    assert not list(tmp_path.glob("two.*")) and (path / "summary.json").exists()
    assert_equal_ends(alone, path)


@needs_jax
def test_one_device_then_four_of_two_processes_then_one_again(tmp_path, flags, alone):
    path, two = tmp_path / "run", {"XLA_FLAGS": "--xla_force_host_platform_device_count=2"}
    single = begin(*flags(**SMALL), "--run-dir", path)
    wait_for_epoch(path, 1)
    single.send_signal(signal.SIGTERM)
    assert ended(single)[0] == 143
    pair = begin_as_told(JAX, "--resume", path, **two)
    wait_for_epoch(path, 3)
    pair[1].send_signal(signal.SIGTERM)  # one is asked, both leave
    assert [ended(process)[0] for process in pair] == [143, 143]
    assert ended(begin("--resume", path))[0] == 0
    told = (path / "events.jsonl").read_text()
    assert told.count('"device": "4 x CPU"') == 1 and told.count('"device": "CPU"') == 2
    assert_equal_ends(alone, path)


@needs_jax
def test_a_window_pauses_all(tmp_path, flags):
    path, own = tmp_path / "run", meeting()
    first = begin(*flags(**SMALL), "--run-dir", path, *own[0], "--progress", "json")
    second = begin(*flags(**SMALL), "--run-dir", path, *own[1])
    wait_for_epoch(path, 1)
    paused, continued = (
        until(first, name, ask)
        for name, ask in (("paused", commands.Pause(1)), ("continued", commands.Resume(2)))
    )
    assert (paused.epoch, paused.batch) == (continued.epoch, continued.batch)
    assert second.poll() is None
    until(first, "paused", commands.Pause(3))
    second.send_signal(signal.SIGTERM)  # also while they wait
    assert [ended(process)[0] for process in (second, first)] == [143, 143]
    assert RunFolder(path).status() == "stopped"


def until(process, name, command):
    """Send a command and read what comes until an event of this name."""
    process.stdin.write(commands.encode(command) + "\n")
    process.stdin.flush()
    for line in process.stdout:
        event = events.decode(line)
        if event is not None and event.name == name:
            return event
    pytest.fail(f"no {name}")


@needs_jax
def test_a_process_that_dies_ends_the_others_and_one_goes_on(tmp_path, flags):
    path = tmp_path / "run"
    long = flags(**SMALL | {"train__epochs": 12})
    first, second = (begin(*long, "--run-dir", path, *own) for own in meeting())
    wait_for_epoch(path, 1)
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


@pytest.mark.parametrize(
    ("environment", "wanted", "device"),
    [
        ({}, ("auto", 1, 0), None),
        ({"JAX_COORDINATOR_ADDRESS": "a:1"}, ("auto", 1, 0), None),  # the rest from Slurm
        ({"MASTER_ADDR": "a", "MASTER_PORT": "1"}, ("auto", 1, 0), None),
        (dict(zip(JAX, ("a:1", "3", "2"), strict=True)), ("a:1", 3, 2), None),
        (dict(zip(TORCHRUN, ("a", "7", "3", "2"), strict=True)), ("a:7", 3, 2), None),
        (BY_TORCHRUN | {"LOCAL_WORLD_SIZE": "1", "LOCAL_RANK": "0"}, ("a:8", 3, 2), None),
        (BY_TORCHRUN | {"LOCAL_WORLD_SIZE": "2", "LOCAL_RANK": "1"}, ("a:8", 3, 2), 1),
    ],
)
def test_what_the_environment_tells(environment, wanted, device):
    told, found = told_by(environment, DistributedSettings(coordinator="auto", timeout=5))
    assert (told.coordinator, told.processes, told.process) == wanted
    assert found == device and told.timeout == 5


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (("", "2", "1"), "missing: JAX_COORDINATOR_ADDRESS$"),
        (("a:1", "x", "1"), "number of processes: expected a number .*, received 'x'"),
        (("a:1", "2", "2"), "process: expected 0 to 1, received 2"),
        (("a", "2", "1"), "expected HOST:PORT"),
        (("a:1", "0", "0"), "processes: expected"),
    ],
)
def test_what_the_environment_may_not_tell(values, message):
    with pytest.raises(UserError, match=message):
        told_by(dict(zip(JAX, values, strict=True)), DistributedSettings(coordinator="auto"))


@needs_jax
def test_an_environment_that_tells_nothing(tmp_path, flags):
    process = begin(*flags(), "--run-dir", tmp_path / "run", "--distributed.coordinator", "auto")
    code, _, err = ended(process)
    assert code == 2 and "the environment does not tell where to meet" in err
    assert len(err.splitlines()) == 1 and not (tmp_path / "run").exists()


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
