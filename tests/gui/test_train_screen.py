"""The Train screen with the fake trainer: by mouse, by keyboard, and when things go wrong."""

import os
import pathlib
import signal
import sys
import time

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QAction, QGuiApplication
from PySide6.QtTest import QTest
from PySide6.QtWidgets import (
    QAbstractButton,
    QAbstractSpinBox,
    QApplication,
    QComboBox,
    QMessageBox,
)

from gui.presenters.context import Context, Programs
from gui.views.train import TrainScreen
from slr_keras import config
from slr_keras.run_folder import RunFolder

FAKE = pathlib.Path(__file__).with_name("fake_trainer.py")


@pytest.fixture
def make(qapp, tmp_path, settings, wait_until, spin):
    made = []

    def make(*flags):
        program = [sys.executable, "-u", str(FAKE), *flags]
        context = Context(tmp_path / "runs", settings, Programs(trainer=program, lab=["/nowhere"]))
        screen = TrainScreen(context)
        screen.said, screen.went = [], []
        context.message.connect(lambda text: screen.said.append(text))
        context.trainer.message.connect(lambda text: screen.said.append(text))
        context.go_to.connect(lambda name: screen.went.append(name))
        for action in screen.actions_table():  # the window makes them so
            entry = QAction(action.text, screen, shortcut=action.shortcut)
            entry.triggered.connect(lambda _=False, a=action: a.enabled() and a.run())
            screen.addAction(entry)
        screen.resize(1300, 850)
        screen.show()
        screen.activateWindow()
        wait_until(screen.isActiveWindow)
        made.append((screen, context))
        return screen

    yield make
    for screen, context in made:
        context.trainer.held = True
        context.trainer.worker.kill()
        screen.close()
    spin(0.05)


@pytest.fixture
def until(wait_until):
    def until(screen, state, timeout=5.0):
        wait_until(lambda: screen.trainer.state == state, timeout)

    return until


def slow(make, *flags):
    return make("--batch-seconds", "0.03", *flags)


def short(screen, epochs=2):
    screen.presenter.form.set_text("train.epochs", str(epochs))


def press(screen, key, modifier=Qt.KeyboardModifier.ControlModifier):
    QTest.keyClick(screen.focusWidget() or screen, key, modifier)


def shown_box():
    boxes = [w for w in QApplication.topLevelWidgets() if isinstance(w, QMessageBox)]
    return next((box for box in boxes if box.isVisible()), None)


# -- a run -------------------------------------------------------------------------------------


def test_the_empty_screen_says_what_to_do(make):
    screen = make()
    assert screen.header.status.text().startswith("Choose settings on the left and press Start")
    assert not screen.header.controls.isVisible() and not screen.header.bars.isVisible()
    assert not screen.crash.isVisible() and not screen.queue.isVisible()
    assert not screen.earlier.isVisible()


def test_start_watch_and_end(make, until, wait_until):
    screen = slow(make)
    short(screen)
    screen.start.click()
    assert screen.header.status.text() == "Starting Python…"
    assert screen.start.text() == "Add to queue"
    wait_until(lambda: screen.header.status.text() == "Epoch 1 of 2")
    assert screen.header.name.text() == screen.trainer.current.name
    assert screen.header.device.text() == "CPU (fake)"
    wait_until(lambda: "1,000 images/s" in screen.header.numbers.text())
    assert screen.charts.runs[0].path == screen.trainer.current.path
    wait_until(lambda: screen.header.epochs.value() >= 1)
    until(screen, "idle")
    assert screen.header.status.text().endswith("is complete.")
    assert not screen.header.controls.isVisible() and screen.start.text() == "Start"
    wait_until(lambda: len(screen.charts.runs[0].curves.epochs) == 2)


def test_a_wrong_setting_is_shown_instead_of_started(make, wait_until):
    screen = make()
    screen.form.fold(["train"])
    screen.show_form(False)
    screen.presenter.form.set_text("train.epochs", "0")
    screen.begin()
    assert not screen.trainer.busy and "train.epochs" in screen.said[-1]
    assert screen.left.isVisible()
    assert screen.focusWidget().accessibleName() == "train Epochs"


