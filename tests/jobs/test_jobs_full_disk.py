"""A disk that is full: said in one line, what was saved stays, the run goes on when there is room.

A limit on the size of files stands for the full disk: writing beyond it fails as it does there.
"""

import contextlib
import json
import resource
import shutil
import sys

import pytest

from slr_keras import export, train
from slr_keras.protocol import events
from slr_keras.run_folder import RunFolder, write_atomically
from tests import processes


@contextlib.contextmanager
def file_limit(size):
    """No file of this process may grow beyond ``size`` bytes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_the_state_stays_and_the_run_goes_on_later(interrupted, finished, copy_of, job, same):
    run = copy_of(interrupted)
    kept = {p: p.read_bytes() for p in (run / "checkpoints").iterdir()}
    with file_limit(10_000):
        done = job(train.main, "--resume", run)
    assert done.code == 1 and "Traceback" not in done.err
    assert "warning: cannot write a checkpoint: File too large" in done.err
    assert f"error: cannot write {run}/final.keras: File too large" in done.err
    assert f"--resume {run}" in done.err
    assert {p: p.read_bytes() for p in (run / "checkpoints").iterdir()} == kept
    assert not list(run.glob(".*")) and not (run / "summary.json").exists()
    assert job(train.main, "--resume", run).code == 0
    same(finished, run)


def test_an_export_that_does_not_fit_leaves_nothing(finished, copy_of, job):
    run = copy_of(finished)
    for kind in ("saved_model", "keras"):
        with file_limit(2_000):
            done = job(export.main, run, "--format", kind)
        assert done.code == 1 and "Traceback" not in done.err
        assert done.err.splitlines()[-1].startswith("error: ") and "File too large" in done.err
    assert {p.name for p in run.iterdir()} == {p.name for p in finished.iterdir()}


def test_a_new_run_that_does_not_fit(tmp_path, job):
    with file_limit(500):
        done = job(train.main, "--run-dir", tmp_path / "run")
    assert done.code == 2 and done.err.count("\n") == 1
    assert "cannot write the run folder" in done.err
    assert not (tmp_path / "run").exists()


def test_event_lines_stay_whole_and_none_is_lost(tmp_path):
    folder = RunFolder(tmp_path)
    wanted = [events.Warned(f"number {i}") for i in range(6)]
    folder.append(wanted[0])
    with file_limit((tmp_path / "events.jsonl").stat().st_size + 30):
        for event in wanted[1:4]:
            with pytest.raises(OSError):
                folder.append(event)
    for event in wanted[4:]:
        folder.append(event)
    lines = (tmp_path / "events.jsonl").read_text().splitlines()
    assert [events.decode(line) for line in lines] == wanted


def test_a_write_that_fails_leaves_the_old_file(tmp_path):
    path = tmp_path / "summary.json"
    write_atomically(path, b"old")
    with file_limit(10), pytest.raises(OSError) as error:
        write_atomically(path, b"new" * 100)
    assert error.value.filename == str(path)
    assert path.read_bytes() == b"old" and list(tmp_path.iterdir()) == [path]


@pytest.fixture
def tiny_disk(tmp_path):
    """A file system of 64 KiB, where this process may mount one."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(place)]
    if not shutil.which("mount") or processes.finished(mount).returncode:
        pytest.skip("mounting a small file system needs root")
    yield place
    done = processes.finished(["umount", str(place)])
    assert done.returncode == 0, done.stderr


def test_a_disk_that_is_really_full(tiny_disk, flags):
    run = tiny_disk / "run"
    command = [sys.executable, "-m", "slr_keras.train", *flags(train__epochs=2)]
    done = processes.finished([*command, "--run-dir", str(run)])
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert "No space left on device" in done.stderr.splitlines()[-1]
    assert done.stderr.splitlines()[-1].startswith(f"error: cannot write {run}")
    lines = (run / "events.jsonl").read_text().splitlines()
    assert all(isinstance(json.loads(line), dict) for line in lines)
