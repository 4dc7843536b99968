"""SIGINT and SIGTERM: state saved, the message says how to go on, the end is bit-equal."""

import json
import os
import pty
import re
import signal
import sys
import time

import pytest

from slr_keras import train
from slr_keras.training import control
from tests.processes import begin


def lines(path):
    return [json.loads(line) for line in (path / "events.jsonl").read_text().splitlines()]


def test_sigterm_saves_in_mid_epoch(interrupted):
    names = sorted(p.name for p in (interrupted / "checkpoints").glob("*.json"))
    assert names == ["000003-00000000.json", "000003-00000001.json"]
    last = lines(interrupted)[-1]
    assert (last["event"], last["reason"]) == ("run_stop", "SIGTERM")
    assert (last["epoch"], last["batch"]) == (3, 1)
    assert not (interrupted / "summary.json").exists()


def test_a_run_stopped_in_mid_epoch_ends_bit_equal(interrupted, finished, copy_of, job, same):
    run = copy_of(interrupted)
    done = job(train.main, "--resume", run)
    assert done.code == 0
    assert "resumed at epoch 3" in done.err
    same(finished, run)


def test_sigint_in_the_evaluation_at_the_end_of_an_epoch(
    tmp_path, finished, flags, job, same, stop_on
):
    run = tmp_path / "run"
    stop_on(lambda e: e.name == "phase" and (e.phase, e.epoch) == ("evaluating", 2), signal.SIGINT)
    done = job(train.main, *flags(), "--run-dir", run)
    assert done.code == 130
    assert "stopped by SIGINT, state saved" in done.err
    assert f"python -m slr_keras.train --resume {run}" in done.err
    assert "Traceback" not in done.err
    assert (run / "checkpoints" / "000002-00000005.json").exists()
    assert [e["epoch"] for e in lines(run) if e["event"] == "epoch_end"] == [1]
    assert job(train.main, "--resume", run).code == 0
    same(finished, run)


def test_a_signal_while_testing_is_resumed_to_the_same_summary(
    interrupted, finished, copy_of, job, same, stop_on
):
    run = copy_of(interrupted)
    stop_on(lambda e: e.name == "phase" and e.phase == "testing", signal.SIGTERM)
    assert job(train.main, "--resume", run).code == 143
    assert not (run / "summary.json").exists()
    assert job(train.main, "--resume", run).code == 0
    same(finished, run)


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_the_second_signal_leaves_at_once_and_handlers_come_back(signum):
    before = signal.getsignal(signum)
    asked = control.Control()
    with pytest.raises(SystemExit) as left, control.on_signals(asked):
        os.kill(os.getpid(), signum)
        assert asked.stop_signal == signum and asked.code == 128 + signum
        os.kill(os.getpid(), signum)
        time.sleep(5)
        pytest.fail("it went on")
    assert left.value.code == 128 + signum
    assert signal.getsignal(signum) is before


def test_a_stop_that_cannot_save_says_so(tmp_path, flags, job, stop_on, monkeypatch):
    def refuse(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("slr_keras.training.checkpoints.Checkpoints.save", refuse)
    stop_on(lambda e: e.name == "phase" and e.phase == "epoch", signal.SIGINT)
    done = job(train.main, *flags(), "--run-dir", tmp_path / "run")
    assert done.code == 130
    assert "its state could not be saved" in done.err


def test_a_bar_in_a_terminal_and_control_c(tmp_path, flags):
    run = tmp_path / "run"
    command = [sys.executable, "-m", "slr_keras.train", *flags(train__epochs=10_000)]
    shown, code = in_terminal([*command, "--run-dir", str(run)], "epoch   3/10000")
    assert code == 130
    for word in ("batch 5/5", "images/s", "clean", "robust", "loss"):
        assert word in shown
    assert re.search(r"epoch \d+/10000", shown)
    assert re.search(r"\d:\d\d", shown)  # the time left
    assert "stopped by SIGINT, state saved" in shown
    assert f"--resume {run}" in shown.replace("\r\n", "")
    assert list((run / "checkpoints").glob("*.json"))


def in_terminal(command, until):
    """Run in a pseudo terminal, press control-C once ``until`` is shown."""
    master, slave = pty.openpty()
    environment = os.environ | {"COLUMNS": "200", "TERM": "xterm", "TF_CPP_MIN_LOG_LEVEL": "3"}
    process = begin(command, stdin=slave, stdout=slave, stderr=slave, env=environment)
    os.close(slave)
    shown, sent = "", False
    while data := _read(master):
        shown += data.decode(errors="replace")
        if until in shown and not sent:
            sent = True
            process.send_signal(signal.SIGINT)
    os.close(master)
    return shown, process.wait(60)


def _read(master):
    try:
        return os.read(master, 65536)
    except OSError:  # the other end is closed
        return b""