def test_a_second_start_joins_the_queue(make, until, wait_until):
    screen = slow(make)
    short(screen, 40)
    screen.start.click()
    short(screen, 1)
    screen.start.click()
    screen.start.click()
    assert screen.queue.isVisible() and screen.queue.list.count() == 2
    assert "waits in the queue" in screen.said[-1]
    first = screen.trainer.queue[0]
    screen.queue.list.setCurrentRow(0)
    screen.queue.down.click()
    assert screen.trainer.queue[1] == first and screen.queue.list.currentRow() == 1
    screen.queue.list.setFocus()
    QTest.keyClick(screen.queue.list, Qt.Key.Key_Delete)
    assert first not in screen.trainer.queue and screen.queue.list.count() == 1
    until(screen, "running")
    screen.header.stop.click()
    until(screen, "idle")
    assert screen.queue.start.isVisible()
    screen.queue.start.click()
    assert not screen.queue.isVisible()
    until(screen, "idle")
    assert screen.trainer.last.kind == "done"


def test_the_whole_flow_by_keyboard(make, until, wait_until, spin):
    screen = slow(make)
    press(screen, Qt.Key.Key_L)  # presets: the third of the list
    popup = screen.form.top.presets.view()
    wait_until(popup.isVisible)
    for key in (Qt.Key.Key_Home, Qt.Key.Key_Down, Qt.Key.Key_Down, Qt.Key.Key_Return):
        QTest.keyClick(popup, key)
    wait_until(lambda: not popup.isVisible())
    spin(0.2)  # the offscreen platform gives the closed list the focus
    screen.activateWindow()
    wait_until(screen.isActiveWindow)
    assert screen.presenter.form.config == config.load(config.preset_names()[1])
    press(screen, Qt.Key.Key_Slash)
    assert screen.focusWidget() is screen.form.search
    QTest.keyClicks(screen.focusWidget(), "epochs train")
    end = time.monotonic() + 30
    while screen.focusWidget().accessibleName() != "train Epochs":
        assert time.monotonic() < end, screen.focusWidget()
        QTest.keyClick(screen.focusWidget(), Qt.Key.Key_Tab)
    screen.focusWidget().selectAll()
    QTest.keyClicks(screen.focusWidget(), "60")
    press(screen, Qt.Key.Key_Return)
    until(screen, "running")
    assert screen.presenter.form.config.train.epochs == 60
    press(screen, Qt.Key.Key_P)
    until(screen, "paused")
    assert screen.header.pause.text() == "Continue"
    press(screen, Qt.Key.Key_P)
    until(screen, "running")
    both = Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.ShiftModifier
    press(screen, Qt.Key.Key_P, both)
    until(screen, "paused")
    press(screen, Qt.Key.Key_B)
    assert not screen.left.isVisible() and screen.unfold.isVisible()
    press(screen, Qt.Key.Key_B)
    press(screen, Qt.Key.Key_Period)
    until(screen, "idle")
    assert screen.trainer.last.kind == "stopped"
    assert RunFolder(screen.trainer.last.job.path).status() == "stopped"


def test_more_epochs_than_qt_can_count(make, until):
    screen = slow(make)
    short(screen, 10**11)
    screen.begin()
    until(screen, "running")
    assert screen.header.after.maximum() == screen.header.epochs.maximum() == 2**31 - 1
    assert screen.header.status.text() == "Epoch 1 of 100000000000"


def test_pause_after_an_epoch_by_mouse(make, until, wait_until):
    screen = slow(make)
    short(screen, 9)
    screen.begin()
    until(screen, "running")
    assert (screen.header.after.minimum(), screen.header.after.maximum()) == (1, 8)
    screen.header.after.setValue(2)
    screen.header.set_after.click()
    assert (
        screen.trainer.progress.pause_at == 2
        and "Pauses after epoch 2." in screen.header.status.text()
    )
    until(screen, "paused")
    assert screen.trainer.progress.finished == 2 and screen.header.after.minimum() == 3


