"""Groups in the Runs screen: folding by keyboard, what is selected, what the session keeps."""

from __future__ import annotations

import json
import shutil

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest

from gui.models.run_group import Group
from gui.views.runs import RunsScreen
from tests.gui._runs import StandInContext, epoch, make_run

RIGHT, LEFT, RETURN = Qt.Key.Key_Right, Qt.Key.Key_Left, Qt.Key.Key_Return


@pytest.fixture
def make(qapp, tmp_path, wait_until):
    """Makes a loaded screen on two runs of a study and a run beside it."""
    screens = []
    for name in ("study/a", "study/b", "alone"):
        make_run(tmp_path / "runs" / name)

    def screen() -> RunsScreen:
        made = RunsScreen(StandInContext(tmp_path / "runs"))
        made.resize(1300, 700)
        made.show()
        screens.append(made)
        wait_until(lambda: not made.presenter.loading)
        made.table.sort_by("name", Qt.SortOrder.AscendingOrder)
        made.table.setFocus()
        return made

    yield screen
    for made in screens:
        made.presenter._timer.stop()
        made.close()
        made.deleteLater()


@pytest.fixture
def screen(make) -> RunsScreen:
    return make()


def path(screen: RunsScreen, name: str) -> str:
    return str(screen.context.runs_dir / name)


def seen(screen: RunsScreen) -> list[str]:
    """The names in the table, from the top."""
    view, found = screen.table, []
    index = view.indexAt(QPoint(2, 2))
    while index.isValid():
        found.append(screen.model.row(index).name)
        index = view.indexBelow(index)
    return found


def current(screen: RunsScreen) -> str:
    return screen.model.row(screen.table.currentIndex()).name


def press(screen: RunsScreen, *keys: Qt.Key) -> None:
    for key in keys:
        QTest.keyClick(screen.table, key)


def scan(screen: RunsScreen) -> None:
    screen.presenter.scan()
    while screen.presenter.loading:
        screen.presenter.scan()


def test_a_study_is_one_row_until_it_is_unfolded(screen):
    assert seen(screen) == ["alone", "study"] and screen.count.text() == "3 runs"
    screen.table.select([path(screen, "study")])
    press(screen, RIGHT)
    assert seen(screen) == ["alone", "study", "study/a", "study/b"]
    press(screen, RIGHT)
    assert current(screen) == "study/a"
    assert screen.table.currentIndex().data() == "a"  # the name of the study stands above it
    press(screen, LEFT)
    assert current(screen) == "study"
    press(screen, LEFT)
    assert seen(screen) == ["alone", "study"]
    press(screen, RETURN)
    assert len(seen(screen)) == 4 and screen.context.sent == []
    press(screen, RETURN)
    assert len(seen(screen)) == 2


def test_return_on_a_run_opens_its_charts(screen):
    screen.table.select([path(screen, "alone")])
    press(screen, RETURN)
    assert ("chart_runs", [path(screen, "alone")]) in screen.context.sent


def test_a_double_click_folds_a_group_and_opens_a_run(screen):
    view = screen.table
    for key in ("study", "study/a"):
        place = view.visualRect(screen.model.index_of(path(screen, key))).center()
        QTest.mouseClick(view.viewport(), Qt.MouseButton.LeftButton, pos=place)
        QTest.mouseDClick(view.viewport(), Qt.MouseButton.LeftButton, pos=place)
    assert len(seen(screen)) == 4
    assert screen.context.sent == [("chart_runs", [path(screen, "study/a")]), ("go_to", "train")]


def test_a_selected_group_means_all_of_its_runs(screen):
    screen.table.select([path(screen, "study")])
    both = [path(screen, "study/a"), path(screen, "study/b")]
    assert [record.key for record in screen.table.selected()] == both
    act = {action.name: action for action in screen.actions_table()}
    act["runs.compare"].run()
    assert ("compare_runs", both) in screen.context.sent
    assert "2 runs selected" in screen.detail.text.toPlainText()
    for name in ("runs.evaluate", "runs.rename", "runs.resume", "runs.settings"):
        assert not act[name].enabled(), name  # of one run
    screen.table.select([path(screen, "study/b"), path(screen, "study")])
    assert [record.key for record in screen.table.selected()] == both[1:]


def test_what_is_searched_lies_open_and_is_folded_again(screen):
    screen.filters.search.setText("drop>5 study")
    screen.filters.tell()
    assert seen(screen) == ["study", "study/a", "study/b"]
    assert screen.count.text() == "2 of 3 runs"
    screen.filters.clear()
    assert seen(screen) == ["alone", "study"]


