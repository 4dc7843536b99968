"""The window: rail, shortcuts, menus, session, messages, two windows, trouble."""

from __future__ import annotations

import collections
import json
import os
import pathlib
import signal
import subprocess
import sys
import time

import psutil
import pytest
from PySide6.QtCore import QRect, QSettings, Qt, QTimer
from PySide6.QtGui import QAction, QKeySequence
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QMessageBox

from gui import app as app_module
from gui import theme
from gui.app import Session, runs_folder
from gui.instance import FolderClaim
from gui.presenters.context import Programs
from gui.views.diagnostics import DiagnosticsScreen
from gui.views.message_bar import MessageBar
from gui.views.palette import Palette, Shortcuts
from gui.views.screens import NAMES, SCREENS
from gui.views.window import Window
from gui.worker import ROOT
from slr_keras.run_folder import RunFolder
from tests.gui._runs import make_run
from tests.gui.fake_programs import FAKE_LAB, FAKE_TRAINER, quick_config
from tests.processes import begin, finished


def make_session(app, folder: pathlib.Path, settings: QSettings, lab=FAKE_LAB, whole=True):
    fakes = Programs([*FAKE_TRAINER, "--batch-seconds", "0.03"], lab)
    session = Session(app, settings, folder, fakes)
    session.window.show()
    if whole:
        session.window.complete()
    return session


def end(session: Session) -> None:
    for worker in (session.context.trainer.worker, session.context.lab.worker):
        worker.kill()
        worker.close(3000)
    session.window.leave()
    session.end()
    session.window.deleteLater()


@pytest.fixture
def open_session(qapp, settings, tmp_path):
    """Opens windows on a runs folder, with fake programs; ends them after the test."""
    sessions = []

    def make(folder: pathlib.Path = tmp_path / "runs", whole: bool = True) -> Session:
        sessions.append(make_session(qapp, folder, settings, whole=whole))
        return sessions[-1]

    yield make
    for session in sessions:
        end(session)


@pytest.fixture(scope="module")
def shared(qapp, tmp_path_factory):
    """One window for the tests that leave it as it was; its lab ends at once."""
    folder = tmp_path_factory.mktemp("shared")
    settings = QSettings(str(folder / "settings.ini"), QSettings.Format.IniFormat)
    session = make_session(qapp, folder / "runs", settings, [sys.executable, "-c", "pass"])
    yield session
    end(session)


@pytest.fixture
def window(shared, spin, wait_until):
    shared.window.show_screen("runs")
    shared.window.activateWindow()
    wait_until(shared.window.isActiveWindow)
    spin(0.02)
    while shared.window.messages.text():
        shared.window.messages.dismiss()
    yield shared.window
    theme.choose("light", shared.context.settings)


def action(window, name):
    return next(a for a in window.actions_table if a.name == name)


def names(window):
    return [a.name for a in window.actions_table]


# -- rail and screens -----------------------------------------------------------------------------


def test_rail_leads_to_every_screen(window):
    assert list(window.screens) == [
        "runs",
        "train",
        "evaluate",
        "compare",
        "labels",
        "lab",
        "export",
        "diagnostics",
    ]
    for name, screen in window.screens.items():
        window.rail.button(name).click()
        assert window.current is screen and window.rail.button(name).isChecked()


@pytest.mark.parametrize(
    ("key", "name"), [(str(number), name) for number, name in enumerate(NAMES, 1)]
)
def test_screens_by_keyboard(window, key, name, wait_until):
    window.show_screen("diagnostics" if name != "diagnostics" else "runs")
    QTest.keyClick(window, key, Qt.KeyboardModifier.ControlModifier)
    wait_until(lambda: window.current.name == name)


def test_screens_send_to_each_other(window):
    window.context.go_to.emit("diagnostics")
    assert window.current.name == "diagnostics"
    window.context.go_to.emit("of the future")
    assert window.current.name == "diagnostics"
    window.context.chart_runs.emit([])
    assert window.current.name == "train"


def test_places_say_what_the_screens_say(window):
    for place in SCREENS:
        assert (place.name, place.title) == (place.screen().name, place.screen().title)


def test_a_window_that_was_left_on_the_charts_comes_back_there(open_session, settings, wait_until):
    settings.setValue("window/screen", "train")
    window = open_session(whole=False).window
    wait_until(lambda: list(window.screens), 30)
    assert window.current.name == "train" and window.rail.button("train").isChecked()


def test_screens_come_by_themselves_when_the_runs_are_read(open_session, wait_until):
    window = open_session(whole=False).window
    assert list(window.screens) == ["runs"] and not window.stack.complete
    assert action(window, "runs.compare") and "train.start" not in names(window)
    wait_until(lambda: window.stack.complete, 30)
    assert list(window.screens) == NAMES and action(window, "train.start")