@pytest.mark.parametrize(
    ("button", "kind"), [("Discard", "discarded"), ("Stop and save", "stopped"), ("Cancel", "")]
)
def test_discard_asks(make, until, wait_until, button, kind):
    screen = slow(make)
    short(screen, 40)
    screen.begin()
    until(screen, "running")
    screen.header.drop.click()
    wait_until(shown_box)
    assert "saves nothing more" in shown_box().informativeText()
    texts = {b.text().replace("&", ""): b for b in shown_box().buttons()}
    texts[button].click()
    wait_until(lambda: shown_box() is None)
    if kind:
        until(screen, "idle")
        assert screen.trainer.last.kind == kind
    else:
        assert screen.trainer.state == "running"


def test_the_lab_opens_on_the_run(make, until, wait_until):
    screen, asked = slow(make), []
    screen.context.attack_model.connect(lambda path, which: asked.append((path, which)))
    short(screen, 40)
    screen.begin()
    until(screen, "running")
    wait_until(screen.header.lab.isEnabled)  # there is a checkpoint
    screen.header.lab.click()
    assert asked == [(screen.trainer.current.path, "current")] and screen.went[-1] == "lab"


# -- bad ends ----------------------------------------------------------------------------------


def test_a_killed_trainer_is_a_red_card_within_a_second(make, until, wait_until):
    screen = slow(make, "--chatter", "12")
    short(screen, 40)
    screen.begin()
    wait_until(lambda: screen.trainer.progress.saved)  # of the first epoch
    path = screen.trainer.current.path
    os.kill(screen.trainer.worker.pid, signal.SIGKILL)
    wait_until(screen.crash.isVisible, 1.0)
    card = screen.crash
    assert "SIGKILL" in card.sentence.text() and "crashed" in card.title.text()
    assert "line 11 on stderr" in card.lines.toPlainText() and card.again.isVisible()
    assert not screen.header.status.isVisible()  # said once is enough
    card.copy.click()
    text = QGuiApplication.clipboard().text()
    assert path in text and "line 0 on stderr" in text and "code 9" in text
    card.again.click()
    assert not card.isVisible() and screen.trainer.current.path == path
    until(screen, "running")
    assert screen.trainer.progress.begun >= 1


def test_a_run_that_never_began_cannot_be_resumed(make, until, tmp_path):
    screen = make()
    (tmp_path / "runs" / "taken").mkdir(parents=True)
    (tmp_path / "runs" / "taken" / "x").touch()
    screen.presenter.form.set_text("run_dir", "taken")
    screen.begin()
    until(screen, "idle")
    assert "exists" in screen.crash.sentence.text() and not screen.crash.again.isVisible()
    screen.crash.close_.click()
    assert not screen.crash.isVisible() and screen.header.status.isVisible()


def test_silence_offers_to_kill(make, until, wait_until, monkeypatch):
    monkeypatch.setattr("gui.worker.SILENT_AFTER", 0.3)
    screen = make("--hang", "--after", "2")
    short(screen)
    screen.begin()
    wait_until(lambda: screen.trainer.state == "running" and screen.trainer.silent)
    assert screen.header.status.text().startswith("No sign of life for")
    assert screen.header.kill.isVisible()
    screen.header.kill.click()
    wait_until(screen.crash.isVisible)
    assert "ended by force" in screen.crash.sentence.text()


def test_a_full_disk_is_a_warning_in_the_header(make, wait_until):
    screen = slow(make, "--no-space")
    short(screen, 40)
    screen.begin()
    wait_until(screen.header.warnings.isVisible)
    assert "No space left" in screen.header.warnings.text()


# -- others' runs ------------------------------------------------------------------------------


