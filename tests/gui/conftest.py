"""Shared by the tests of the app: one offscreen application, settings of their own, clean ends."""

from __future__ import annotations

import os

os.environ["QT_QPA_PLATFORM"] = "offscreen"

import gc
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterator

import psutil
import pytest

from gui import preflight

if not (UNLOADABLE := preflight.without_display()):
    from PySide6.QtCore import QCoreApplication, QEvent, QSettings
    from PySide6.QtWidgets import QApplication

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)  # a window listens to them


class WithoutQt(pytest.Module):
    """A file of tests where Qt cannot be loaded."""

    def collect(self):
        if self.config.getoption("--require-qt"):
            pytest.fail(UNLOADABLE, pytrace=False)
        pytest.skip(f"The tests of the app. {UNLOADABLE}")


def pytest_pycollect_makemodule(module_path, parent):
    return WithoutQt.from_parent(parent, path=module_path) if UNLOADABLE else None


@pytest.fixture(scope="session")
def qapp(tmp_path_factory: pytest.TempPathFactory) -> QApplication:
    """The application; default settings go to a folder of the session, never to the user's."""
    QSettings.setDefaultFormat(QSettings.Format.IniFormat)
    folder = str(tmp_path_factory.mktemp("settings"))
    QSettings.setPath(QSettings.Format.IniFormat, QSettings.Scope.UserScope, folder)
    app = QApplication.instance() or QApplication(["slr-keras"])
    app.setOrganizationName("slr-keras")
    app.setApplicationName("slr-keras")
    app.setStyle("Fusion")
    return app


@pytest.fixture
def settings(qapp, tmp_path) -> QSettings:
    """Empty settings in a file of the test's own."""
    return QSettings(str(tmp_path / "settings.ini"), QSettings.Format.IniFormat)


def wait_until(predicate: Callable[[], object], timeout: float = 30.0) -> None:
    """Let Qt work until something holds; fails after ``timeout`` seconds."""
    end = time.monotonic() + timeout
    while not predicate():
        assert time.monotonic() < end, f"did not happen within {timeout:g} s"
        spin(0.002)


def spin(seconds: float = 0.0) -> None:
    """Let Qt work for so long, deleted objects included."""
    end = time.monotonic() + seconds
    while True:
        QCoreApplication.processEvents()
        QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
        if time.monotonic() >= end:
            return
        time.sleep(0.001)


@pytest.fixture(name="wait_until")
def _wait_until() -> Callable[..., None]:
    return wait_until


@pytest.fixture(name="spin")
def _spin() -> Callable[..., None]:
    return spin


@pytest.fixture(autouse=True)
def no_exception_in_a_slot(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Qt prints exceptions of slots and goes on; here they fail the test.

    A test that means to raise one empties the list.
    """
    raised: list[str] = []

    def remember(kind, value, trace):
        raised.append("".join(traceback.format_exception(kind, value, trace)))

    monkeypatch.setattr(sys, "excepthook", remember)
    yield raised
    assert not raised, "an exception was raised in a slot:\n" + "\n".join(raised)


@pytest.fixture(autouse=True, scope="module")
def no_window_left() -> Iterator[None]:
    """Windows of one file are no burden for the next: every restyling visits all that live."""
    handlers = {number: signal.getsignal(number) for number in SIGNALS}
    gc.freeze()  # what other tests left, compiled models above all, takes up to 20 s to free
    yield
    for number, handler in handlers.items():
        signal.signal(number, handler)
    app = QApplication.instance()
    if app is None:
        gc.unfreeze()
        return
    ours = [w for w in app.topLevelWidgets() if type(w).__module__.startswith("gui.")]
    for widget in ours:
        if widget.parent() is None:
            widget.hide()
            widget.deleteLater()
    spin(0.01)
    gc.collect()
    gc.unfreeze()
    spin(0.01)


@pytest.fixture(autouse=True)
def no_process_left() -> Iterator[None]:
    """Every process that a test starts is gone after it."""
    before = {child.pid for child in psutil.Process().children(recursive=True)}
    yield
    end = time.monotonic() + 3
    while (left := _alive(before)) and time.monotonic() < end:
        if QApplication.instance() is not None:
            spin(0.01)
    for process in left:
        process.kill()
    assert not left, f"processes were left behind: {left}"


def _alive(before: set[int]) -> list[psutil.Process]:
    now = psutil.Process().children(recursive=True)
    return [p for p in now if p.pid not in before and p.status() != psutil.STATUS_ZOMBIE]
