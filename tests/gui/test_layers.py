"""What the window may import, and that everything in it can be named aloud."""

from __future__ import annotations

import pkgutil
import sys

import pytest
from PySide6.QtCore import QSettings, Qt
from PySide6.QtWidgets import (
    QAbstractButton,
    QAbstractItemView,
    QAbstractSlider,
    QAbstractSpinBox,
    QComboBox,
    QHeaderView,
    QLineEdit,
    QPlainTextEdit,
    QScrollBar,
    QTabBar,
    QTextEdit,
    QWidget,
)

import gui
from gui.app import Session
from gui.presenters.context import Programs
from gui.worker import ROOT
from tests.processes import finished

SCREENS = ("runs", "train", "evaluate", "compare", "labels", "lab", "export", "diagnostics")
FRAMEWORKS = ("tensorflow", "keras", "jax", "torch")
CONTROLS = (
    QAbstractButton,
    QAbstractItemView,
    QAbstractSlider,
    QAbstractSpinBox,
    QComboBox,
    QLineEdit,
    QPlainTextEdit,
    QTextEdit,
)
PARTS = (QScrollBar, QHeaderView, QTabBar)  # Qt's own, named by what they belong to


def modules() -> list[str]:
    found = [info.name for info in pkgutil.walk_packages(gui.__path__, "gui.")]
    return [name for name in found if not name.endswith("__main__")]


def run(code: str) -> str:
    done = finished([sys.executable, "-c", code], 60, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_no_module_of_the_app_imports_a_framework():
    names = modules()
    assert len(names) > 20 and "gui.app" in names
    code = f"""
import importlib, os, sys
os.environ["QT_QPA_PLATFORM"] = "offscreen"
for name in {names!r}: importlib.import_module(name)
print(*sorted(set({FRAMEWORKS!r}) & set(sys.modules)))
"""
    assert run(code) == ""


def test_a_whole_window_imports_no_framework(tmp_path):
    code = f"""
import os, pathlib, sys
os.environ["QT_QPA_PLATFORM"] = "offscreen"
from gui import app as app_module
from gui.presenters.context import Programs
from PySide6.QtCore import QSettings, Qt
app = app_module.application()
settings = QSettings({str(tmp_path)!r} + "/s.ini", QSettings.Format.IniFormat)
nothing = [sys.executable, "-c", "pass"]
programs = Programs(nothing, nothing)
session = app_module.Session(app, settings, pathlib.Path({str(tmp_path)!r}), programs)
session.window.show()
session.window.complete()
app.processEvents()
print(*sorted(set({FRAMEWORKS!r} + ("matplotlib", "sklearn")) & set(sys.modules)), flush=True)
os._exit(0)
"""
    assert run(code) == ""


@pytest.mark.parametrize(
    ("package", "forbidden"),
    [("gui.models.", ("PySide6", "pyqtgraph")), ("gui.presenters.", ("PySide6.QtWidgets",))],
)
def test_layers(package, forbidden):
    names = [name for name in modules() if name.startswith(package)]
    assert names
    code = f"""
import importlib, sys
for name in {names!r}: importlib.import_module(name)
print(*sorted(set({forbidden!r}) & set(sys.modules)))
"""
    assert run(code) == ""


@pytest.fixture(scope="module")
def window(qapp, tmp_path_factory):
    folder = tmp_path_factory.mktemp("names")
    settings = QSettings(str(folder / "settings.ini"), QSettings.Format.IniFormat)
    nothing = [sys.executable, "-c", "pass"]
    session = Session(qapp, settings, folder, Programs(nothing, nothing))
    session.window.complete()
    yield session.window
    session.window.leave()
    session.end()
    session.window.deleteLater()


def name_of(widget: QWidget) -> str:
    text = widget.text() if isinstance(widget, QAbstractButton) else ""
    return widget.accessibleName() or text


def ancestors(widget: QWidget, root: QWidget):
    while (widget := widget.parentWidget()) is not None and widget is not root:
        yield widget
    yield root


def nameless(root: QWidget) -> list[str]:
    found = []
    for widget in root.findChildren(QWidget):
        if not isinstance(widget, CONTROLS) or isinstance(widget, PARTS):
            continue
        parents = list(ancestors(widget, root))
        inside = (QComboBox, QAbstractSpinBox, QLineEdit, QTabBar)
        corner = isinstance(widget, QAbstractButton) and isinstance(parents[0], QAbstractItemView)
        if not (any(isinstance(p, inside) for p in parents[:3]) or corner or name_of(widget)):
            path = " in ".join(type(w).__name__ for w in (widget, *parents))
            found.append(f"{path} {widget.objectName()}")
    return found


@pytest.mark.parametrize("screen", SCREENS)
def test_every_control_has_a_name(window, screen):
    assert nameless(window.screens[screen]) == []


def test_the_rest_of_the_window_has_names_too(window):
    for part in (window.rail, window.status, window.messages):
        assert nameless(part) == []


@pytest.mark.parametrize("screen", SCREENS)
def test_every_screen_can_be_reached_by_tab(window, screen):
    controls = [w for w in window.screens[screen].findChildren(QWidget) if isinstance(w, CONTROLS)]
    assert any(w.focusPolicy() & Qt.FocusPolicy.TabFocus for w in controls)