def test_earlier_runs_in_the_charts_and_back(make, until, wait_until):
    screen = slow(make)
    short(screen, 1)
    screen.begin()
    until(screen, "idle")
    earlier = screen.presenter.live
    short(screen, 40)
    screen.begin()
    until(screen, "running")
    screen.context.store.scan()
    screen.context.chart_runs.emit([earlier])
    assert [run.path for run in screen.charts.runs] == [earlier]
    assert screen.earlier.isVisible() and pathlib.Path(earlier).name in screen.earlier_text.text()
    screen.back.click()
    assert screen.charts.runs[0].path == screen.trainer.current.path
    assert not screen.earlier.isVisible()


def test_runs_that_are_gone_are_not_charted(make):
    screen = make()
    screen.context.chart_runs.emit(["/nowhere/a", "/nowhere/b"])
    assert not screen.earlier.isVisible() and len(screen.charts.runs) == 0


def test_the_settings_of_a_run_come_into_the_form(make, tmp_path):
    screen = make()
    run = RunFolder.create(config.load(values={"run_dir": str(tmp_path / "r"), "seed": 11}))
    screen.toggle_form()
    screen.context.edit_config.emit(str(run.path))
    assert screen.presenter.form.config.seed == 11 and screen.left.isVisible()
    (run.path / "config.toml").write_text("seed = -1")
    screen.context.edit_config.emit(str(run.path))
    assert "could not be read" in screen.said[-1] and screen.presenter.form.config.seed == 11


def test_the_estimate_comes_from_earlier_runs(make, until, wait_until):
    screen = make()
    wait_until(lambda: screen.estimate.text())
    assert "unknown until the first epoch" in screen.estimate.text()
    short(screen, 3)
    screen.begin()
    until(screen, "idle")
    screen.context.store.scan()
    screen.shown()
    assert "judging by an earlier run" in screen.estimate.text()
    screen.presenter.form.set_text("seed", "x")
    wait_until(lambda: not screen.estimate.isVisible())


# -- the rest ----------------------------------------------------------------------------------


def test_a_session_comes_back(make):
    first = make()
    first.presenter.form.load_preset(config.preset_names()[0])
    first.presenter.form.set_text("seed", "12x")  # half-typed
    first.form.fold(["eval", "data"])
    first.toggle_form()
    second = make()
    second.restore(first.state())
    assert second.presenter.form.rows["seed"].text == "12x"
    assert second.presenter.form.preset == config.preset_names()[0]
    assert sorted(second.form.folded()) == ["data", "eval"]
    assert not second.left.isVisible()
    assert second.state() == first.state()


def test_charts_of_the_last_session_come_back_when_their_runs_are_found(make, until):
    first = make()
    short(first, 1)
    first.begin()
    until(first, "idle")
    second = make()
    second.restore(first.state())
    assert len(second.charts.runs) == 0  # nobody has looked at the disk yet
    second.context.store.scan()
    second.shown()
    assert [run.path for run in second.charts.runs] == [first.presenter.live]


@pytest.mark.parametrize(
    "state", [{}, {"texts": 3}, {"texts": {"gone": "1"}, "folded": "x", "sizes": ["a", 1]}]
)
def test_a_session_that_makes_no_sense_is_passed_over(make, state):
    screen = make()
    screen.restore(state)
    assert screen.presenter.form.config == config.RunConfig()


def test_actions_have_names_and_shortcuts_of_their_own(make):
    actions = make().actions_table()
    assert len({action.name for action in actions}) == len(actions)
    keys = [action.shortcut for action in actions if action.shortcut]
    assert len(set(keys)) == len(keys) and {"Ctrl+Return", "Ctrl+P"} <= set(keys)


def test_every_control_has_a_name(make):
    screen = make()
    for kind in (QAbstractButton, QComboBox, QAbstractSpinBox):
        for part in (screen.left, screen.header, screen.crash, screen.queue):
            for widget in part.findChildren(kind):
                inside = isinstance(widget.parent(), (QComboBox, QAbstractSpinBox))
                named = widget.accessibleName() or getattr(widget, "text", str)()
                assert named or inside or type(widget.parent()).__name__.endswith("Edit"), widget
