"""The trainer presenter against a fake trainer: commands, queue, and every kind of end."""

import contextlib
import os
import pathlib
import signal
import sys
import time
import types

import psutil
import pytest

from gui.presenters import trainer_process as module
from gui.presenters.trainer import Trainer
from slr_keras import config
from slr_keras.protocol import events
from slr_keras.run_folder import RunFolder

FAKE = pathlib.Path(__file__).with_name("fake_trainer.py")


def settings(epochs=2, **more):
    return config.load(values={"train": {"epochs": epochs}, **more})


@pytest.fixture
def make(qapp, tmp_path, spin):
    """Makes trainers whose program is the fake one with some flags; ends them after the test."""
    made = []

    def make(*flags, runs=tmp_path / "runs", command=None):
        store = types.SimpleNamespace(runs_dir=runs)
        command = command or [sys.executable, "-u", str(FAKE), *flags]
        trainer = Trainer(store, command)
        trainer.said, trainer.seen, trainer.ends = [], [], []
        trainer.message.connect(lambda text: trainer.said.append(text))
        trainer.event.connect(lambda event: trainer.seen.append(event))
        trainer.ended.connect(lambda path, death: trainer.ends.append((path, death)))
        made.append(trainer)
        return trainer

    yield make
    for trainer in made:
        trainer.held = True
        trainer.worker.kill()
    spin(0.05)


@pytest.fixture
def until(wait_until):
    def until(trainer, state, timeout=5.0):
        wait_until(lambda: trainer.state == state, timeout)

    return until


def slow(make, *flags, **options):
    """A trainer that gives a test time to do something."""
    return make("--batch-seconds", "0.03", *flags, **options)


def status(path):
    return RunFolder(path).status()


# -- a run that goes well ----------------------------------------------------------------------


def test_a_run_from_start_to_end(make, until):
    trainer, states = make(), []
    trainer.changed.connect(lambda: states.append(trainer.state))
    path = trainer.enqueue(settings())
    assert (trainer.busy, trainer.state, trainer.current.path) == (True, "starting", path)
    until(trainer, "idle")
    assert trainer.last.kind == "done" and status(path) == "done"
    assert trainer.said == [f"{trainer.last.job.name} is complete."]
    assert len([e for e in trainer.seen if isinstance(e, events.EpochEnded)]) == 2
    assert states.index("starting") < states.index("running") < states.index("idle")
    assert RunFolder(path).config() == settings(run_dir=path)
    assert trainer.progress.device == "CPU (fake)"


def test_within_a_second_it_says_what_happens(make, wait_until):
    trainer = make("--phase-seconds", "0.3")
    texts, begun = [], time.monotonic()
    trainer.changed.connect(lambda: texts.append((time.monotonic() - begun, trainer.status_text)))
    trainer.enqueue(settings())
    assert trainer.status_text == "Starting Python…"
    wait_until(lambda: trainer.state == "running")
    said = dict.fromkeys(text for _, text in texts)
    expected = [
        "Starting Python…",
        "Importing TensorFlow, a few seconds…",
        "Loading the data…",
        "Building the model…",
        "Compiling the training step, about 10 s…",
        "Epoch 1 of 2",
    ]
    assert [text for text in said if text in expected] == expected
    assert next(at for at, text in texts if text.startswith("Importing")) < 1


def test_the_settings_file_does_not_stay_behind(make, until, tmp_path, monkeypatch):
    monkeypatch.setattr(module.tempfile, "tempdir", str(tmp_path))
    trainer = make()
    trainer.enqueue(settings(1))
    assert list(tmp_path.glob("*.toml"))
    until(trainer, "running")
    assert not list(tmp_path.glob("*.toml"))  # whatever becomes of this window
    until(trainer, "idle")


# -- commands ----------------------------------------------------------------------------------


def test_pause_and_go_on(make, until, spin):
    trainer = slow(make)
    path = trainer.enqueue(settings())
    until(trainer, "running")
    trainer.pause()
    assert trainer.state == "pausing" and "pausing after this batch" in trainer.status_text
    until(trainer, "paused")
    assert status(path) == "paused" and trainer.status_text.startswith("Paused after epoch ")
    count = len(trainer.seen)
    spin(0.2)
    assert len(trainer.seen) == count  # nothing is trained in a pause
    trainer.resume_run()
    until(trainer, "running")
    until(trainer, "idle")
    assert trainer.last.kind == "done"


