"""What a window asks of a run: obeyed between batches, without a trace in the numbers."""

import json
import os
import queue
import signal
import threading
import time

import pytest

from slr_keras import config as configs
from slr_keras.protocol import commands, events
from slr_keras.run_folder import RunFolder
from slr_keras.terminal import cli
from slr_keras.training import loop
from slr_keras.training.control import Control, Interrupted, on_signals

LIMIT = 120.0  # seconds that a run may take, pauses and all


class Waiting(queue.Queue):
    """Commands for a run, which looks for them all the time; one without an end fails."""

    def __init__(self):
        super().__init__()
        self.end = time.monotonic() + LIMIT

    def get(self, block=True, timeout=None):
        if time.monotonic() > self.end:
            pytest.fail(f"the run goes on after {LIMIT:g} seconds")
        return super().get(block, timeout)


class Window:
    """Sends commands when events come, as a person would; keeps what it was told."""

    def __init__(self, *script, at_once=()):
        self.waiting, self.script, self.events = Waiting(), list(script), []
        self.send(*at_once)

    def send(self, *asked):
        for command in asked:
            self.waiting.put(command)

    def __call__(self, event):
        self.events.append(event)
        for entry in self.script:
            fits, answer = entry
            if fits(event):
                self.script.remove(entry)
                answer(self) if callable(answer) else self.send(*answer)
                return

    def of(self, kind):
        return [event for event in self.events if type(event) is kind]

    def places(self, kind):
        return [(event.epoch, event.batch) for event in self.of(kind)]


def on(kind, *answer, **values):
    """A line of a script: at the first event of this kind with these values, these commands."""

    def fits(event):
        if type(event) is not kind:
            return False
        return all(getattr(event, name) == value for name, value in values.items())

    return fits, answer[0] if answer and callable(answer[0]) else answer


def settings(words):
    parser = cli.make_parser("train", "")
    cli.add_settings(parser)
    return configs.load(values=cli.values_of(parser.parse(words)))


def drive(words, path, window):
    """A new run that obeys a window."""
    config = settings([*words, "--run-dir", str(path)])
    return go(config, RunFolder.create(config), window, resume=False)


def go(config, folder, window, resume):
    control = Control(window.waiting, window, config.train.epochs)
    with on_signals(control), folder.lock():
        return loop.train(config, folder, window, resume, control)


def stopped(window, work, *arguments, **options):
    """The Interrupted of a run that leaves."""
    with pytest.raises(Interrupted) as left:
        work(*arguments, window, **options)
    return left.value


PAUSE, RESUME, STOP = commands.Pause(), commands.Resume(), commands.Stop()


def test_pauses_leave_no_trace(tmp_path, flags, finished, same):
    run, seconds, statuses = tmp_path / "run", [], []

    def look(window):
        (newest, *_) = sorted((run / "checkpoints").glob("*.json"), reverse=True)
        seconds.append(json.loads(newest.read_text())["position"]["seconds"])
        statuses.append(RunFolder(run).status())

    def look_and_wait(window):
        look(window)
        threading.Timer(1.0, window.send, [RESUME, PAUSE]).start()

    def look_and_go_on(window):
        look(window)
        window.send(RESUME)

    window = Window(
        on(events.Paused, RESUME, PAUSE, epoch=1, batch=0),
        on(events.Paused, look_and_wait, epoch=1, batch=1),
        on(events.Paused, look_and_go_on, epoch=1, batch=2),
        on(events.PhaseStarted, PAUSE, phase="evaluating", epoch=2),
        on(events.Paused, RESUME, epoch=2, batch=5),
        on(events.PhaseStarted, commands.PauseAfter(epochs=0), phase="epoch", epoch=3),
        on(events.Paused, RESUME, epoch=4, batch=0),
        on(events.PhaseStarted, PAUSE, phase="testing"),
        on(events.Paused, RESUME, epoch=4, batch=0),
        at_once=[PAUSE],
    )
    drive(flags(), run, window)
    places = [(1, 0), (1, 1), (1, 2), (2, 5), (4, 0), (4, 0)]
    assert window.places(events.Paused) == window.places(events.Continued) == places
    assert all(answer.accepted for answer in window.of(events.Acknowledged))
    assert 0 < seconds[1] - seconds[0] < 0.8  # a second was spent paused between the two
    assert statuses == ["paused", "paused"] and RunFolder(run).status() == "done"
    same(finished, run)


def test_no_batch_comes_between_the_command_and_the_pause(tmp_path, flags):
    window = Window(
        on(events.PhaseStarted, PAUSE, phase="epoch", epoch=2),
        on(events.Paused, STOP),
    )
    left = stopped(window, drive, flags(), tmp_path / "run")
    names = [event.name for event in window.events]
    begin = names.index("paused")
    asked = next(
        number
        for number, event in enumerate(window.events)
        if isinstance(event, events.PhaseStarted) and (event.phase, event.epoch) == ("epoch", 2)
    )
    assert names[asked:begin].count("batch_end") <= 1
    assert "batch_end" not in names[begin:]
    assert (left.reason, left.saved, left.code) == ("asked to stop", "state saved", 0)
    place = window.places(events.Paused)
    assert window.places(events.CheckpointSaved)[-1:] == place  # the pause's is not written twice
    assert window.places(events.RunStopped) == place and "continued" not in names


