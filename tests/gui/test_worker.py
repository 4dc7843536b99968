"""The worker process: what it says, how it ends, and that nothing it does freezes the window."""

from __future__ import annotations

import collections
import os
import signal
import sys
import time

import psutil
import pytest
from PySide6.QtCore import QTimer

from gui import worker as worker_module
from gui.models.death import Death
from gui.worker import Worker, abandoned, program, start_apart
from slr_keras.protocol import commands, events
from tests.processes import finished

HEAD = """
import json, os, signal, sys, time
def say(**values):
    print(json.dumps(values), flush=True)
"""


class Ears:
    """Everything that a worker emits, in order."""

    def __init__(self, worker: Worker):
        self.events: list[object] = []
        self.acknowledged: list[events.Acknowledged] = []
        self.logs: list[str] = []
        self.silent: list[bool] = []
        self.deaths: list[Death] = []
        worker.event.connect(self.events.append)
        worker.acknowledged.connect(self.acknowledged.append)
        worker.log.connect(self.logs.append)
        worker.silent.connect(self.silent.append)
        worker.ended.connect(self.deaths.append)


@pytest.fixture
def worker(qapp):
    worker = Worker("trainer")
    yield worker
    worker.kill()
    if worker.running:
        worker.close(3000)


@pytest.fixture
def ears(worker):
    return Ears(worker)


def start(worker: Worker, body: str) -> None:
    worker.start([sys.executable, "-u", "-c", HEAD + body])


def test_messages_arrive_typed_and_in_order(worker, ears, wait_until):
    start(
        worker,
        """
say(v=1, event="hello", program="trainer", pid=os.getpid(), version="0")
say(v=1, event="phase", phase="importing", a_field_of_the_future=1)
say(v=1, event="warning", message="gr\\u00fc\\u00df Gott")
say(v=1, event="of_the_future", x=1)
say(v=1, event="phase")
""",
    )
    wait_until(lambda: ears.deaths)
    hello, phase, warning = ears.events
    assert isinstance(hello, events.Hello) and hello.program == "trainer"
    assert phase == events.PhaseStarted(phase="importing")
    assert warning == events.Warned(message="grüß Gott")
    assert ears.deaths[0].well and ears.deaths[0].code == 0


def test_commands_are_numbered_and_acknowledged(worker, ears, wait_until):
    start(
        worker,
        """
for line in sys.stdin:
    command = json.loads(line)
    say(v=1, event="acknowledged", id=command["id"], command=command["command"])
""",
    )
    assert worker.send(commands.Pause()) == 1
    assert worker.send(commands.Resume()) == 2
    wait_until(lambda: len(ears.acknowledged) == 2)
    assert [(a.id, a.command) for a in ears.acknowledged] == [(1, "pause"), (2, "resume")]
    assert worker.close(5000)  # the end of stdin ends the loop
    wait_until(lambda: ears.deaths)
    assert ears.deaths[0].well


def test_commands_to_nobody_are_told_apart(worker):
    assert worker.send(commands.Pause()) == 0
    assert worker.close() and not worker.running and worker.pid is None
    worker.kill()
    worker.abandon()
    assert not abandoned()


# -- ends ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "hint"), [("SIGKILL", "memory"), ("SIGSEGV", "native library"), ("SIGUSR1", "signal")]
)
def test_death_by_signal(worker, ears, wait_until, name, hint):
    start(worker, f"os.kill(os.getpid(), signal.{name})")
    wait_until(lambda: ears.deaths)
    death = ears.deaths[0]
    assert death.cause == "crash" and death.code == getattr(signal, name) and not death.well
    assert hint in death.sentence and not worker.running


def test_exit_code_with_last_words(worker, ears, wait_until):
    start(
        worker, "print('a', file=sys.stderr); print('the last words', file=sys.stderr); os._exit(3)"
    )
    wait_until(lambda: ears.deaths)
    death = ears.deaths[0]
    assert (death.cause, death.code, death.well) == ("exit", 3, False)
    assert death.stderr == ("a", "the last words")
    assert "code 3" in death.sentence and "the last words" in death.sentence


def test_exit_code_without_words(worker, ears, wait_until):
    start(worker, "os._exit(3)")
    wait_until(lambda: ears.deaths)
    assert ears.deaths[0].sentence == "The trainer ended with code 3. It did not say why."


def test_error_of_our_programs_is_the_sentence(worker, ears, wait_until):
    start(worker, "print('error: no such folder: x', file=sys.stderr); sys.exit(2)")
    wait_until(lambda: ears.deaths)
    assert ears.deaths[0].sentence == "no such folder: x"


@pytest.mark.parametrize("code", [0, 75, 130, 143])
def test_ends_that_are_well(worker, ears, wait_until, code):
    start(worker, f"os._exit({code})")
    wait_until(lambda: ears.deaths)
    assert ears.deaths[0].well