def test_a_screen_hears_what_it_was_asked_before_it_was_there(open_session, tmp_path):
    run = make_run(tmp_path / "runs/a", [0.2, 0.3])
    window = open_session(whole=False).window
    window.context.store.scan()
    window.context.compare_runs.emit([str(run.path)])
    compare = window.current
    assert compare.name == "compare" and compare.presenter._paths == [str(run.path)]
    assert window.stack.complete


def test_lab_starts_after_the_window_is_there(open_session, wait_until):
    session = open_session()
    wait_until(lambda: session.context.lab.worker.running)
    assert session.window._was_painted
    wait_until(lambda: "ready" in session.window.status.lab.text())


def test_status_bar_tells_and_leads(open_session, wait_until):
    window = open_session().window
    assert window.status.trainer.text() == "No run is going on"
    window.status.memory.click()
    assert window.current.name == "diagnostics"
    window.context.trainer.enqueue(quick_config(epochs=100))
    wait_until(lambda: "poch" in window.status.trainer.text())
    wait_until(lambda: window.status.device.text() == "CPU (fake)")
    assert "poch" in window.windowTitle()
    assert window.status.memory.text().endswith(" MB")


def test_the_status_bar_paints_a_dot_for_a_new_colour_alone(shared):
    status, keys = shared.window.status, []
    for text, colour in (("Epoch 1", "good"), ("Epoch 2", "good"), ("Paused", "warn")):
        status._show(status.trainer, text, colour)
        keys.append(status.trainer.icon().cacheKey())
    assert keys[0] == keys[1] != keys[2]
    status.refresh()


def test_both_themes_draw(window, settings, spin):
    for choice, low, high in (("light", 200, 255), ("dark", 0, 60)):
        theme.choose(choice, settings)
        for name in window.screens:
            window.show_screen(name)
            spin()
            assert low <= window.grab().toImage().pixelColor(40, 500).lightness() <= high


# -- actions --------------------------------------------------------------------------------------


def test_table_of_actions_is_sound(window):
    names = [a.name for a in window.actions_table]
    assert len(set(names)) == len(names)
    for entry in window.actions_table:
        assert bool(entry.shortcut) == bool(QKeySequence(entry.shortcut).toString()), entry.name
        assert entry.text and entry.text[0].isupper(), entry.name
        assert not entry.help or entry.help.endswith("."), entry.name
        entry.enabled()


def test_no_shortcut_is_ambiguous_on_any_screen(window):
    for name in window.screens:
        window.show_screen(name)
        items = [window.findChild(QAction, entry.name) for entry in window.actions_table]
        keys = [item.shortcut().toString() for item in items if item is not None]
        twice = [key for key, count in collections.Counter(keys).items() if key and count > 1]
        assert not twice
    window.show_screen("lab")
    for entry in window.screens["lab"].actions_table():
        item = window.findChild(QAction, entry.name)
        assert item is None or item.shortcut() == QKeySequence(entry.shortcut), entry.name


def test_every_action_is_in_a_menu_or_in_the_palette(window):
    items = {item.objectName() for item in window.findChildren(QAction)}
    for entry in window.actions_table:
        assert entry.name in items or not (entry.menu or entry.shortcut)


def test_palette_by_keyboard(window, wait_until):
    window.show_screen("runs")
    QTest.keyClick(window, "k", Qt.KeyboardModifier.ControlModifier)
    wait_until(lambda: window.findChild(Palette))
    palette = window.findChild(Palette)
    QTest.keyClicks(palette.line, "go to diag")
    QTest.keyClick(palette.line, Qt.Key.Key_Return)
    wait_until(lambda: window.current.name == "diagnostics")
    wait_until(lambda: window.findChild(Palette) is None)


def test_shortcuts_and_about(window, wait_until):
    QTest.keyClick(window, Qt.Key.Key_F1)
    wait_until(lambda: window.findChild(Shortcuts))
    window.findChild(Shortcuts).close()
    action(window, "help.about").run()
    wait_until(lambda: window.findChild(QMessageBox))
    window.findChild(QMessageBox).close()


def test_what_cannot_be_done_now(window):
    dismiss = action(window, "view.dismiss")
    menu = next(m for m in window.menuBar().actions() if m.text() == "&View").menu()
    item = next(i for i in menu.actions() if i.objectName() == "view.dismiss")
    menu.aboutToShow.emit()
    assert not item.isEnabled()
    menu.aboutToHide.emit()
    assert item.isEnabled()  # its shortcut must work when the state has changed
    window.run(dismiss)
    assert "cannot be done now" in window.messages.text()
    window.run(dismiss)
    assert window.messages.text() == ""


def test_theme_by_action_is_remembered(window):
    window.run(action(window, "theme.dark"))
    assert theme.colours() is theme.DARK
    assert window.context.settings.value(theme.KEY) == "dark"
    assert not action(window, "theme.dark").enabled()


