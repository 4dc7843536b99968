"""The command palette: what it finds, in which order, and what Enter does."""

from __future__ import annotations

import doctest

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QWidget

from gui.actions import Action
from gui.views import palette as palette_module
from gui.views.palette import Palette, Shortcuts, rank


@pytest.fixture
def parent(qapp):
    widget = QWidget()
    yield widget
    widget.deleteLater()


@pytest.fixture
def done():
    return []


@pytest.fixture
def palette(parent, done):
    table = [
        Action("a", "Go to Runs", lambda: done.append("runs"), shortcut="Ctrl+1", help="Home."),
        Action("b", "Pause the run", lambda: done.append("pause"), shortcut="Ctrl+P"),
        Action("c", "Resume the run", lambda: done.append("resume"), enabled=lambda: False),
        Action("d", "Export data…", lambda: done.append("export"), help="All curves as CSV."),
    ]
    palette = Palette(table, lambda action: action.run(), parent)
    palette.show()
    return palette


def test_examples():
    assert doctest.testmod(palette_module).failed == 0


def test_rank_prefers_what_begins_so():
    texts = ["Rerun", "Stop the run", "Run again"]
    assert sorted(texts, key=lambda t: rank("run", t)) == ["Run again", "Stop the run", "Rerun"]
    assert rank("", "anything") == 0
    assert rank("run stop", "Stop the run") is not None


def test_everything_is_there_and_the_impossible_last(palette):
    assert palette.shown() == ["Go to Runs", "Pause the run", "Export data…", "Resume the run"]


def test_typing_filters_and_enter_runs(palette, done):
    QTest.keyClicks(palette.line, "pau")
    assert palette.shown() == ["Pause the run"]
    QTest.keyClick(palette.line, Qt.Key.Key_Return)
    assert done == ["pause"] and not palette.isVisible()


def test_help_is_searched_too(palette):
    QTest.keyClicks(palette.line, "csv")
    assert palette.shown() == ["Export data…"]


def test_arrows_move_while_the_line_keeps_the_focus(palette, done):
    for key in (Qt.Key.Key_Down, Qt.Key.Key_PageDown, Qt.Key.Key_PageUp, Qt.Key.Key_Down):
        QTest.keyClick(palette.line, key)
    QTest.keyClick(palette.line, Qt.Key.Key_Return)
    assert done == ["pause"]


def test_the_impossible_is_not_done(palette, done):
    QTest.keyClicks(palette.line, "resume")
    QTest.keyClick(palette.line, Qt.Key.Key_Return)
    assert done == [] and palette.isVisible()


def test_nothing_found_is_no_error(palette, done):
    QTest.keyClicks(palette.line, "qqqq")
    assert palette.shown() == []
    QTest.keyClick(palette.line, Qt.Key.Key_Down)
    QTest.keyClick(palette.line, Qt.Key.Key_Return)
    assert done == []


def test_a_click_runs(palette, done):
    palette.list.clicked.emit(palette.list.currentIndex())
    assert done == ["runs"]


def test_escape_closes(palette, done):
    QTest.keyClick(palette.line, Qt.Key.Key_Escape)
    assert not palette.isVisible() and done == []


def test_list_of_shortcuts(parent):
    actions = [
        Action("a", "With", lambda: None, shortcut="Ctrl+P"),
        Action("b", "Without", lambda: None),
    ]
    dialog = Shortcuts(actions, parent)
    model = dialog.findChild(palette_module.ActionsModel)
    assert model.rowCount() == 1 and model.index(0, 2).data() == "Ctrl+P"