def test_missing_program(worker, ears, wait_until):
    worker.start(["/no/such/program"])
    wait_until(lambda: ears.deaths)
    death = ears.deaths[0]
    assert death.cause == "no_start" and not death.well
    assert "could not be started" in death.sentence and "Check" in death.sentence
    assert not worker.running and not worker._watch.isActive()


def test_starts_again_after_an_end(worker, ears, wait_until):
    for count in (1, 2):
        start(worker, "print('x', file=sys.stderr)")
        wait_until(lambda count=count: len(ears.deaths) == count)
        assert ears.deaths[-1].stderr == ("x",)
    assert worker.starts == 2 and worker.uptime == 0


def test_can_be_started_from_the_slot_that_hears_of_its_end(worker, ears, wait_until):
    worker.ended.connect(lambda death: worker.starts < 2 and start(worker, "sys.exit(4)"))
    start(worker, "sys.exit(3)")
    wait_until(lambda: len(ears.deaths) == 2)
    assert [death.code for death in ears.deaths] == [3, 4]


def test_is_not_started_twice(worker):
    start(worker, "time.sleep(30)")
    with pytest.raises(RuntimeError, match="runs already"):
        start(worker, "pass")


# -- bad streams ----------------------------------------------------------------------------------


def test_garbage_is_logged_and_passed_over(worker, ears, wait_until):
    start(
        worker,
        r"""
out = sys.stdout.buffer
out.write(b"not json\n\n[1, 2]\n42\n" + b"[" * 100000 + b"\n\xff\xfe bytes\n")
out.write(b'{"v": 1, "event": "phase", "phase": ["a"]}\n{"v": 1, "event": {}}\n')
out.write(b'{"v": 1, "event": "heartbeat", "next_within": "soon"}\n')
out.write(b'{"v": 1, "event": "warning", "message": "good"}\r\n')
out.flush()
""",
    )
    wait_until(lambda: ears.deaths)
    assert ears.events[-1] == events.Warned(message="good")
    assert "not json" in ears.logs and "42" in ears.logs
    assert any("\ufffd" in line for line in ears.logs)
    assert ears.deaths[0].well


def test_partial_lines_wait_for_their_end(worker, ears, wait_until, spin):
    start(
        worker,
        """
sys.stdout.write('{"v": 1, "event": "warn'); sys.stdout.flush()
sys.stdin.readline()
sys.stdout.write('ing", "message": "whole"}\\n{"v": 1, "eve'); sys.stdout.flush()
""",
    )
    spin(0.3)
    assert not ears.events and not ears.logs
    worker.send(commands.Resume())
    wait_until(lambda: ears.deaths)
    assert ears.events == [events.Warned(message="whole")]
    assert '{"v": 1, "eve' in ears.logs  # the half line of a worker that died is kept for people


def test_long_message_in_pieces(worker, ears, wait_until):
    start(worker, 'say(v=1, event="warning", message="x" * 20_000_000)')
    wait_until(lambda: ears.deaths, 30)
    assert len(ears.events[0].message) == 20_000_000


def test_stream_without_line_breaks_does_not_fill_the_memory(worker, ears, wait_until, monkeypatch):
    monkeypatch.setattr(worker_module, "LONGEST_LINE", 1000)
    start(worker, "sys.stdout.write('x' * 100_000)")
    wait_until(lambda: ears.deaths)
    assert sum(map(len, ears.logs)) == 100_000 and len(ears.logs) > 1


def test_progress_bars_on_stderr_are_lines(worker, ears, wait_until):
    start(worker, r"sys.stderr.write('1 %\r2 %\r\n'); sys.stderr.flush()")
    wait_until(lambda: ears.deaths)
    assert ears.logs == ["1 %", "2 %"]


def test_a_flood_leaves_the_window_its_turn(worker, ears, wait_until):
    start(
        worker,
        """
line = json.dumps(dict(v=1, event="batch_end", epoch=1, batch=1, batches=9, loss=1.0,
                       accuracy=0.5, robust_accuracy=0.5, images_per_second=9.0)) + "\\n"
for _ in range(300):
    sys.stdout.write(line * 100)
""",
    )
    ticks: list[float] = []
    timer = QTimer(interval=10)
    timer.timeout.connect(lambda: ticks.append(time.monotonic()))
    timer.start()
    wait_until(lambda: len(ears.events) == 30_000, 30)
    assert len(ticks) >= 5  # how long a turn may take is measured by benchmarks.app
    wait_until(lambda: ears.deaths)


