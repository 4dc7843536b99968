"""Runs shared by the tests of the commands: small, in this process, on the digits."""

import dataclasses
import os
import shutil
import signal

import pytest

from slr_keras import train
from slr_keras.terminal import cli

SMALL = {
    "--train.epochs": 3,
    "--train.batch_size": 40,
    "--data.train_samples": 200,
    "--data.label_noise": 0.1,
    "--method.start_epoch": 2,
    "--model.width": 4,
    "--model.strides": 2,  # one convolution
    "--attack.steps": 4,
    "--eval.train_samples": 50,
    "--eval.val_samples": 50,
    "--eval.test_samples": 50,
    "--eval.steps": 2,
    "--eval.test_steps": 2,
}


@dataclasses.dataclass(frozen=True)
class Done:
    """What a command left: exit code, folder, stdout and stderr."""

    code: int
    path: object
    out: str = ""
    err: str = ""


def small(**changes):
    """Flags of a run of a few seconds; ``a__b=1`` changes ``--a.b``."""
    flags = SMALL | {"--" + key.replace("__", "."): value for key, value in changes.items()}
    return [str(word) for flag in flags.items() for word in flag]


def call(main, *arguments):
    return cli.run(main, [str(argument) for argument in arguments])


def stop_when(patch, condition, signum, times=1):
    """Send this process a signal when the run reports a fitting event."""
    from slr_keras.training import loop

    real, left = loop.Run.emit, [times]

    def emit(self, event):
        real(self, event)
        if left[0] and condition(event):
            left[0] -= 1
            os.kill(os.getpid(), signum)

    patch.setattr(loop.Run, "emit", emit)


@pytest.fixture(scope="session")
def flags():
    return small


@pytest.fixture(scope="session")
def command():
    return call


@pytest.fixture
def job(capfd):
    """Run a command; returns exit code and what it printed."""

    def run(main, *arguments, path=None):
        capfd.readouterr()
        code = call(main, *arguments)
        return Done(code, path, *capfd.readouterr())

    return run


@pytest.fixture(scope="session")
def finished(tmp_path_factory):
    """A complete run; read-only."""
    path = tmp_path_factory.mktemp("runs") / "finished"
    assert call(train.main, *small(), "--run-dir", path) == 0
    return path


@pytest.fixture(scope="session")
def learned(tmp_path_factory):
    """A complete run of so many images that it learns, whatever the seed; read-only."""
    path = tmp_path_factory.mktemp("runs") / "learned"
    more = {"data__train_samples": 1000, "model__strides": "2,1,2"}
    assert call(train.main, *small(**more), "--run-dir", path) == 0
    return path


@pytest.fixture(scope="session")
def interrupted(tmp_path_factory):
    """The same run, stopped by SIGTERM in the third epoch's first batch; read-only."""
    path = tmp_path_factory.mktemp("runs") / "interrupted"
    with pytest.MonkeyPatch.context() as patch:
        stop_when(patch, lambda e: e.name == "phase" and e.epoch == 3, signal.SIGTERM)
        code = call(train.main, *small(), "--run-dir", path)
    assert code == 143
    return path


@pytest.fixture
def copy_of(tmp_path):
    """A copy of a run that the test may spoil."""

    def copy(path):
        return shutil.copytree(path, tmp_path / path.name)

    return copy


@pytest.fixture
def stop_on(monkeypatch):
    """``stop_on(condition, signum)``: a signal at the first event that fits."""

    def arrange(condition, signum, times=1):
        stop_when(monkeypatch, condition, signum, times)

    return arrange


@pytest.fixture
def clock(monkeypatch):
    """A process that is as old as the test says, and whose looks at the clock take no time."""

    class Clock:
        now = 0.0

        def monotonic(self):
            return self.now

    clock = Clock()
    from slr_keras.training import control

    monkeypatch.setattr(control, "time", clock)
    monkeypatch.setattr(control, "process_seconds", lambda: clock.now)
    return clock


@pytest.fixture
def leave_when(clock, monkeypatch):
    """``leave_when(fits)``: an hour passes at the first event that fits."""
    from slr_keras.training import loop

    real, waiting = loop.Run.emit, []

    def emit(self, event):
        real(self, event)
        if waiting and waiting[0](event):
            waiting.pop()
            clock.now += 3600

    monkeypatch.setattr(loop.Run, "emit", emit)

    def arrange(**facts):
        clock.now = 0.0
        waiting[:] = [lambda e: all(getattr(e, k, None) == v for k, v in facts.items())]

    return arrange


@pytest.fixture(scope="session")
def same():
    """Assert that two runs ended bit-equal."""
    from benchmarks.kill_resume import COMPARISONS

    def check(one, other):
        found = {name: list(compare(one, other)) for name, compare in COMPARISONS.items()}
        assert not any(found.values()), found

    return check