# -- session --------------------------------------------------------------------------------------


def test_next_session_looks_the_same(open_session, settings, spin):
    first = open_session()
    first.window.show_screen("diagnostics")
    first.window.screens["diagnostics"].restore({"level": "error"})
    first.window.resize(1111, 777)
    spin(0.05)
    first.window.close()
    first.end()
    second = open_session()
    assert second.window.current.name == "diagnostics"
    assert second.window.width() != 1360  # as far as the offscreen screen has room
    assert second.window.screens["diagnostics"].state() == {"level": "error"}
    assert settings.value("runs_dir").endswith("runs")


def test_the_first_window_fits_the_screen(open_session, monkeypatch):
    small = type("Screen", (), {"availableGeometry": lambda self: QRect(0, 0, 1040, 720)})()
    monkeypatch.setattr(Window, "screen", lambda self: small)
    size = open_session().window.size()
    assert (size.width(), size.height()) == (1040, 680)


def test_damaged_settings_are_passed_over(open_session, settings):
    settings.setValue("window/geometry", "nonsense")
    settings.setValue("window/screen", "of the future")
    for name in NAMES:
        settings.setValue(f"screens/{name}", "{half a")
    assert open_session().window.current.name == "runs"


@pytest.mark.parametrize("state", ["[1, 2]", '"text"', "null", "{half a"])
def test_states_that_are_none_are_passed_over(window, state):
    window.context.settings.setValue("screens/runs", state)
    assert window._state_of("runs") == {}


def test_states_of_other_versions_are_passed_over(window):
    for screen in window.screens.values():
        before = screen.state()
        screen.restore({"of the future": 1})
        screen.restore({})
        screen.restore(before)
        json.dumps(screen.state())


def test_state_is_json(window):
    for screen in window.screens.values():
        assert json.loads(json.dumps(screen.state())) == screen.state()


def test_a_screen_that_cannot_be_restored_does_not_stop_the_others(open_session, monkeypatch):
    def broken(self, state):
        raise ValueError("of course")

    monkeypatch.setattr(DiagnosticsScreen, "restore", broken)
    window = open_session().window
    assert list(window.screens) == NAMES
    assert "went wrong" in window.messages.text() and "of course" in window.messages.text()