def test_a_pause_while_it_starts_is_kept(make, until):
    trainer = make("--phase-seconds", "0.1")
    trainer.enqueue(settings())
    trainer.pause()
    until(trainer, "paused")
    trainer.resume_run()
    until(trainer, "idle")
    assert trainer.last.kind == "done"


def test_a_pause_can_be_taken_back(make, until, spin):
    trainer = slow(make)
    trainer.enqueue(settings())
    until(trainer, "running")
    trainer.pause()
    trainer.resume_run()
    until(trainer, "running")
    until(trainer, "idle")
    assert trainer.last.kind == "done"


@pytest.mark.parametrize("begin", ["starting", "running"])
def test_pause_after_an_epoch(make, until, begin):
    trainer = slow(make)
    trainer.enqueue(settings(4))
    if begin == "running":
        until(trainer, "running")
    trainer.pause_after_epoch(2)
    assert trainer.progress.pause_at == 2
    until(trainer, "paused")
    done = [event.epoch for event in trainer.seen if isinstance(event, events.EpochEnded)]
    assert done == [1, 2] and trainer.progress.pause_at == 0
    assert trainer.status_text.startswith("Paused after epoch 2; ")
    trainer.pause_after(1)
    until(trainer, "running")
    until(trainer, "paused")
    assert trainer.progress.epoch == 3
    trainer.resume_run()
    until(trainer, "idle")


@pytest.mark.parametrize("paused", [False, True])
@pytest.mark.parametrize(("what", "kind"), [("stop", "stopped"), ("discard", "discarded")])
def test_stop_and_discard(make, until, paused, what, kind):
    trainer = slow(make)
    path = trainer.enqueue(settings(50))
    until(trainer, "running")
    if paused:
        trainer.pause()
        until(trainer, "paused")
    getattr(trainer, what)()
    assert trainer.state == "stopping" and "topping" in trainer.status_text
    until(trainer, "idle")
    assert trainer.last.kind == kind
    assert (status(path) == "stopped") is (what == "stop")


def test_a_stopped_run_goes_on(make, until):
    trainer = slow(make)
    path = trainer.enqueue(settings(3))
    until(trainer, "running")
    trainer.stop()
    until(trainer, "idle")
    trainer.resume(path)
    until(trainer, "idle", 10)
    assert trainer.last.kind == "done" and status(path) == "done"
    assert [epoch.epoch for epoch in RunFolder(path).epochs()] == [1, 2, 3]


def test_a_complete_run_has_nothing_left_to_do(make, until):
    trainer = make()
    path = trainer.enqueue(settings(1))
    until(trainer, "idle")
    trainer.resume(path)
    until(trainer, "idle")
    assert trainer.last.kind == "done" and "nothing to resume" in trainer.said[-1]


def test_what_is_refused_is_said(make, until, wait_until):
    trainer = slow(make, "--refuse")
    trainer.enqueue(settings(50))
    until(trainer, "running")
    trainer.pause()
    wait_until(lambda: trainer.said)
    assert trainer.said == ["The fake trainer refuses everything."]
    assert trainer.state == "running"
    trainer.pause_after(3)
    wait_until(lambda: len(trainer.said) == 2)
    assert trainer.progress.pause_at == 0


def test_a_command_that_nobody_answers_is_said(make, until, wait_until, monkeypatch):
    monkeypatch.setattr(module, "UNANSWERED_AFTER", 0.1)
    trainer = slow(make, "--deaf")
    trainer.enqueue(settings(100))
    until(trainer, "running")
    trainer.pause()
    wait_until(lambda: trainer.said)
    assert "has not yet answered" in trainer.said[0] and "Kill" in trainer.said[0]
    assert trainer.deaf


def test_commands_without_a_run_do_nothing(make):
    trainer = make()
    for command in ("pause", "resume_run", "stop", "discard", "detach", "kill", "start_next"):
        getattr(trainer, command)()
    trainer.pause_after(3)
    assert trainer.state == "idle" and trainer.status_text == "No run is going on"


# -- queue -------------------------------------------------------------------------------------


def test_runs_queue_up(make, until, wait_until):
    trainer = make()
    paths = [trainer.enqueue(settings(1)) for _ in range(3)]
    assert len(set(paths)) == 3 and len(trainer.queue) == 2
    wait_until(lambda: len(trainer.ends) == 3)
    assert [path for path, _ in trainer.ends] == paths
    assert all(status(path) == "done" for path in paths)
    assert not trainer.queue and not (pathlib.Path(paths[0]).parent / "queue.json").exists()