def test_a_flood_that_is_too_much_loses_figures_of_batches_alone(
    worker, ears, wait_until, monkeypatch
):
    monkeypatch.setattr(worker_module, "BEHIND", 100)
    monkeypatch.setattr(worker_module, "TURN", -1.0)  # it decodes nothing before the end
    start(
        worker,
        """
line = json.dumps(dict(v=1, event="batch_end", epoch=1, batch=1, batches=9, loss=1.0,
                       accuracy=0.5, robust_accuracy=0.5, images_per_second=9.0)) + "\\n"
for _ in range(300):
    sys.stdout.write(line * 200)
    say(v=1, event="phase", phase="x")
""",
    )
    wait_until(lambda: ears.deaths, 30)
    kinds = collections.Counter(event.name for event in ears.events)
    assert kinds["phase"] == 300 and kinds["batch_end"] < 60_000


# -- signs of life ----------------------------------------------------------------------------


def test_silence_is_noticed_and_its_end_too(worker, ears, wait_until, monkeypatch):
    monkeypatch.setattr(worker_module, "SILENT_AFTER", 0.2)
    start(worker, 'sys.stdin.readline(); say(v=1, event="phase", phase="x"); time.sleep(30)')
    wait_until(lambda: ears.silent == [True])
    assert worker.is_silent
    worker.send(commands.Resume())
    wait_until(lambda: ears.silent[:2] == [True, False])


def test_a_promise_of_a_long_silence_stands(worker, ears, wait_until, monkeypatch, spin, tmp_path):
    """Silence after the promise alone: how long Python takes to start is another matter."""
    go = tmp_path / "go"
    start(
        worker,
        f"""
import os
say(v=1, event="heartbeat", next_within=100, memory_mb=123.5)
while not os.path.exists({str(go)!r}):
    time.sleep(0.01)
say(v=1, event="phase", phase="compiling")
time.sleep(30)
""",
    )
    wait_until(lambda: worker.memory_mb == 123.5)
    monkeypatch.setattr(worker_module, "SILENT_AFTER", 0.2)
    go.touch()
    wait_until(lambda: ears.events)
    spin(0.5)
    assert not ears.silent
    assert worker._watch.remainingTime() > 250_000


def test_the_dead_are_not_called_silent(worker, ears, wait_until, monkeypatch, spin):
    monkeypatch.setattr(worker_module, "SILENT_AFTER", 1.5)
    start(worker, "pass")
    wait_until(lambda: ears.deaths)
    spin(1.6)
    assert not ears.silent


# -- survival ---------------------------------------------------------------------------------


def test_an_abandoned_worker_goes_on(worker, ears, wait_until, spin):
    start(worker, 'say(v=1, event="phase", phase="x")\nwhile True: say(v=1), time.sleep(0.01)')
    wait_until(lambda: ears.events)
    process = psutil.Process(worker.pid)
    worker.abandon()
    heard = len(ears.events)
    spin(0.3)
    try:
        assert process.is_running() and abandoned() and not worker.running
        assert len(ears.events) == heard and not ears.deaths
        start(worker, "pass")  # there is room for the next
        wait_until(lambda: ears.deaths)
    finally:
        process.kill()
        wait_until(lambda: not abandoned())


LETS_GO = """
import os, sys
from PySide6.QtCore import QCoreApplication
from gui.worker import Worker, abandoned
app = QCoreApplication([])
worker = Worker("trainer")
worker.event.connect(lambda event: app.quit())
worker.start([sys.executable, "-c", '''
import time
print('{"v": 1, "event": "phase", "phase": "x"}', flush=True)
time.sleep(60)
'''])
app.exec()
print(worker.pid, flush=True)
worker.abandon()
assert abandoned()
os._exit(0)
"""


def test_an_abandoned_worker_survives_the_window():
    done = finished([sys.executable, "-c", LETS_GO], 30)
    assert done.returncode == 0, done.stderr
    process = psutil.Process(int(done.stdout))
    try:
        time.sleep(0.3)
        assert process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    finally:
        process.kill()


def test_worker_has_a_session_of_its_own(worker, wait_until):
    if not hasattr(os, "getsid"):
        pytest.skip("no sessions here")
    start(worker, "time.sleep(30)")
    wait_until(lambda: worker.pid)
    wait_until(lambda: os.getsid(worker.pid) != os.getsid(0))


def test_a_program_of_its_own(tmp_path, wait_until, monkeypatch):
    (tmp_path / "apart.py").write_text("import pathlib, sys\npathlib.Path(sys.argv[1]).mkdir()\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    assert start_apart("apart", str(tmp_path / "begun")) is True
    wait_until((tmp_path / "begun").is_dir)


def test_programs_find_our_package_from_any_folder(worker, ears, wait_until, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    worker.start(program("slr_keras.train", "--help"))
    wait_until(lambda: ears.deaths, 20)
    assert ears.deaths[0].code == 0, ears.deaths[0].sentence
