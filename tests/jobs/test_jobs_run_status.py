"""How a run stands, told from its folder alone; and one trainer to a folder."""

import json
import os
import sys
import time

import psutil
import pytest

from slr_keras import config, run_folder, train
from slr_keras.errors import RunError
from slr_keras.protocol import events
from slr_keras.run_folder import RunFolder
from tests.processes import PIPES, begin

STARTED = events.RunStarted("x", "slr", "small_cnn", "digits", 1, 3, 5, "CPU", {})
EPOCH = events.EpochEnded(1, 3, *[0.5] * 7, 0.1, 1.0, 0.1, 10.0, 1.0)
PAUSED, CONTINUED = events.Paused(1, 3), events.Continued(1, 3)
STOPPED, ENDED = events.RunStopped("SIGTERM", 1, 3), events.RunEnded({})
PHASE, SAVED = events.PhaseStarted("importing"), events.CheckpointSaved(1, 3, "x")
NAN, FAILED = events.NonFiniteLoss(1, 1, "x"), events.Failed("the disk is full")
WARNED = events.Warned("cannot write a checkpoint")


@pytest.fixture
def folder(tmp_path):
    return RunFolder.create(config.RunConfig(run_dir=str(tmp_path / "run")))


def write(folder, *happened):
    for event in happened:
        folder.append(event)
    return folder


@pytest.fixture
def stranger():
    """A living process that is not this one."""
    process = begin([sys.executable, "-c", "input()"], **PIPES)
    yield psutil.Process(process.pid)
    process.communicate()


def held_by(folder, process, shift=0.0):
    lock = {"pid": process.pid, "started": process.create_time() + shift}
    folder["run.lock"].write_text(json.dumps(lock))


@pytest.mark.parametrize(
    "happened, gone, alive",
    [
        ([], "new", "running"),
        ([PHASE], "crashed", "running"),
        ([PHASE, STARTED, EPOCH, SAVED], "crashed", "running"),
        ([STARTED, SAVED, PAUSED], "crashed", "paused"),
        ([STARTED, PAUSED, WARNED, SAVED], "crashed", "paused"),
        ([STARTED, PAUSED, CONTINUED], "crashed", "running"),
        ([STARTED, PAUSED, STOPPED], "stopped", "stopped"),
        ([STARTED, STOPPED, PHASE], "crashed", "running"),
        ([STARTED, NAN], "failed", "failed"),
        ([STARTED, EPOCH, FAILED, WARNED], "failed", "failed"),
        ([STARTED, EPOCH, ENDED], "done", "done"),
    ],
)
def test_status(folder, stranger, happened, gone, alive):
    write(folder, *happened)
    assert folder.status() == gone
    held_by(folder, stranger)
    assert folder.status() == alive and folder.owner() == stranger.pid
    held_by(folder, stranger, shift=-60)  # its number was given to another process
    assert folder.status() == gone and folder.owner() is None


@pytest.mark.parametrize(
    "lock", ["", "null", "[]", "{}", '{"pid": "x", "started": 1}', '{"pid": -1, "started": 0}', "{"]
)
def test_a_lock_that_says_nothing_holds_nothing(folder, lock):
    folder["run.lock"].write_text(lock)
    assert folder.owner() is None and folder.status() == "new"


def test_half_a_line_is_passed_over_and_the_next_one_stays_whole(folder):
    write(folder, STARTED, STOPPED)
    with open(folder["events.jsonl"], "ab") as file:
        file.write(b'{"v": 1, "event": "epoch_e\xc3')
    assert folder.status() == "stopped"
    write(folder, EPOCH, ENDED)
    assert folder.status() == "done" and folder.epochs() == [EPOCH]


def test_the_end_of_a_long_story_is_read_alone(folder, monkeypatch):
    write(folder, *[WARNED] * 2000, PHASE)
    assert folder["events.jsonl"].stat().st_size > 5 * run_folder.TAIL
    assert folder.status() == "crashed"
    write(folder, *[WARNED] * 2000)  # what tells is further back than the first look
    assert folder.status() == "crashed"
    write(folder, events.RunEnded({"note": "x" * 3 * run_folder.TAIL}))  # one very long line
    assert folder.status() == "done"


def test_without_events(folder):
    folder["events.jsonl"].unlink()
    assert folder.status() == "new"
    folder["summary.json"].write_text("{}")  # copied from elsewhere without them
    assert folder.status() == "done"


@pytest.mark.parametrize("text", [None, "= = =", "\x00\x01", "[[["])
def test_a_configuration_that_cannot_be_read_is_damaged(folder, text):
    write(folder, ENDED)
    folder["config.toml"].unlink()
    if text is not None:
        folder["config.toml"].write_text(text)
    assert folder.status() == "damaged"


def test_status_is_cheap(folder):
    write(folder, STARTED, *[EPOCH, SAVED] * 500)
    begin = time.perf_counter()
    for _ in range(100):
        folder.status()
    assert time.perf_counter() - begin < 1.0  # 500 folders are looked at every few seconds


def test_the_lock_is_there_while_it_is_held_and_no_longer(folder):
    with folder.lock():
        assert folder.owner() == os.getpid()
        with pytest.raises(RunError, match=f"process {os.getpid()}"), folder.lock():
            pytest.fail("held twice")
        assert folder.owner() == os.getpid()
    assert not folder["run.lock"].exists()
    with pytest.raises(ZeroDivisionError), folder.lock():
        1 / 0  # noqa: B018
    assert not folder["run.lock"].exists()


LOCK = """
import sys
from slr_keras.run_folder import RunFolder
input()
with RunFolder(sys.argv[1]).lock():
    print("mine", flush=True)
    input()
"""


def test_of_many_that_begin_at_once_one_has_it(folder):
    command = [sys.executable, "-c", LOCK, str(folder.path)]
    processes = [begin(command, text=True, **PIPES) for _ in range(4)]
    for process in processes:
        process.stdin.write("\n")
        process.stdin.flush()
    time.sleep(1.5)
    ends = [process.communicate("\n")[0] for process in processes]
    assert sorted(ends) == ["", "", "", "mine\n"]


def test_a_trainer_refuses_a_folder_that_is_being_trained(interrupted, copy_of, stranger, job):
    folder = RunFolder(copy_of(interrupted))
    held_by(folder, stranger)
    before = {path: path.stat().st_mtime_ns for path in folder.path.rglob("*")}
    for arguments in (["--resume", folder.path], ["--run-dir", folder.path, "--overwrite"]):
        done = job(train.main, *arguments)
        assert done.code == 2
        assert f"is being trained by process {stranger.pid}" in done.err
        assert "wait for it, or stop it" in done.err
    assert {path: path.stat().st_mtime_ns for path in folder.path.rglob("*")} == before


def test_what_was_trained_is_never_discarded(finished, copy_of):
    folder = RunFolder(copy_of(finished))
    folder.discard()
    assert folder.status() == "done"
