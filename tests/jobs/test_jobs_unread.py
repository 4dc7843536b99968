"""Nobody has to read what a command prints: it does its work and ends as if somebody did."""

import os
import sys

import pytest

from tests.processes import finished


def unread(*command, both=False):
    """A command whose stdout, and stderr too, go into a pipe that its reader has closed."""
    reader, writer = os.pipe()
    os.close(reader)
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    streams = {"stdout": writer} | ({"stderr": writer} if both else {})
    try:
        return finished([sys.executable, "-m", *map(str, command)], env=kept, **streams)
    finally:
        os.close(writer)


@pytest.mark.parametrize("program", ["train", "evaluate", "attack", "report", "export", "lab"])
def test_help(program):
    done = unread(f"slr_keras.{program}", "--help")
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("asked", [("--list-presets",), ("--list", "models")])
def test_lists(asked):
    done = unread("slr_keras.train", *asked)
    assert (done.returncode, done.stderr) == (0, "")


def test_bad_input_is_bad_input_still():
    done = unread("slr_keras.train", "--list", "nothing", both=True)
    assert done.returncode == 2


def test_training_goes_on_to_its_end(flags, tmp_path):
    run = tmp_path / "run"
    done = unread("slr_keras.train", *flags(train__epochs=1), "--run-dir", run, both=True)
    assert done.returncode == 0
    assert (run / "summary.json").is_file()


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no /dev/full here")
def test_a_full_disk_is_a_failure_in_one_line():
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    with open("/dev/full", "w") as full:
        command = [sys.executable, "-m", "slr_keras.train", "--list-presets"]
        done = finished(command, stdout=full, env=kept)
    assert (done.returncode, done.stderr) == (1, "error: cannot write: No space left on device\n")
