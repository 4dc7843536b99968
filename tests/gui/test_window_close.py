"""Closing while a run goes on: each answer does what it says."""

from __future__ import annotations

import sys
import time
import types

import psutil
import pytest

from gui.presenters.trainer import Trainer
from gui.views.close_dialog import CloseDialog
from gui.worker import ROOT, abandoned
from slr_keras.run_folder import RunFolder
from tests.gui.fake_programs import FAKE_TRAINER, quick_config
from tests.processes import finished


@pytest.fixture
def make_trainer(qapp, tmp_path):
    made = []

    def make(*flags: str) -> Trainer:
        store = types.SimpleNamespace(runs_dir=tmp_path)
        made.append(Trainer(store, [*FAKE_TRAINER, "--batch-seconds", "0.05", *flags]))
        return made[-1]

    yield make
    for trainer in made:
        trainer.worker.kill()
        trainer.worker.close(3000)


@pytest.fixture
def asked(make_trainer, wait_until):
    """A dialog over a run that goes on; the list grows when the window may leave."""

    def ask(*flags: str):
        trainer = make_trainer(*flags)
        path = trainer.enqueue(quick_config(epochs=200))
        wait_until(lambda: trainer.state == "running" or "--phase-seconds" in flags)
        dialog, left = CloseDialog(trainer), []
        dialog.leave.connect(lambda: left.append(1))
        dialog.open()
        return trainer, path, dialog, left

    yield ask


def test_cancel_changes_nothing(asked, spin):
    trainer, _, dialog, left = asked()
    dialog.cancel.click()
    spin(0.2)
    assert not left and trainer.state == "running" and not dialog.isVisible()


def test_stop_and_save_waits_until_it_is_saved(asked, wait_until):
    trainer, path, dialog, left = asked()
    dialog.stop.click()
    assert "saves its state" in dialog.text() and not left
    wait_until(lambda: left)
    assert not trainer.busy and RunFolder.open(path).status() == "stopped"
    assert not dialog.isVisible()


def test_keep_lets_it_go_on_without_the_window(asked, wait_until, spin):
    trainer, path, dialog, left = asked()
    process = psutil.Process(trainer.worker.pid)
    dialog.keep.click()
    wait_until(lambda: left)
    try:
        assert abandoned() and process.is_running() and not trainer.busy
        assert RunFolder.open(path).status() == "running"
    finally:
        process.kill()
        wait_until(lambda: not abandoned())


def test_waiting_can_be_left(asked, spin):
    trainer, _, dialog, left = asked("--deaf")
    dialog.keep.click()
    spin(0.2)
    assert dialog.isVisible() and not left and "alone" in dialog.text()
    dialog.cancel.click()
    assert not left and trainer.busy


def test_close_now_does_not_wait_for_one_that_does_not_answer(asked, spin):
    trainer, _, dialog, left = asked("--deaf")
    dialog.stop.click()
    spin(0.2)
    assert not left and dialog.now.isVisible()
    dialog.now.click()
    assert left and trainer.busy  # the end of its stdin will tell it


def test_a_refusal_is_said_and_asked_again(asked, wait_until):
    _, _, dialog, left = asked("--refuse")
    dialog.stop.click()
    wait_until(lambda: "refuses" in dialog.text())
    assert dialog.stop.isVisible() and not left
    dialog.keep.click()
    wait_until(lambda: "refuses" in dialog.text() and dialog.keep.isVisible())
    assert not left


def test_a_run_that_ends_meanwhile_needs_no_answer(make_trainer, wait_until):
    trainer = make_trainer()
    trainer.enqueue(quick_config(epochs=2))
    dialog, left = CloseDialog(trainer), []
    dialog.leave.connect(lambda: left.append(1))
    dialog.open()
    wait_until(lambda: left, 30)
    assert trainer.last.kind == "done"


def test_a_crash_while_saving_does_not_hold_the_window(asked, wait_until):
    trainer, _, dialog, left = asked("--deaf")
    dialog.stop.click()
    trainer.worker.kill()
    wait_until(lambda: left)


def test_the_queue_is_spoken_of(make_trainer, wait_until):
    trainer = make_trainer()
    for _ in range(3):
        trainer.enqueue(quick_config(epochs=200))
    dialog = CloseDialog(trainer)
    assert "The 2 runs in the queue wait" in dialog.text()
    trainer.remove(trainer.queue[0])
    assert "The run in the queue waits" in CloseDialog(trainer).text()


WINDOW = """
import sys, pathlib
sys.path.insert(0, {root!r})
from tests.gui.fake_programs import programs, quick_config
from gui import app as app_module
from PySide6.QtCore import QSettings, QTimer
app = app_module.application()
settings = QSettings(sys.argv[1] + "/settings.ini", QSettings.Format.IniFormat)
session = app_module.Session(app, settings, pathlib.Path(sys.argv[1], "runs"), programs())
window, trainer = session.window, session.context.trainer
window.show()
trainer.enqueue(quick_config(epochs=200))
def look():
    if trainer.state == "running" and window.closing is None:
        print(trainer.worker.pid, flush=True)
        window.close()
        getattr(window.closing, sys.argv[2]).click()
        timer.stop()
timer = QTimer(interval=20)
timer.timeout.connect(look)
timer.start()
app.exec()
session.end()
"""


@pytest.mark.parametrize(("answer", "lives"), [("keep", True), ("stop", False)])
def test_what_the_trainer_process_does_when_the_window_is_gone(tmp_path, answer, lives):
    code = WINDOW.format(root=str(ROOT))
    command = [sys.executable, "-c", code, str(tmp_path), answer]
    done = finished(command, 60)
    assert done.returncode == 0, done.stderr
    pid = int(done.stdout.split()[0])
    (folder,) = [RunFolder.open(p.parent) for p in (tmp_path / "runs").glob("*/config.toml")]
    try:
        time.sleep(0.5)
        assert psutil.pid_exists(pid) is lives
        assert folder.status() == ("running" if lives else "stopped")
        if lives:
            before = len(folder.epochs())
            time.sleep(1.0)
            assert len(folder.epochs()) > before  # it trains, it does not only exist
    finally:
        if psutil.pid_exists(pid):
            psutil.Process(pid).kill()