def test_the_queue_is_moved_and_shortened(make):
    trainer = slow(make)
    a, b, c, d = (trainer.enqueue(settings(9)) for _ in range(4))
    trainer.move(trainer.queue[2], -1)
    assert [job.path for job in trainer.queue] == [b, d, c]
    trainer.move(trainer.queue[0], 99)
    assert [job.path for job in trainer.queue] == [d, c, b]
    trainer.remove(trainer.queue[1])
    assert [job.path for job in trainer.queue] == [d, b]
    trainer.resume(d)
    assert "already" in trainer.said[-1] and len(trainer.queue) == 2


def test_the_queue_outlives_the_window(make, until):
    first = slow(make)
    first.enqueue(settings(99))
    waiting = first.enqueue(settings(1, seed=7))
    second = make()
    assert [job.path for job in second.queue] == [waiting]
    assert second.queue[0].config.seed == 7
    assert second.held and second.status_text == "A run waits in the queue"
    second.start_next()
    until(second, "idle")
    assert status(waiting) == "done"


def test_a_new_run_starts_though_others_are_held(make, until):
    trainer = make()
    trainer.enqueue(settings(1))
    trainer.enqueue(settings(1))
    trainer.stop()
    until(trainer, "idle")
    assert trainer.held and len(trainer.queue) == 1
    assert "The queue waits until you start it." in trainer.said[-1]
    path = trainer.enqueue(settings(1))
    assert trainer.current.path == path


@pytest.mark.parametrize("text", ["{", "[1]", '[{"path": "x", "config": {"no": 1}}]', "3", "null"])
def test_a_damaged_queue_is_said_not_fatal(make, tmp_path, text):
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "queue.json").write_text(text)
    trainer = make()
    assert trainer.queue == [] and trainer.queue_problem


def test_the_queue_goes_on_after_a_failure_of_one_run(make, wait_until, tmp_path):
    trainer = make()
    (tmp_path / "runs" / "taken").mkdir(parents=True)
    (tmp_path / "runs" / "taken" / "something").touch()
    trainer.enqueue(settings(1, run_dir="taken"))
    after = trainer.enqueue(settings(1))
    wait_until(lambda: len(trainer.ends) == 2)
    assert "exists" in trainer.said[0] and "is next" in trainer.said[0]
    assert status(after) == "done"


def test_two_early_failures_hold_the_queue(make, until, wait_until, tmp_path):
    trainer = make()
    for name in ("one", "two"):
        (tmp_path / "runs" / name).mkdir(parents=True)
        (tmp_path / "runs" / name / "something").touch()
        trainer.enqueue(settings(1, run_dir=name))
    waiting = trainer.enqueue(settings(1))
    wait_until(lambda: len(trainer.ends) == 2)
    assert trainer.held and [job.path for job in trainer.queue] == [waiting]
    assert "The queue waits" in trainer.said[-1]


# -- bad ends ----------------------------------------------------------------------------------


@pytest.mark.parametrize(("how", "number"), [("segv", signal.SIGSEGV), ("kill", signal.SIGKILL)])
def test_a_crash_by_signal(make, until, how, number):
    trainer = make("--crash", how, "--chatter", "3")
    path = trainer.enqueue(settings())
    trainer.enqueue(settings())
    until(trainer, "idle")
    last = trainer.last
    assert (last.kind, last.death.cause, last.death.code) == ("crashed", "crash", number)
    assert number.name in last.sentence and "can be resumed" in last.sentence
    assert last.death.stderr[-1] == "the fake trainer is about to end badly"
    assert status(path) == "crashed"
    assert trainer.held and len(trainer.queue) == 1  # the next one waits for the user


def test_a_crash_from_outside_is_there_within_a_second(make, until, wait_until):
    trainer = slow(make)
    path = trainer.enqueue(settings(99))
    until(trainer, "running")
    os.kill(trainer.worker.pid, signal.SIGKILL)
    until(trainer, "idle", 1.0)
    assert trainer.last.kind == "crashed" and status(path) == "crashed"


def test_a_crashed_run_is_resumed(make, until):
    crashing, trainer = make("--crash", "kill", "--after", "7"), make()
    path = crashing.enqueue(settings())
    until(crashing, "idle")
    trainer.resume(path)
    until(trainer, "idle")
    assert trainer.last.kind == "done"
    assert [epoch.epoch for epoch in RunFolder(path).epochs()] == [1, 2]


