"""``--progress json``: the real trainer as a window starts it, and every way it can end."""

import contextlib
import json
import signal
import sys
import time

import pytest

from slr_keras import config, train
from slr_keras.protocol import commands, events
from slr_keras.run_folder import RunFolder
from tests.processes import PIPES, begin

LIMIT = 120.0  # seconds in which what is waited for must come


class Trainer:
    """A trainer in a process of its own, seen through its pipes."""

    def __init__(self, *arguments):
        command = [sys.executable, "-X", "utf8", "-u", "-m", "slr_keras.train"]
        command += ["--progress", "json", *map(str, arguments)]
        self.process = begin(command, **PIPES)
        self.lines, self.events, self.err = [], [], ""

    def send(self, *asked):
        for command in asked:
            self.process.stdin.write((commands.encode(command) + "\n").encode())
        self.process.stdin.flush()

    def next(self):
        line = self.process.stdout.readline()
        if not line:
            self.err = self.process.stderr.read().decode()
            raise EOFError(self.err)
        self.lines.append(line)
        self.events.append(events.decode(line))
        return self.events[-1]

    def until(self, kind, **values):
        end = time.monotonic() + LIMIT
        while time.monotonic() < end:
            event = self.next()
            if type(event) is kind and all(getattr(event, k) == v for k, v in values.items()):
                return event
        pytest.fail(f"no {kind.__name__} {values}")

    def leave(self):
        """Wait for the end; the exit code."""
        with contextlib.suppress(EOFError):
            while True:
                self.next()
        return self.process.wait(LIMIT)

    def vanish(self):
        """What a window does that is killed: all its ends of the pipes are closed."""
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            pipe.close()

    def of(self, kind):
        return [event for event in self.events if type(event) is kind]


@pytest.fixture
def start():
    started = []

    def make(*arguments):
        started.append(Trainer(*arguments))
        return started[-1]

    yield make
    for trainer in started:
        trainer.process.kill()
        trainer.process.wait()
        trainer.vanish()


def test_a_run_from_hello_to_its_end(start, tmp_path, flags, job):
    run = tmp_path / "run"
    trainer = start(*flags(train__epochs=2), "--run-dir", run)
    trainer.until(events.PhaseStarted, phase="importing")
    trainer.send(commands.Pause(id=1))  # taken when there is a model
    paused = trainer.until(events.Paused)
    assert (paused.epoch, paused.batch) == (1, 0) and RunFolder(run).status() == "paused"
    assert (run / "checkpoints" / "000001-00000000.json").exists()
    for _ in range(3):
        assert type(trainer.next()) is events.Heartbeat
    assert job(train.main, "--resume", run).code == 2  # a second trainer
    trainer.process.stdin.write(b"gibberish\n")
    trainer.send(commands.Pause(id=2), commands.Load(id=3), commands.Resume(id=4))
    trainer.until(events.Continued)
    assert trainer.leave() == 0
    assert RunFolder(run).status() == "done" and not (run / "run.lock").exists()
    answers = {a.id: (a.command, a.accepted) for a in trainer.of(events.Acknowledged)}
    assert answers == {
        1: ("pause", True),
        2: ("pause", False),
        3: ("load", False),
        4: ("resume", True),
    }
    check_stream(trainer, run)
    assert "passed over what is no command: b'gibberish'" in trainer.err