def test_which_runs_folder(tmp_path, settings, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert runs_folder(None, settings) == pathlib.Path("runs")
    settings.setValue("runs_dir", str(tmp_path / "last"))
    assert runs_folder(None, settings) == pathlib.Path("runs")  # the last one is gone
    (tmp_path / "last").mkdir()
    assert runs_folder(None, settings) == tmp_path / "last"
    (tmp_path / "runs").mkdir()
    assert runs_folder(None, settings) == pathlib.Path("runs")
    assert runs_folder(tmp_path / "asked", settings) == tmp_path / "asked"


# -- messages and trouble -------------------------------------------------------------------------


def test_messages(window, wait_until):
    window.context.message.emit("A sentence.")
    assert window.messages.text() == "A sentence."
    assert any(e.text == "A sentence." for e in window.context.diagnostics.log)
    window.messages.dismiss()
    assert window.messages.text() == ""


def test_message_goes_by_itself_but_trouble_stays(qapp, monkeypatch, wait_until, spin):
    monkeypatch.setattr("gui.views.message_bar.SHOWN", 50)
    bar = MessageBar()
    bar.say("By the way.")
    wait_until(lambda: bar.text() == "")
    bar.say("Trouble.", trouble=True)
    spin(0.2)
    bar.say("By the way.")
    assert bar.text() == "Trouble.\nBy the way."
    spin(0.2)
    assert bar.text()
    bar.dismiss()
    bar.say("By the way.")
    assert bar.text() == "By the way."


def test_an_exception_in_a_slot_is_said_and_logged(shared, window, wait_until, capsys, monkeypatch):
    monkeypatch.setattr(sys, "excepthook", shared.report)

    def broken():
        raise ValueError("a defect of the test")

    QTimer.singleShot(0, broken)
    wait_until(lambda: "a defect of the test" in window.messages.text())
    assert window.isVisible()
    log = [e for e in shared.context.diagnostics.log if "a defect of the test" in e.text]
    (entry,) = [e for e in log if "Traceback" in e.text]
    assert entry.level == "error" and "broken" in entry.text
    assert "a defect of the test" in capsys.readouterr().err


def test_a_defect_in_a_timer_does_not_flood(shared, window, spin, capsys, monkeypatch):
    monkeypatch.setattr(sys, "excepthook", shared.report)
    timer = QTimer(interval=1)
    timer.timeout.connect(lambda: [][1])
    timer.start()
    spin(0.3)
    timer.stop()
    errors = [e for e in shared.context.diagnostics.log if "IndexError" in e.text]
    assert 0 < len(errors) <= app_module.LOGGED_OF_A_KIND


# -- two windows, bad folders ---------------------------------------------------------------------


def test_two_windows_on_one_folder(open_session, tmp_path):
    first = open_session(whole=False)
    assert first.window.messages.text() == ""
    second = open_session(whole=False)
    assert "Another window" in second.window.messages.text()
    for session, kept in ((first, True), (second, False)):
        trainer = session.context.trainer
        trainer.enqueue(quick_config(epochs=300))
        trainer.enqueue(quick_config(epochs=200 + kept))
        assert trainer.keeps_queue is kept
    (waiting,) = json.loads((tmp_path / "runs" / "queue.json").read_text())
    assert waiting["config"]["train"]["epochs"] == 201  # the second window did not write it
    for session in (first, second):
        end(session)
    (tmp_path / "runs" / "queue.json").unlink()
    assert open_session(whole=False).window.messages.text() == ""


def test_a_dead_window_claims_nothing(tmp_path):
    code = (
        "import os, pathlib, sys; from gui.instance import FolderClaim\n"
        "claim = FolderClaim(pathlib.Path(sys.argv[1])); assert claim.take() == ''; os._exit(0)"
    )
    done = finished([sys.executable, "-c", code, str(tmp_path)], 30, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    assert FolderClaim(tmp_path).take() == ""


def test_folder_that_cannot_be_created(open_session, tmp_path):
    (tmp_path / "file").write_text("")
    session = open_session(tmp_path / "file" / "runs", whole=False)
    assert "cannot be created" in session.window.messages.text()


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may write everywhere")
def test_folder_that_cannot_be_written(open_session, tmp_path):
    tmp_path.joinpath("runs").mkdir(mode=0o500)
    assert "cannot be written" in open_session(whole=False).window.messages.text()


# -- the end --------------------------------------------------------------------------------------


def test_closing_without_a_run_asks_nothing(open_session, settings):
    window = open_session(whole=False).window
    window.show_screen("lab")
    assert window.close() and window.closing is None
    assert settings.value("window/screen") == "lab"


def test_closing_with_a_run_asks_once(open_session, wait_until):
    window = open_session(whole=False).window
    window.context.trainer.enqueue(quick_config(epochs=200))
    assert not window.close()
    dialog = window.closing
    assert dialog is not None and dialog.isVisible()
    assert not window.close() and window.closing is dialog
    dialog.cancel.click()
    wait_until(lambda: window.closing is None)
    assert window.isVisible() and window.context.trainer.busy
    window.close()
    wait_until(lambda: window.context.trainer.state == "running")
    window.closing.stop.click()
    wait_until(lambda: not window.isVisible())


TERMINATED = """
import sys, pathlib
sys.path.insert(0, sys.argv[2])
from tests.gui.fake_programs import programs, quick_config
from gui import app as app_module
from PySide6.QtCore import QSettings
app = app_module.application()
settings = QSettings(sys.argv[1] + "/settings.ini", QSettings.Format.IniFormat)
folder = pathlib.Path(sys.argv[1], "runs")
session = app_module.Session(app, settings, folder, programs("--batch-seconds", "0.05"))
session.window.show()
session.context.trainer.event.connect(
    lambda event: print(session.context.trainer.worker.pid, flush=True)
)
session.context.trainer.enqueue(quick_config(epochs=500))
app.exec()
session.end()
"""


def lives(pid: int) -> bool:
    """A zombie that nobody waits for does not."""
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGTERM, 0), (signal.SIGINT, 0), (signal.SIGKILL, -signal.SIGKILL)]
)
def test_however_the_window_ends_the_run_is_saved_and_nothing_is_orphaned(
    tmp_path, number, code, wait_until
):
    command = [sys.executable, "-c", TERMINATED, str(tmp_path), str(ROOT)]
    window = begin(command, stdout=subprocess.PIPE, text=True)
    assert window.stdout is not None
    pids = [int(window.stdout.readline()) for _ in range(6)]
    begun = time.monotonic()
    window.send_signal(number)
    assert window.wait(20) == code
    window.stdout.close()
    wait_until(lambda: not lives(pids[0]), 30)
    assert time.monotonic() - begun < 15
    (config,) = (tmp_path / "runs").glob("*/config.toml")
    assert RunFolder.open(config.parent).status() == "stopped"


def test_the_tour_is_offered_on_an_empty_folder_alone(open_session, tmp_path, wait_until, settings):
    session = open_session()
    wait_until(lambda: not session.window.tour.isHidden())
    session.window.tour.next.click()
    assert session.window.current.name == "train"
    settings.remove("tour/seen")
    make_run(tmp_path / "others" / "one")
    other = open_session(tmp_path / "others")
    wait_until(lambda: other.context.store.records)
    assert other.window.tour.isHidden()
