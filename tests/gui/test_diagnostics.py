"""Log, states, versions, report; and the screen that shows them."""

from __future__ import annotations

import pathlib
import sys
import time
import types

import pytest
from PySide6.QtCore import QObject, Signal
from PySide6.QtGui import QGuiApplication

from gui.models.log import Filter, Log, level_of
from gui.presenters.diagnostics import Diagnostics
from gui.views.diagnostics import DiagnosticsScreen
from gui.worker import Worker

SAYS = """
import json, sys, time
def say(**values): print(json.dumps(dict(v=1, **values)), flush=True)
say(event="hello", program="train", pid=1, version="0")
say(event="run_start", run_dir=sys.argv[1], method="slr", model="m", dataset="d", parameters=1,
    epochs=2, steps_per_epoch=2, device="CPU of the test", versions={"keras": "9.9", "own": "1"})
say(event="warning", message="no validation split")
print("W0000 slow", file=sys.stderr, flush=True)
sys.stdin.readline()
sys.exit(3)
"""


# -- model ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "level"),
    [
        ("error: no such file", "error"),
        ("Traceback (most recent call last):", "error"),
        ("ValueError: bad", "error"),
        ("keras.errors.SomeError: bad", "error"),
        ("E0000 00:00:17 cuda_dnn.cc] Unable", "error"),
        ("W0000 00:00:17 slow", "warning"),
        ("warning: small", "warning"),
        ("/x/y.py:3: UserWarning: hm", "warning"),
        ("I0000 00:00:17 all well", "info"),
        ("Epoch 3, no errors so far", "info"),
    ],
)
def test_levels_of_lines(line, level):
    assert level_of(line) == level


def test_log_is_bounded_and_tells_what_is_new():
    log = Log(kept=3)
    for number in range(5):
        log.write("trainer", str(number))
    assert [entry.text for entry in log] == ["2", "3", "4"]
    assert [entry.text for entry in log.since(4)] == ["4"]
    assert [entry.text for entry in log.since(0)] == ["2", "3", "4"]
    assert log.since(5) == []


def test_a_huge_line_is_cut():
    assert len(Log().write("trainer", "x" * 1_000_000).text) < 3000


def test_filter():
    log = Log()
    log.write("trainer", "error: Disk full")
    log.write("attack lab", "all well")
    assert [e.text for e in log if Filter(level="warning").wants(e)] == ["error: Disk full"]
    assert [e.text for e in log if Filter(source="attack lab").wants(e)] == ["all well"]
    assert [e.text for e in log if Filter(search="disk").wants(e)] == ["error: Disk full"]
    assert log.sources() == ["attack lab", "trainer"]


# -- presenter ------------------------------------------------------------------------------------


@pytest.fixture
def facts(qapp, tmp_path):
    return Diagnostics({"Runs": tmp_path, "Settings": tmp_path / "no" / "such.ini"})


@pytest.fixture
def worker(qapp):
    worker = Worker("trainer")
    yield worker
    worker.kill()
    worker.close(3000)


def test_follows_a_worker_from_start_to_end(facts, worker, tmp_path, wait_until):
    facts.watch(worker)
    assert [s.state for s in facts.states()] == ["running", "not started"]
    worker.start([sys.executable, "-c", SAYS, str(tmp_path / "first")])
    wait_until(lambda: any("slow" in e.text for e in facts.log) and "trainer" in facts.devices)
    state = facts.states()[1]
    assert state.state == "running" and state.pid == worker.pid and state.memory_mb > 1
    assert facts.memory_mb() > facts.states()[0].memory_mb
    assert "CPU of the test" in facts.system()["Devices"]
    worker.close()
    wait_until(lambda: not worker.running)
    assert facts.states()[1].state == "failed" and facts.states()[1].pid is None
    levels = {entry.text: entry.level for entry in facts.log}
    assert levels["no validation split"] == "warning"
    assert any("code 3" in text and level == "error" for text, level in levels.items())


def test_restarts_are_counted(facts, worker, wait_until):
    facts.watch(worker)
    for _ in range(3):
        worker.start([sys.executable, "-c", "pass"])
        wait_until(lambda: not worker.running)
    assert facts.states()[1].restarts == 2 and facts.states()[1].state == "ended"


def test_versions_come_without_importing_a_framework(facts):
    before = set(sys.modules)  # other tests of this process may have imported them
    versions = facts.versions()
    assert {"Python", "PySide6", "pyqtgraph", "numpy", "tensorflow", "keras"} <= set(versions)
    assert "not installed" not in versions["PySide6"]
    assert not {"tensorflow", "keras"} & (set(sys.modules) - before)