def test_an_exit_without_a_reason(make, until):
    trainer = make("--crash", "exit3")
    trainer.enqueue(settings())
    until(trainer, "idle")
    assert (trainer.last.kind, trainer.last.death.code) == ("crashed", 3)
    assert "code 3" in trainer.last.sentence and trainer.held


def test_a_failure_that_says_why(make, until):
    trainer = make("--crash", "fail")
    path = trainer.enqueue(settings())
    until(trainer, "idle")
    assert trainer.last.kind == "failed" and "No space left" in trainer.said[-1]
    assert status(path) == "failed"


def test_a_program_that_is_not_there(make, until):
    trainer = make(command=["/nowhere/python"])
    trainer.enqueue(settings())
    until(trainer, "idle")
    assert trainer.last.kind == "crashed" and trainer.last.death.cause == "no_start"
    assert "could not be started" in trainer.last.sentence


def test_silence_is_shown_and_can_be_ended(make, wait_until, until, monkeypatch):
    trainer = make("--hang", "--after", "2")
    monkeypatch.setattr("gui.worker.SILENT_AFTER", 0.3)
    trainer.enqueue(settings())
    wait_until(lambda: trainer.state == "running")
    wait_until(lambda: trainer.silent, 30)
    assert trainer.status_text.startswith("No sign of life for ")
    trainer.kill()
    until(trainer, "idle")
    assert trainer.last.kind == "crashed" and "ended by force" in trainer.last.sentence
    assert not trainer.silent


def test_two_windows_on_one_run(make, until):
    first, second = slow(make), make()
    path = first.enqueue(settings(99))
    until(first, "running")
    second.resume(path)
    until(second, "idle")
    assert second.last.kind == "failed" and len(second.said) == 1
    assert str(first.worker.pid) in second.said[0] or "process" in second.said[0]
    assert first.state == "running"


def test_a_runs_folder_that_cannot_be_made(make, tmp_path):
    (tmp_path / "file").write_text("")
    trainer = make(runs=tmp_path / "file" / "runs")
    trainer.enqueue(settings())
    assert trainer.state == "idle" and trainer.last.kind == "failed"
    assert "cannot be written" in trainer.said[0] and "Choose another" in trainer.said[0]


def test_a_queue_that_cannot_be_saved_works_and_says_so(make, tmp_path, until):
    trainer = slow(make)
    trainer.enqueue(settings(99))
    (tmp_path / "runs" / "queue.json").mkdir()
    trainer.enqueue(settings())
    assert len(trainer.queue) == 1 and "could not be saved" in trainer.said[-1]


def test_a_full_temporary_folder(make, monkeypatch):
    trainer = make()

    def full(*_, **__):
        raise OSError(28, "No space left on device", "/tmp/x.toml")

    monkeypatch.setattr(module.tempfile, "mkstemp", full)
    trainer.enqueue(settings())
    assert trainer.state == "idle" and "No space left" in trainer.said[0]


def test_a_disk_that_fills_up_is_said(make, wait_until):
    trainer = make("--no-space")
    trainer.enqueue(settings())
    wait_until(lambda: trainer.progress.warnings)
    assert "No space left" in trainer.progress.warnings[0]


def test_a_flood_and_garbage(make, until):
    trainer = make("--flood", "200", "--garbage")
    trainer.enqueue(settings())
    until(trainer, "idle", 20)
    assert trainer.last.kind == "done"


def test_a_closed_stdin_lets_it_save_and_leave(make, until):
    trainer = slow(make)
    path = trainer.enqueue(settings(99))
    until(trainer, "running")
    trainer.worker.close()
    until(trainer, "idle")
    assert trainer.last.kind == "stopped" and status(path) == "stopped"


def test_detach_lets_it_go_on(make, until, wait_until):
    trainer, gone = slow(make), []
    path = trainer.enqueue(settings(4))
    until(trainer, "running")
    pid = trainer.worker.pid
    trainer.detached.connect(lambda: gone.append(1))
    trainer.detach()
    wait_until(lambda: gone)
    assert not trainer.busy and trainer.state == "idle" and not trainer.ends
    with contextlib.suppress(psutil.NoSuchProcess):
        wait_until(lambda: status(path) == "done")
        assert psutil.Process(pid).status() in (psutil.STATUS_ZOMBIE, psutil.STATUS_RUNNING)