def test_sorting_keeps_selection_and_folds(screen):
    screen.table.select([path(screen, "study")])
    press(screen, RIGHT)
    screen.table.select([path(screen, "study/a")])
    screen.table.sort_by("name", Qt.SortOrder.DescendingOrder)
    assert seen(screen) == ["study", "study/b", "study/a", "alone"]
    assert [record.name for record in screen.table.selected()] == ["study/a"]
    screen.filters.differing.setChecked(True)
    assert [record.name for record in screen.table.selected()] == ["study/a"]
    assert current(screen) == "study/a"


def test_notes_are_typed_on_while_rows_move(screen):
    screen.table.select([path(screen, "alone")])
    screen.activateWindow()
    notes = screen.detail.notes
    notes.setFocus()
    QTest.keyClicks(notes, "good")
    told = []
    screen.table.selectionModel().selectionChanged.connect(lambda *_: told.append(1))
    screen.table.sort_by("name", Qt.SortOrder.DescendingOrder)
    QTest.keyClicks(notes, " run")
    assert notes.toPlainText() == "good run" and notes.hasFocus() and not told
    assert [record.name for record in screen.table.selected()] == ["alone"]


def test_the_session_remembers_what_was_unfolded_and_selected(screen, make):
    screen.table.select([path(screen, "study")])
    state = json.loads(json.dumps(screen.state()))
    again = make()
    again.restore(state)
    assert seen(again) == ["alone", "study"] and current(again) == "study"
    press(again, RIGHT, RIGHT)
    state = json.loads(json.dumps(again.state()))
    third = make()
    third.restore(state)
    assert len(seen(third)) == 4 and current(third) == "study/a"
    third.restore({"table": {"unfolded": 3}})
    assert len(seen(third)) == 4


def test_runs_come_and_go_under_an_unfolded_group(screen):
    screen.table.select([path(screen, "study")])
    press(screen, RIGHT)
    screen.table.select([path(screen, "study/b")])
    make_run(screen.context.runs_dir / "study" / "aa")
    scan(screen)
    assert seen(screen) == ["alone", "study", "study/a", "study/aa", "study/b"]
    assert [record.name for record in screen.table.selected()] == ["study/b"]
    for name in ("a", "aa"):
        shutil.rmtree(screen.context.runs_dir / "study" / name)
    scan(screen)
    assert seen(screen) == ["alone", "study/b"]  # alone in its folder now
    assert not any(isinstance(row, Group) for row in screen.tree.rows)
    assert [record.name for record in screen.table.selected()] == ["study/b"]


def test_a_group_follows_its_runs(screen):
    from slr_keras.run_folder import RunFolder

    best = [column.name for column in screen.model.columns].index("best")
    index = screen.model.index_of(path(screen, "study"), best)
    assert index.data() == "40.0 %"
    told = []
    screen.model.dataChanged.connect(lambda first, _: told.append(screen.model.row(first).name))
    RunFolder(screen.context.runs_dir / "study" / "a").append(epoch(5, 0.6))
    scan(screen)
    assert told == ["study/a", "study"]
    assert index.data() == "50.0 % (40.0–60.0)"


def test_all_groups_are_folded_and_unfolded_at_once(screen):
    act = {action.name: action for action in screen.actions_table()}
    act["runs.unfold"].run()
    assert len(seen(screen)) == 4
    act["runs.fold"].run()
    assert len(seen(screen)) == 2


def test_groups_are_read_aloud(screen):
    def spoken(column: int) -> str:
        index = screen.model.index_of(path(screen, "study"), column)
        return index.data(Qt.ItemDataRole.AccessibleTextRole)

    assert spoken(0) == "Name: study · 2 runs" and spoken(1) == "Status: 2 done"
    assert not screen.model.flags(screen.model.index_of(path(screen, "study"))) & (
        Qt.ItemFlag.ItemIsEditable
    )


def test_many_are_put_together_beside_the_table(screen, monkeypatch):
    monkeypatch.setattr("gui.views.runs_detail.EACH", 1)
    screen.table.select([path(screen, "study")])
    said = screen.detail.text.toPlainText().replace("\u00a0", " ")
    assert "Mean and range" in said and "40.0 %" in said and "study/a" not in said


def test_of_very_many_the_first_are_drawn_and_it_says_so(screen, monkeypatch):
    monkeypatch.setattr("gui.views.runs_actions.CHARTED", 1)
    screen.table.select([path(screen, "study")])
    next(a for a in screen.actions_table() if a.name == "runs.charts").run()
    assert ("chart_runs", [path(screen, "study/a")]) in screen.context.sent
    assert screen.context.said[-1] == "2 runs are too many to see: the first 1 are drawn."


def test_while_many_are_read_they_are_taken_in_now_and_then(screen):
    screen._next, screen.presenter.loading = float("inf"), True
    make_run(screen.context.runs_dir / "new")
    screen.context.store.scan()
    screen.presenter._announce()
    assert screen.tree.shown == 3
    screen.presenter.loading = False
    screen.presenter.scanned.emit()
    assert screen.tree.shown == 4 and "new" in seen(screen)
