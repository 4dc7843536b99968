"""The box that chooses one of very many runs."""

from __future__ import annotations

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from gui.views.run_box import RunBox

RUNS = [(f"study/arm{number:05}", f"/runs/study/arm{number:05}") for number in range(10_000)]


@pytest.fixture
def box(qapp):
    made = RunBox("Model")
    made.offer(RUNS)
    made.show()
    made.setFocus()
    yield made
    made.close()
    made.deleteLater()


def test_the_first_is_chosen_and_its_place_follows_it(box):
    told = []
    box.currentIndexChanged.connect(told.append)
    assert box.path == RUNS[0][1] and box.currentText() == RUNS[0][0]
    box.choose(RUNS[7][1])
    box.offer(RUNS[5:])
    assert box.path == RUNS[7][1] and box.currentText() == RUNS[7][0] and told == [7]
    box.offer(RUNS[8:])
    assert box.path == RUNS[8][1]
    box.offer([])
    assert box.path == "" and box.currentText() == ""


def test_what_is_typed_finds_runs_whose_names_hold_it(box):
    box.lineEdit().selectAll()
    QTest.keyClicks(box.lineEdit(), "M00123")
    assert box.completer().completionCount() == 1
    told = []
    box.activated.connect(told.append)
    QTest.keyClick(box.completer().popup(), Qt.Key.Key_Down)
    QTest.keyClick(box.completer().popup(), Qt.Key.Key_Return)
    assert box.path == RUNS[123][1] and told == [123]


def test_what_is_no_run_gives_way_to_the_chosen_one(box):
    box.lineEdit().selectAll()
    QTest.keyClicks(box.lineEdit(), "nothing")
    box.offer(RUNS[:3])  # runs come and go meanwhile
    assert box.lineEdit().text() == "nothing"
    QTest.keyClick(box.lineEdit(), Qt.Key.Key_Return)
    assert box.currentText() == RUNS[0][0] and box.count() == 3


def test_a_name_too_long_ends_in_an_ellipsis(qapp):
    name = "resnet-18-width-8-at-slr-seed0"
    cut = _picture(name, 150)
    shown = next(n for n in range(len(name)) if _picture(f"{name[:n]}\u2026", 150) == cut)
    assert 3 < shown < 25 and _picture(name, 400) != _picture(f"{name[:shown]}\u2026", 400)


def _picture(name, width):
    box = RunBox("Model")
    box.offer([(name, "path")])
    box.resize(width, 26)
    return box.grab().toImage()