def test_report_holds_everything_and_no_home(facts, worker, tmp_path, wait_until, monkeypatch):
    monkeypatch.setattr(pathlib.Path, "home", lambda: tmp_path)
    (tmp_path / "first").mkdir()
    (tmp_path / "first" / "config.toml").write_text('[method]\nname = "slr"\n')
    facts.watch(worker)
    worker.start([sys.executable, "-c", SAYS, str(tmp_path / "first")])
    wait_until(lambda: "trainer" in facts.devices)
    facts.write("window", f"cannot read {tmp_path}/secret.txt", "error")
    report = facts.report()
    assert str(tmp_path) not in report and "~/secret.txt" in report
    assert 'name = "slr"' in report
    assert "keras (of the last run): 9.9" in report and "own (of the last run): 1" in report
    for part in ("Versions", "System", "Folders", "Processes", "Log", "PySide6", "GB free"):
        assert part in report


def test_report_of_a_session_without_a_run(facts):
    assert "No run was started" in facts.report()


def test_report_of_a_run_that_was_deleted(facts, worker, tmp_path, wait_until):
    facts.watch(worker)
    worker.start([sys.executable, "-c", SAYS, str(tmp_path / "gone")])
    wait_until(lambda: "trainer" in facts.devices)
    assert "cannot be read" in facts.report()


# -- screen ---------------------------------------------------------------------------------------


class FakeContext(QObject):
    message = Signal(str)

    def __init__(self, facts):
        super().__init__()
        self.diagnostics = facts
        self.lab = types.SimpleNamespace(restart=lambda: self.restarted.append(1))
        self.restarted: list[int] = []
        self.said: list[str] = []
        self.message.connect(self.said.append)


@pytest.fixture
def context(facts):
    return FakeContext(facts)


@pytest.fixture
def screen(context):
    screen = DiagnosticsScreen(context)
    screen.show()
    screen.shown()
    yield screen
    screen.close()
    screen.deleteLater()


def test_log_view_follows_and_filters(screen, facts, wait_until):
    facts.write("trainer", "first")
    facts.write("attack lab", "error: second")
    wait_until(lambda: "second" in screen.log.text())
    screen.log.set_level("error")
    assert "first" not in screen.log.text() and "second" in screen.log.text()
    screen.log.set_level("info")
    screen.log._search.setText("FIRST")
    assert "first" in screen.log.text() and "second" not in screen.log.text()
    screen.log._search.clear()
    screen.log._source.setCurrentIndex(screen.log._source.findData("attack lab"))
    assert "first" not in screen.log.text() and "second" in screen.log.text()


def test_hidden_log_catches_up(screen, facts, spin):
    screen.hide()
    facts.write("trainer", "while hidden")
    spin(0.3)
    assert "while hidden" not in screen.log.text()
    screen.show()
    assert "while hidden" in screen.log.text()


def test_a_flood_of_lines_is_shown_in_bounded_time(screen, facts, wait_until):
    begun = time.monotonic()
    for number in range(20_000):
        facts.write("trainer", f"line {number}")
    wait_until(lambda: "line 19999" in screen.log.text())
    assert screen.log.text().count("\n") < 5000
    assert time.monotonic() - begun < 5


def test_report_is_copied_and_saved(screen, context, tmp_path):
    screen.save_report(tmp_path / "report.txt")
    text = (tmp_path / "report.txt").read_text(encoding="utf-8")
    assert "Versions" in text and QGuiApplication.clipboard().text() == text
    assert "report.txt" in context.said[-1]
    screen.copy_report()
    assert "clipboard" in context.said[-1]


def test_report_that_cannot_be_saved_is_on_the_clipboard(screen, context, tmp_path):
    screen.save_report(tmp_path / "no such folder" / "report.txt")
    assert "could not be written" in context.said[-1] and "clipboard" in context.said[-1]


def test_processes_are_listed(screen, facts, worker):
    assert screen._processes.rowCount() == 1
    facts.watch(worker)
    facts.changed.emit()
    assert screen._processes.rowCount() == 2
    assert screen._processes.item(1, 0).text() == "Trainer"


def test_level_outlives_the_session(screen, context):
    screen.log.set_level("warning")
    state = screen.state()
    other = DiagnosticsScreen(context)
    other.restore(state)
    assert other.log.level() == "warning"
    other.restore({"level": "of the future"})
    other.restore({})
    assert other.log.level() == "info"
    other.deleteLater()


def test_actions_do_what_they_say(screen, context):
    next(a for a in screen.actions_table() if a.name == "diagnostics.restart_lab").run()
    assert context.restarted