def check_stream(trainer, run):
    """What the train screen needs is there, in order, and nothing else is on stdout."""
    assert None not in trainer.events  # every line of stdout is an event
    hello = trainer.events[0]
    assert (hello.name, hello.program, hello.pid) == ("hello", "train", trainer.process.pid)
    phases = [event.phase for event in trainer.of(events.PhaseStarted)]
    assert phases == [
        *("importing", "loading data", "building", "compiling", "epoch", "evaluating"),
        *("compiling", "epoch", "evaluating", "testing"),  # refinement sets in
    ]
    (begin,) = trainer.of(events.RunStarted)
    assert (begin.epochs, begin.steps_per_epoch, begin.device[:3]) == (2, 5, "CPU")
    assert [event.epoch for event in trainer.of(events.EpochEnded)] == [1, 2]
    last = [event for event in trainer.of(events.BatchEnded) if event.batch == 5]
    assert [event.epoch for event in last] == [1, 2]
    tested = [event for event in trainer.of(events.Progress) if event.phase == "testing"]
    assert tested[-1].done == tested[-1].total == 100  # 50 images, best and final
    promised = {event.next_within for event in trainer.of(events.Heartbeat)}
    assert min(promised) == 2.0 and max(promised) > 60
    kept = [json.loads(line) for line in (run / "events.jsonl").read_text().splitlines()]
    told = [json.loads(line) for line in trainer.lines]
    unkept = {"hello", "heartbeat", "acknowledged", "batch_end", "progress"}
    assert [e["event"] for e in kept] == [e["event"] for e in told if e["event"] not in unkept]


def test_killed_then_stopped_while_importing(start, tmp_path, flags):
    run = tmp_path / "run"
    trainer = start(*flags(train__epochs=1000), "--run-dir", run)
    trainer.until(events.BatchEnded)
    assert RunFolder(run).status() == "running"
    trainer.process.send_signal(signal.SIGKILL)
    trainer.process.wait(LIMIT)
    assert RunFolder(run).status() == "crashed" and RunFolder(run).owner() is None
    trainer = start("--resume", run)
    trainer.until(events.PhaseStarted, phase="importing")
    time.sleep(0.5)
    assert RunFolder(run).status() == "running"
    trainer.process.send_signal(signal.SIGTERM)
    assert trainer.leave() == 143
    assert RunFolder(run).status() == "stopped"
    assert "stopped by SIGTERM, state saved" in trainer.err and f"--resume {run}" in trainer.err


def test_a_window_that_is_killed_leaves_no_orphan_unless_it_let_go(start, tmp_path, flags):
    kept, left = tmp_path / "kept", tmp_path / "left"
    trainer = start(*flags(train__epochs=100_000), "--run-dir", kept)
    trainer.until(events.BatchEnded)
    trainer.vanish()
    assert trainer.process.wait(LIMIT) == 0
    folder = RunFolder(kept)
    last = json.loads(folder["events.jsonl"].read_text().splitlines()[-1])
    assert (last["event"], last["reason"]) == ("run_stop", "window closed")
    newest = max(path.name for path in folder["checkpoints"].glob("*.json"))
    assert newest == f"{last['epoch']:06d}-{last['batch']:08d}.json"
    assert folder.status() == "stopped"

    trainer = start(*flags(train__epochs=2), "--run-dir", left)
    trainer.send(commands.Detach(id=1))
    assert trainer.until(events.Acknowledged).accepted
    trainer.vanish()
    assert trainer.process.wait(LIMIT) == 0
    assert RunFolder(left).status() == "done"


@pytest.mark.parametrize(
    "arguments, said",
    [
        (["--attack.eps", "-1"], "attack.eps"),
        (["--nonsense"], "--nonsense"),
        (["absent.toml"], "absent.toml"),
        (["--resume", "absent"], "no run folder"),
    ],
)
def test_bad_input_is_an_event_too(start, arguments, said):
    trainer = start(*arguments)
    assert trainer.leave() == 2
    assert [type(event) for event in trainer.events if type(event) is not events.Heartbeat] == [
        events.Hello,
        events.Failed,
    ]
    assert said in trainer.events[-1].message
    assert trainer.err == f"error: {trainer.events[-1].message}\n"


def test_a_complete_run_has_nothing_to_resume(start, tmp_path):
    folder = RunFolder.create(config.RunConfig(run_dir=str(tmp_path / "run")))
    folder.write_summary({"best_epoch": 3})
    trainer = start("--resume", folder.path)
    assert trainer.leave() == 0
    assert "nothing to resume" in trainer.of(events.Warned)[0].message
    assert not folder["run.lock"].exists()
