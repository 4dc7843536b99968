"""Evaluations, exports and reports that a window starts: events out, commands in."""

import json
import queue
import sys

import pytest

from slr_keras import backend, evaluate, export, report
from slr_keras.protocol import commands, events
from tests import processes

FAST = ("--attacks", "clean", "pgd-2", "square-100", "--num-samples", 40, "--batch-size", 20)


class Window:
    """The end of a channel that a window holds: what it was told, and what it asks when."""

    def __init__(self, ask=lambda event: ()):
        self.told, self.commands, self.ask = [], queue.Queue(), ask

    def send(self, event):
        self.told.append(event)
        for command in self.ask(event):
            self.commands.put(command)

    def expect(self, seconds=0.0):
        self.promised = seconds

    def of(self, kind):
        return [event for event in self.told if isinstance(event, kind)]


def begin(command, window, *words):
    return command([str(word) for word in words], window)


@pytest.fixture
def run(learned, copy_of):
    return copy_of(learned)


def test_an_evaluation_says_how_far_it_is_and_what_it_wrote(run):
    window = Window()
    assert begin(evaluate._command, window, run, *FAST) == 0
    (started,) = window.of(events.EvaluationStarted)
    assert (started.which, started.samples, started.attacks) == ("best", 40, FAST[1:4])
    phases = [event.phase for event in window.of(events.PhaseStarted)]
    assert phases == ["importing", "loading data", "evaluating", "checking"]
    told = [event for event in window.of(events.EvaluationProgress) if event.done]
    found = json.loads((run / "evaluation.json").read_text())
    shares = {row["attack"]: row["accuracy"] for row in found["results"]}
    assert {e.attack: e.robust / e.samples for e in told} == {
        name: pytest.approx(shares[name]) for name in ("clean", "pgd-2", "square-100")
    }
    (ended,) = window.of(events.TaskEnded)
    assert ended.paths == (str(run / "evaluation.json"),) and "40 images: clean" in ended.message
    assert found["class_names"] == [str(number) for number in range(10)]
    for event in window.told:
        assert events.decode(events.encode(event)) == event


def test_it_pauses_goes_on_and_stops_and_comes_to_the_same(run):
    window = Window()
    assert begin(evaluate._command, window, run, *FAST) == 0
    whole = json.loads((run / "evaluation.json").read_text())["results"]
    (run / "evaluation.json").unlink()

    def ask(event):
        if isinstance(event, events.EvaluationProgress) and event.attack == "pgd-2" and event.done:
            return [commands.Pause(id=1)]
        if isinstance(event, events.Paused):
            return [commands.Resume(id=2)]
        return [commands.Stop(id=3)] if isinstance(event, events.Continued) else []

    window = Window(ask)
    assert begin(evaluate._command, window, run, *FAST) == 0
    assert all(answer.accepted for answer in window.of(events.Acknowledged))
    assert len(window.of(events.Acknowledged)) == 3
    assert [event.reason for event in window.of(events.RunStopped)] == ["asked to stop"]
    assert not (run / "evaluation.json").exists() and not window.of(events.TaskEnded)
    window = Window()
    assert begin(evaluate._command, window, run, *FAST) == 0
    assert window.of(events.EvaluationStarted)[0].resumed
    again = json.loads((run / "evaluation.json").read_text())["results"]
    assert [row["right"] for row in again] == [row["right"] for row in whole]


def test_a_window_that_is_gone_stops_it(run):
    window = Window(lambda event: [None] if isinstance(event, events.EvaluationStarted) else [])
    assert begin(evaluate._command, window, run, *FAST) == 0
    assert window.of(events.RunStopped)[0].reason == "window closed"


@pytest.mark.skipif(backend.name() != "tensorflow", reason="a SavedModel needs TensorFlow")
def test_an_export_says_what_it_wrote(run):
    window = Window()
    assert begin(export._command, window, run, "--format", "keras") == 0
    (ended,) = window.of(events.TaskEnded)
    assert ended.paths == (str(run / "exported.keras"), str(run / "exported.md"))
    assert "largest difference" in ended.message


def test_a_report_says_where_it_is(run):
    window = Window()
    assert begin(report._command, window, run, "--quick") == 0
    assert window.of(events.TaskEnded)[0].paths == (str(run / "report.html"),)


@pytest.mark.parametrize("program", ["evaluate", "export", "report"])
def test_bad_input_is_an_event_too(program, tmp_path):
    words = ["-m", f"slr_keras.{program}", str(tmp_path / "no"), "--progress", "json"]
    done = processes.finished([sys.executable, *words], input="")
    told = [events.decode(line) for line in done.stdout.splitlines()]
    failed = next(event for event in told if isinstance(event, events.Failed))
    assert done.returncode == 2 and f"error: {failed.message}" in done.stderr