def test_a_run_stopped_while_paused_goes_on_to_the_same_end(tmp_path, flags, finished, same, job):
    from slr_keras import train

    run = tmp_path / "run"
    kill = on(events.Paused, lambda _: os.kill(os.getpid(), signal.SIGTERM))
    window = Window(on(events.BatchEnded, PAUSE, epoch=2), kill)
    left = stopped(window, drive, flags(), run)
    assert (left.reason, left.code) == ("SIGTERM", 143)
    assert RunFolder(run).status() == "stopped" and not (run / "run.lock").exists()
    assert job(train.main, "--resume", run).code == 0
    same(finished, run)


def test_discard_saves_nothing_more(tmp_path, flags):
    run = tmp_path / "run"
    window = Window(on(events.BatchEnded, commands.Discard(), epoch=1))
    left = stopped(window, drive, flags(), run)
    assert (left.reason, left.saved, left.code) == ("discarded", "nothing more was saved", 0)
    assert not window.of(events.CheckpointSaved) and not list((run / "checkpoints").iterdir())
    assert RunFolder(run).status() == "stopped"


def test_a_window_that_is_gone_stops_the_run_unless_it_was_detached(tmp_path, flags):
    window = Window(on(events.BatchEnded, None, epoch=1))
    assert stopped(window, drive, flags(), tmp_path / "run").reason == "window closed"
    assert window.places(events.CheckpointSaved) == window.places(events.RunStopped)
    window = Window(at_once=[commands.Detach(), None])
    summary = drive(flags(train__epochs=1, data__val_fraction=0), tmp_path / "other", window)
    assert summary["final"]["epoch"] == 1


def test_a_paused_run_that_is_detached_goes_on(tmp_path, flags):
    window = Window(
        on(events.BatchEnded, commands.Pause(), epoch=1),
        on(events.Paused, commands.Detach(), None),
    )
    summary = drive(flags(train__epochs=1, data__val_fraction=0), tmp_path / "run", window)
    assert window.of(events.Continued) and summary["final"]["epoch"] == 1


def test_asked_before_the_first_batch(interrupted, copy_of):
    folder = RunFolder(copy_of(interrupted))
    kept = {path: path.read_bytes() for path in folder["checkpoints"].iterdir()}
    window = Window(at_once=[STOP])
    left = stopped(window, lambda w: go(folder.config(), folder, w, resume=True))
    assert left.saved == "state saved" and folder.status() == "stopped"
    assert window.places(events.RunStopped) == [(3, 1)]  # where it will go on
    assert {path: path.read_bytes() for path in folder["checkpoints"].iterdir()} == kept
    assert not window.of(events.RunStarted)


# -- which commands are taken when ------------------------------------------------------------


@pytest.fixture
def control():
    answers = []
    made = Control(Waiting(), answers.append, epochs=10)
    made.answers = answers
    return made


def ask(control, *asked, at=(3, 2)):
    """The answer to the last of these commands."""
    for command in asked:
        control.waiting.put(command)
    control.listen(*at)
    return control.answers[-1]


@pytest.mark.parametrize(
    "at, epochs, last",
    [
        ((3, 2), 0, 3),  # in the middle of epoch 3
        ((3, 2), 1, 4),
        ((3, 0), 1, 3),  # between epochs 2 and 3
        ((3, 0), 0, 3),
        ((3, 0), 2, 4),
        ((10, 1), 0, 10),  # before the test
        ((1, 0), 10, 10),
    ],
)
def test_pause_after_counts_whole_epochs(control, at, epochs, last):
    assert ask(control, commands.PauseAfter(id=1, epochs=epochs), at=at).accepted
    for epoch in range(at[0] + 1, last + 1):
        control.listen(epoch, 0)
        assert not control.pause_is_due()
    control.listen(last + 1, 0)
    assert control.pause_is_due() and not control.pause_is_due()


@pytest.mark.parametrize("epochs", [8, 100, -1, "two", None, 1.5])
def test_pause_after_refuses_what_never_comes(control, epochs):
    answer = ask(control, commands.PauseAfter(id=7, epochs=epochs))
    assert (answer.id, answer.command, answer.accepted) == (7, "pause_after", False)
    assert answer.message.endswith(".")
    control.listen(11, 0)
    assert not control.pause_is_due()


def test_what_cannot_be_done_now_is_refused_in_a_sentence(control):
    for asked in (RESUME, commands.Load(), commands.Cancel()):
        answer = ask(control, asked)
        assert not answer.accepted and answer.message.endswith(".")
    control.paused = True
    assert not ask(control, PAUSE).accepted
    assert ask(control, STOP).accepted and control.leaving == "asked to stop"
    assert not ask(control, PAUSE).accepted
    assert ask(control, STOP).accepted  # again: no harm
    assert len(control.answers) == 7


def test_resume_takes_back_a_pause_that_is_still_to_come(control):
    assert ask(control, PAUSE, RESUME).accepted and not control.pause_is_due()
    assert ask(control, commands.PauseAfter(epochs=1), RESUME).accepted
    control.listen(6, 0)
    assert not control.pause_is_due()


def test_pause_after_lets_a_waiting_run_go_on(control):
    control.paused = True
    assert ask(control, commands.PauseAfter(epochs=1), at=(3, 0)).accepted
    assert not control.paused and not control.pause_is_due()
    control.listen(4, 0)
    assert control.pause_is_due()
