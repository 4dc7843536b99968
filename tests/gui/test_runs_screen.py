"""The Runs screen: what it shows, what can be done, and that nothing is lost on a bad day."""

from __future__ import annotations

import builtins
import os
import pathlib
import shutil
import time
import types

import pytest
from PySide6.QtCore import QMimeData, Qt
from PySide6.QtGui import QColor
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QAbstractButton, QApplication, QLineEdit

from gui import theme
from gui.models import run_query, run_store, run_words
from gui.models.queue import Job
from gui.models.run_columns import COLUMNS
from gui.models.run_record import RunRecord
from gui.presenters import runs as presenter_module
from gui.presenters import trash
from gui.views.runs import ALL, EMPTY, NOTHING, RunsScreen
from gui.views.runs_detail import describe
from slr_keras.config import RunConfig
from slr_keras.protocol import events
from tests.gui._runs import StandInContext, epoch, make_run, started

NAMES = {column.name: place for place, column in enumerate(COLUMNS)}


@pytest.fixture
def runs(tmp_path, monkeypatch) -> pathlib.Path:
    """A runs folder, and a trash of the test's own."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "home"))
    folder = tmp_path / "runs"
    folder.mkdir()
    return folder


@pytest.fixture
def make(qapp, wait_until):
    """Makes a loaded screen on a runs folder."""
    screens = []

    def screen(runs_dir: pathlib.Path) -> RunsScreen:
        made = RunsScreen(StandInContext(runs_dir))
        made.resize(1300, 700)
        made.show()
        screens.append(made)
        wait_until(lambda: not made.presenter.loading, timeout=30)
        return made

    yield screen
    for made in screens:
        made.presenter._timer.stop()
        made.close()
        made.deleteLater()


@pytest.fixture
def three(runs, make) -> RunsScreen:
    """Runs a (drop of 10 points), b (no drop, another attack) and c (just configured)."""
    make_run(runs / "a")
    make_run(runs / "b", (0.1, 0.2, 0.3), attack={"eps": "8/255"}, seed=1)
    make_run(runs / "c", (), method={"name": "at"})
    return make(runs)


def detail(screen: RunsScreen) -> str:
    return screen.detail.text.toPlainText().replace("\u00a0", " ")


def cell(screen: RunsScreen, run: str, column: str, role=Qt.ItemDataRole.DisplayRole):
    key = next(r.key for r in screen.tree.records() if r.path.name == run)
    return screen.model.index_of(key, NAMES[column]).data(role)


def shown(screen: RunsScreen) -> list[str]:
    return [record.path.name for record in screen.tree.records()]


def select(screen: RunsScreen, *names: str) -> None:
    screen.table.select([str(screen.context.runs_dir / name) for name in names])


def act(screen: RunsScreen, name: str) -> None:
    """As the window does: an action that is off is not run."""
    action = next(a for a in screen.actions_table() if a.name == name)
    assert action.enabled(), name
    action.run()


def scan(screen: RunsScreen) -> None:
    end = time.monotonic() + 30
    screen.presenter.scan()
    while screen.presenter.loading:
        assert time.monotonic() < end, "it never ends"
        screen.presenter.scan()


def test_runs_that_are_looked_at_are_watched(three):
    store, keys = three.context.store, {n: str(three.context.runs_dir / n) for n in "abc"}
    select(three, "a")
    three.context.chart_runs.emit([keys["b"]])
    three.context.compare_runs.emit([keys["c"], keys["a"]])
    assert store.watched == {
        "selection": [keys["a"]],
        "charts": [keys["b"]],
        "comparison": [keys["c"], keys["a"]],
    }
    select(three)
    assert store.watched["selection"] == []


# -- the table ----------------------------------------------------------------------------------


def test_a_row_says_how_a_run_went(three):
    said = {name: cell(three, "a", name) for name in NAMES}
    assert said["name"] == "a"
    assert said["status"] == "✓ Done"
    assert (said["method"], said["model"], said["data"]) == ("slr", "small_cnn", "digits")
    assert said["epsilon"] == "24/255"
    assert said["clean"] == "60.0 %"
    assert said["best"] == "40.0 % @ 2"
    assert said["final"] == "30.0 %"
    assert said["drop"] == "▼ 10.0 pp"
    assert said["gap"] == "10.0 pp"
    assert said["test_best"] == "41.0 %"
    assert said["epochs"] == "4/4"
    assert said["started"].startswith(("today", "yesterday"))


def test_a_large_drop_is_red_and_marked_a_small_one_is_not(three):
    red = QColor(theme.colours().bad)
    assert cell(three, "a", "drop", Qt.ItemDataRole.ForegroundRole) == red
    assert cell(three, "b", "drop", Qt.ItemDataRole.ForegroundRole) != red
    assert "▼" not in cell(three, "b", "drop")


def test_every_state_has_a_word_a_glyph_and_a_colour():
    glyphs = {status.glyph for status in run_words.STATUS.values()}
    assert len(glyphs) == len(run_words.STATUS)
    for status in run_words.STATUS.values():
        assert status.word and status.help
        assert hasattr(theme.LIGHT, status.colour)


def test_an_unknown_state_is_shown(runs):
    record = RunRecord(runs / "x", "x", status="levitating")
    assert "Levitating" in run_words.status_text(record)
    assert COLUMNS[1].key(record) == len(run_words.STATUS)


def test_numbers_sort_as_numbers_and_runs_without_figure_stay_last(runs, make):
    make_run(runs / "nine", (0.09,))
    make_run(runs / "ten", (0.10,))
    make_run(runs / "none", ())
    make_run(runs / "hundred", (1.0,))
    screen = make(runs)
    screen.table.sort_by("best", Qt.SortOrder.AscendingOrder)
    assert shown(screen) == ["nine", "ten", "hundred", "none"]
    screen.table.sort_by("best", Qt.SortOrder.DescendingOrder)
    assert shown(screen) == ["hundred", "ten", "nine", "none"]


def test_settings_sort_as_numbers_whatever_was_typed_into_them(runs, make):
    for name, eps in (("a", "8/255"), ("b", "16/255"), ("c", "2/255")):
        make_run(runs / name, attack={"eps": eps})
    folder = make_run(runs / "d")
    folder["config.toml"].write_text("[attack]\neps = 'plenty'\n")
    screen = make(runs)
    screen.table.sort_by("epsilon", Qt.SortOrder.AscendingOrder)
    assert shown(screen) == ["c", "a", "b", "d"]


def test_curves_are_painted_with_and_without_selection(three):
    before = three.table.viewport().grab().toImage()
    place = three.table.visualRect(three.model.index(shown(three).index("a"), NAMES["curve"]))
    robust = QColor(theme.colours().robust)
    colours = {
        before.pixelColor(x, y).name()
        for x in range(place.left(), place.right())
        for y in range(place.top(), place.bottom())
    }
    assert robust.name() in colours
    select(three, "a", "b", "c")
    three.table.viewport().grab()


# -- searching ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", "abc"),
        ("slr", "ab"),
        ("SLR digits", "ab"),
        ("attack.eps=8/255", "b"),
        ("eps=8/255", "b"),
        ("eps=0.03137", "b"),
        ("attack.eps>8/255", "ac"),
        ("method.name!=slr", "c"),
        ("drop>5", "a"),
        ("best>=30 drop<1", "b"),
        ("seed=1", "b"),
        ("status=done", "ab"),
        ("attack.random=true", "abc"),
        ("attack.eps=", "abc"),  # still typing
        ('"small_cnn"', "abc"),
        ('"', "abc"),
        ("attack.epss=1", ""),
        ("attack.eps>much", ""),
        ("nowhere", ""),
    ],
)
def test_search(three, text, found):
    three.filters.search.setText(text)
    three.filters.tell()
    assert sorted(shown(three)) == list(found)
    assert three.pages.currentIndex() == (ALL if found else NOTHING)


def test_a_search_for_an_unknown_setting_says_so(three):
    three.filters.search.setText("attack.epss=1")
    three.filters.tell()
    assert "attack.epss" in three.nothing.why.text()
    assert "Did you mean" in three.nothing.why.text()
    three.nothing.findChild(QAbstractButton).click()
    assert sorted(shown(three)) == ["a", "b", "c"]
    assert three.filters.search.text() == ""


def test_the_search_follows_what_is_typed(three, wait_until):
    QTest.keyClicks(three.filters.search, "drop>5")
    wait_until(lambda: shown(three) == ["a"])
    assert three.count.text() == "1 of 3 runs"


def test_notes_are_searched(three):
    three.context.store.set_notes(three.context.runs_dir / "b", "The Golden one")
    assert run_query.Query.parse('"golden one"').matches(
        three.context.store.get(three.context.runs_dir / "b")
    )


def test_filter_by_state(three):
    three.filters.states.setCurrentText("New")
    assert shown(three) == ["c"]
    three.filters.states.setCurrentText("Running or paused")
    assert shown(three) == []
    assert three.pages.currentIndex() == NOTHING
    three.filters.states.setCurrentText("All states")
    assert len(shown(three)) == 3


def test_a_run_that_comes_to_match_appears(runs, make):
    folder = make_run(runs / "a", (0.2, 0.2), end=False)
    screen = make(runs)
    screen.filters.search.setText("drop>5")
    screen.filters.tell()
    assert shown(screen) == []
    folder.append(epoch(3, 0.1))
    scan(screen)
    assert shown(screen) == ["a"]
    assert screen.pages.currentIndex() == ALL


# -- columns ------------------------------------------------------------------------------------


def titles(screen: RunsScreen) -> list[str]:
    header = screen.table.header()
    places = [header.logicalIndex(i) for i in range(header.count())]
    return [screen.model.columns[i].name for i in places if not header.isSectionHidden(i)]


def test_differing_settings_become_columns(three):
    three.filters.differing.setChecked(True)
    assert "set:seed" in titles(three)
    assert "epsilon" in titles(three) and "method" in titles(three)
    assert "model" not in titles(three)  # the same in all
    assert "set:run_dir" not in titles(three)
    select(three, "a")
    three.filters.search.setText("seed=0")
    three.filters.tell()
    assert "set:seed" not in titles(three)
    assert [record.path.name for record in three.table.selected()] == ["a"]
    three.filters.differing.setChecked(False)
    assert titles(three)[:6] == ["name", "status", "best", "final", "drop", "method"]
    assert titles(three)[8:11] == ["epsilon", "model", "data"]


def test_the_column_menu_shows_and_hides(three):
    menu = three.filters.columns.menu()
    menu.aboutToShow.emit()
    seed = next(a for a in menu.actions() if a.text() == "Seed")
    assert not seed.isChecked()
    seed.trigger()
    assert "seed" in titles(three)
    next(a for a in menu.actions() if a.text() == "Model").trigger()
    assert "model" not in titles(three)
    three.table.reset_columns()
    assert "seed" not in titles(three) and "model" in titles(three)


def test_the_session_is_restored(three, make):
    table = three.table
    table.show_column("seed", True)
    table.show_column("gap", False)
    table.setColumnWidth(NAMES["notes"], 321)
    table.header().moveSection(NAMES["status"], 0)
    table.sort_by("drop", Qt.SortOrder.AscendingOrder)
    three.filters.search.setText("slr")
    three.filters.states.setCurrentText("Done")
    three.filters.differing.setChecked(True)
    three.splitter.setSizes([700, 500])
    three.filters.tell()
    select(three, "b")
    state = three.state()
    again = make(three.context.runs_dir)
    again.restore(state)
    assert again.state() == state
    assert titles(again)[0] == "status"
    assert [record.path.name for record in again.table.selected()] == ["b"]


@pytest.mark.parametrize(
    "state",
    [
        {},
        {"table": 3, "splitter": "x", "selected": None, "search": None, "states": 5},
        {"table": {"hidden": ["name", "x"], "widths": {"name": -3}, "order": ["x"], "sort": "x"}},
        {"table": {"hidden": None, "widths": [], "order": {}, "sort": None}, "splitter": [1]},
        {"selected": ["/gone"], "differing": "yes"},
    ],
)
def test_a_state_that_makes_no_sense_is_passed_over(three, state):
    three.restore(state)
    assert "name" in titles(three)


# -- following the disk -------------------------------------------------------------------------


def test_a_run_that_is_started_elsewhere_appears_by_itself(runs, make, wait_until):
    screen = make(runs)
    assert screen.pages.currentIndex() == EMPTY
    make_run(runs / "terminal")
    wait_until(lambda: shown(screen) == ["terminal"], timeout=4)
    assert screen.pages.currentIndex() == ALL


def test_nothing_is_read_while_nobody_looks(three, monkeypatch):
    calls = []
    monkeypatch.setattr(three.context.store, "scan", lambda budget: calls.append(1))
    three.hide()
    three.presenter._tick()
    assert calls == []
    record = three.context.store.get(three.context.runs_dir / "a")
    record.status = "running"
    monkeypatch.setattr(
        three.context.store, "scan", lambda budget: calls.append(1) or run_store.Changes()
    )
    three.presenter._tick()
    assert calls == [1]


def test_selection_and_scroll_stay_when_runs_change(runs, make):
    for number in range(60):
        make_run(runs / f"run-{number:02}", (0.1,))
    screen = make(runs)
    screen.table.sort_by("name", Qt.SortOrder.AscendingOrder)
    select(screen, "run-30", "run-33")
    bar = screen.table.verticalScrollBar()
    bar.setValue(25)
    folder = run_store.run_folder.RunFolder(runs / "run-31")
    folder.append(epoch(2, 0.2))
    make_run(runs / "run-99")
    shutil.rmtree(runs / "run-58")
    scan(screen)
    assert sorted(r.path.name for r in screen.table.selected()) == ["run-30", "run-33"]
    assert bar.value() == 25
    assert cell(screen, "run-31", "best") == "20.0 % @ 2"
    assert len(shown(screen)) == 60


def test_a_run_deleted_under_the_window(three):
    select(three, "a")
    shutil.rmtree(three.context.runs_dir / "a")
    scan(three)
    assert "a" not in shown(three)
    assert any("The run a is gone" in said for said in three.context.said)
    assert three.table.selected() == [] or three.table.selected()[0].path.name != "a"
    for action in three.actions_table():  # nothing trips over what is not there
        if action.enabled():
            action.run()


def test_all_runs_deleted_under_the_window(three, spin):
    select(three, "a", "b")
    shutil.rmtree(three.context.runs_dir)
    scan(three)
    assert three.pages.currentIndex() == EMPTY
    assert any("3 runs are gone" in said for said in three.context.said)
    three.detail.grab()


def test_a_runs_folder_that_cannot_be_read_says_so(three, monkeypatch):
    def refuse(path):
        raise PermissionError(13, "Permission denied", str(path))

    with monkeypatch.context() as patch:
        patch.setattr(os, "scandir", refuse)
        scan(three)
        assert "cannot be read: Permission denied" in three.banner.text()
        assert not three.banner.isHidden()
        assert len(shown(three)) == 3
    scan(three)
    assert three.banner.isHidden()


def test_damaged_runs_are_listed_with_what_is_wrong(runs, make):
    make_run(runs / "good")
    bad = make_run(runs / "bad")
    bad["config.toml"].write_text("[attack]\nepss = 3\n")
    broken = make_run(runs / "broken")
    broken["config.toml"].write_text("= = =")
    screen = make(runs)
    assert cell(screen, "broken", "status").startswith("? Damaged")
    assert cell(screen, "bad", "status").endswith("⚠")
    assert cell(screen, "good", "status") == "✓ Done"
    select(screen, "bad")
    assert "attack.epss" in detail(screen)
    with pytest.raises(AssertionError):  # its settings cannot be used
        act(screen, "runs.settings")


def test_a_run_that_others_put_into_the_store_appears(three, tmp_path):
    make_run(tmp_path / "elsewhere" / "guest")
    three.context.store.add_outside(tmp_path / "elsewhere" / "guest")
    three.context.store.scan()  # somebody else's scan takes no news from us
    scan(three)
    assert "guest" in shown(three)


# -- going on from a run ------------------------------------------------------------------------


def test_charts_of_one_and_of_several(three):
    runs = three.context.runs_dir
    select(three, "a")
    act(three, "runs.charts")
    assert ("chart_runs", [str(runs / "a")]) in three.context.sent
    assert ("go_to", "train") in three.context.sent
    select(three, "a", "b")  # the last one clicked is the current one
    act(three, "runs.charts")
    assert ("chart_runs", [str(runs / "b"), str(runs / "a")]) in three.context.sent


def test_attack_in_the_lab_takes_the_best_weights_there_are(three):
    runs = three.context.runs_dir
    select(three, "a")
    act(three, "runs.attack")
    assert ("attack_model", str(runs / "a"), "best") in three.context.sent
    (runs / "a" / "best.keras").rename(runs / "a" / "final.keras")
    act(three, "runs.attack")
    assert ("attack_model", str(runs / "a"), "final") in three.context.sent
    (runs / "a" / "final.keras").unlink()
    (runs / "a" / "checkpoints" / "1.json").touch()
    act(three, "runs.attack")
    assert ("attack_model", str(runs / "a"), "current") in three.context.sent


def test_no_attack_without_weights(three):
    select(three, "c")
    act(three, "runs.attack")
    assert three.context.sent == []
    assert "has no weights yet" in three.context.said[-1]


def test_settings_as_a_new_run(three):
    select(three, "b")
    act(three, "runs.settings")
    path = str(three.context.runs_dir / "b")
    assert three.context.sent == [("edit_config", path), ("go_to", "train")]


@pytest.fixture
def stopped(runs, make) -> RunsScreen:
    folder = make_run(runs / "a", end=False)
    folder.append(events.RunStopped(reason="asked", epoch=4, batch=0))
    return make(runs)


def test_resume(stopped):
    select(stopped, "a")
    act(stopped, "runs.resume")
    path = str(stopped.context.runs_dir / "a")
    assert stopped.context.trainer.calls == [("resume", path)]
    assert "goes on" in stopped.context.said[-1]


def test_resume_of_what_waits_or_is_done(stopped):
    path = stopped.context.runs_dir / "a"
    select(stopped, "a")
    record = stopped.context.store.get(path)
    stopped.context.trainer.jobs = [Job(str(path))]
    stopped.context.trainer.changed.emit()
    assert not stopped.run_actions.items["runs.resume"].isEnabled()
    stopped.presenter.resume(record)
    assert "waits in the queue already" in stopped.context.said[-1]
    stopped.context.trainer.jobs = []
    record.status = "done"
    stopped.presenter.resume(record)
    assert "is complete" in stopped.context.said[-1]
    assert stopped.context.trainer.calls == []


def test_resume_of_a_paused_run_here_and_elsewhere(stopped):
    path = str(stopped.context.runs_dir / "a")
    record = stopped.context.store.get(path)
    record.status = "paused"
    stopped.presenter.resume(record)
    assert "another window or terminal" in stopped.context.said[-1]
    stopped.context.trainer.current = Job(path)
    stopped.presenter.resume(record)
    assert stopped.context.trainer.calls == [("resume_run", None)]


def test_actions_are_off_where_they_make_no_sense(three):
    three.table.clearSelection()
    on = {action.name for action in three.actions_table() if action.enabled()}
    assert on == {"runs.search"}
    select(three, "a")
    assert not three.run_actions.items["runs.resume"].isEnabled()  # done
    assert three.run_actions.items["runs.charts"].isEnabled()
    three.hide()
    on = {action.name for action in three.actions_table() if action.enabled()}
    assert on == {"runs.search"}  # nobody sees what is selected


def test_path_and_folder(three, monkeypatch):
    select(three, "a")
    act(three, "runs.copy_path")
    assert QApplication.clipboard().text() == str(three.context.runs_dir / "a")
    opened = []
    three.presenter.open_url = lambda url: opened.append(url.toLocalFile()) or True
    act(three, "runs.folder")
    assert opened == [str(three.context.runs_dir / "a")]
    three.presenter.open_url = lambda url: False
    act(three, "runs.folder")
    assert "No file manager answered" in three.context.said[-1]
    QApplication.clipboard().setMimeData(QMimeData())


# -- names and notes ----------------------------------------------------------------------------


def test_rename_in_the_cell(three, wait_until):
    select(three, "a")
    three.table.setFocus()
    act(three, "runs.rename")
    editor = three.table.findChild(QLineEdit)
    assert editor.text() == "a"
    editor.setText("Baseline")
    QTest.keyClick(editor, Qt.Key.Key_Return)
    wait_until(lambda: cell(three, "a", "name") == "Baseline")
    assert ("go_to", "train") not in three.context.sent  # Return belonged to the editor
    assert (three.context.runs_dir / "a").is_dir()  # the folder keeps its name
    assert names_on_disk(three) == {"a": "Baseline", "b": "b", "c": "c"}


def names_on_disk(screen: RunsScreen) -> dict[str, str]:
    """Names as another window reads them from the disk."""
    store = run_store.RunStore(screen.context.runs_dir)
    store.scan()
    return {record.path.name: record.name for record in store.records.values()}


def test_an_empty_name_gives_the_folders_back(three):
    record = three.context.store.get(three.context.runs_dir / "a")
    three.presenter.rename(record, "Other")
    three.presenter.rename(record, "  ")
    assert cell(three, "a", "name") == "a"


def test_notes_are_kept_when_the_focus_leaves(three, wait_until):
    three.activateWindow()
    select(three, "a")
    act(three, "runs.notes")
    QTest.keyClicks(three.detail.notes, "tried larger eps")
    select(three, "b")
    assert three.detail.notes.toPlainText() == ""
    assert cell(three, "a", "notes") == "tried larger eps"
    select(three, "a")
    assert three.detail.notes.toPlainText() == "tried larger eps"


def test_notes_are_kept_after_a_moment(three, wait_until):
    select(three, "a")
    QTest.keyClicks(three.detail.notes, "x")
    wait_until(lambda: cell(three, "a", "notes") == "x")


def test_a_scan_leaves_half_typed_notes_alone(three):
    select(three, "a")
    QTest.keyClicks(three.detail.notes, "half")
    run_store.run_folder.RunFolder(three.context.runs_dir / "a").append(epoch(5, 0.2))
    scan(three)
    assert three.detail.notes.toPlainText() == "half"


@pytest.mark.parametrize("error", [PermissionError(13, "Permission denied"), OSError(28, "full")])
def test_notes_that_cannot_be_written(three, monkeypatch, error):
    def refuse(path, data):
        raise type(error)(*error.args, str(path))

    record = three.context.store.get(three.context.runs_dir / "a")
    monkeypatch.setattr(run_store.run_folder, "write_atomically", refuse)
    three.presenter.set_notes(record, "lost?")
    assert "cannot be written" in three.context.said[-1]
    assert error.strerror in three.context.said[-1]


# -- the trash ----------------------------------------------------------------------------------


def content(path: pathlib.Path) -> dict[str, bytes]:
    return {
        str(file.relative_to(path)): file.read_bytes() for file in path.rglob("*") if file.is_file()
    }


def test_trash_and_undo(three, runs):
    before = content(runs / "a")
    select(three, "a")
    act(three, "runs.trash")
    assert not (runs / "a").exists()
    assert sorted(shown(three)) == ["b", "c"]
    assert "moved to the trash" in three.context.said[-1]
    assert not any("is gone" in said for said in three.context.said)
    act(three, "runs.undo")
    assert content(runs / "a") == before
    assert sorted(shown(three)) == ["a", "b", "c"]
    assert three.context.said[-1] == "a is back."
    assert not list((runs.parent / "home" / "Trash" / "info").iterdir())
    act(three, "runs.redo")
    assert not (runs / "a").exists() and sorted(shown(three)) == ["b", "c"]
    act(three, "runs.undo")
    assert content(runs / "a") == before


def test_several_go_and_come_back_together(three, runs):
    select(three, "a", "b")
    act(three, "runs.trash")
    assert shown(three) == ["c"]
    assert "2 runs moved" in three.context.said[-1]
    act(three, "runs.undo")
    scan(three)
    assert sorted(shown(three)) == ["a", "b", "c"]


def test_delete_and_ctrl_z_do_it_from_the_keyboard(three, runs, wait_until):
    three.activateWindow()
    select(three, "a")
    three.table.setFocus()
    QTest.keyClick(three.table, Qt.Key.Key_Delete)
    wait_until(lambda: sorted(shown(three)) == ["b", "c"])
    QTest.keyClick(three.table, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    wait_until(lambda: sorted(shown(three)) == ["a", "b", "c"])


@pytest.mark.parametrize("way", ["its own lock", "the trainer's current run", "the queue"])
def test_a_run_at_work_is_not_moved(three, runs, monkeypatch, way):
    path = str(runs / "a")
    if way == "its own lock":
        monkeypatch.setattr(presenter_module.RunFolder, "status", lambda self: "running")
    elif way == "the queue":
        three.context.trainer.jobs = [Job(path)]
    else:
        three.context.trainer.current = Job(path)
    select(three, "a")
    act(three, "runs.trash")
    assert (runs / "a").is_dir() and "a" in shown(three)
    assert "a has work to do and stayed" in three.context.said[-1]
    assert not three.presenter.undo.canUndo()


def test_a_system_without_trash(three, runs, monkeypatch):
    class NoTrash:
        def __init__(self, path):
            pass

        def moveToTrash(self):
            return False

    monkeypatch.setattr(trash, "QFile", NoTrash)
    select(three, "a")
    act(three, "runs.trash")
    assert (runs / "a").is_dir() and "a" in shown(three)
    assert "by hand" in three.context.said[-1]


def test_undo_when_the_place_is_taken_or_the_trash_was_emptied(three, runs):
    select(three, "a")
    act(three, "runs.trash")
    make_run(runs / "a", (0.7,))
    act(three, "runs.undo")
    assert "stays in the trash" in three.context.said[-1]
    assert run_store.RunStore(runs).scan().added  # the newer run is untouched
    assert not three.presenter.undo.canUndo() and not three.presenter.undo.canRedo()
    select(three, "b")
    act(three, "runs.trash")
    shutil.rmtree(runs.parent / "home" / "Trash")
    act(three, "runs.undo")
    assert "not in the trash any more" in three.context.said[-1]


# -- details ------------------------------------------------------------------------------------


def test_details_of_one_run(three):
    select(three, "b")
    text = detail(three)
    assert "Robust, best (epoch 3)" in text and "30.0 %" in text
    assert "41.0 %" in text  # on the test set
    assert "pgd-20 on 360 images" in text
    assert "attack.eps" in text and "8/255" in text and "24/255" in text
    assert "run_dir" not in text


def test_details_show_warnings_and_failures(runs, make):
    folder = make_run(runs / "a", end=False, data={"val_fraction": 0.0})
    folder.append(events.Warned(message="no <b>split</b>"))
    folder.append(events.NonFiniteLoss(epoch=5, batch=1, message="The loss became NaN."))
    screen = make(runs)
    select(screen, "a")
    text = detail(screen)
    assert "no <b>split</b>" in text  # as text, not as HTML
    assert "The loss became NaN." in text
    assert "without a validation split" in text


def test_details_of_several_tell_them_apart(three):
    select(three, "a", "b")
    text = detail(three)
    assert "2 runs selected" in text
    assert "attack.eps" in text and "seed" in text
    assert "model.name" not in text
    assert three.detail.notes.isHidden()


def test_details_of_several_need_no_more_width_than_there_is(make, runs, spin):
    for seed in (1, 2):
        make_run(runs / f"study-of-a-noise-kind-symmetric-label-noise-0-4-seed{seed}")
    screen = make(runs)
    screen.table.select([row.key for row in screen.tree.rows])
    spin(0.02)
    assert "2 runs selected" in detail(screen) and screen.side.width() <= 300
    assert screen.detail.text.horizontalScrollBar().maximum() == 0


def test_copied_details_hold_nothing_unseen(three):
    select(three, "a")
    assert "\u200b" in detail(three)  # where the path may be broken
    three.detail.text.selectAll()
    copied = three.detail.text.createMimeDataFromSelection().text()
    assert str(three.context.runs_dir / "a") in copied and "\u200b" not in copied


def test_a_run_that_gets_its_first_figures_gets_the_room_for_them(make, runs):
    folder = make_run(runs / "a", curve=(), end=False)
    screen = make(runs)
    column = screen.model.column_of("final")
    before = screen.table.columnWidth(column)
    folder.append(started(1))
    folder.append(epoch(1, 0.535, 1))
    screen.presenter.scan()
    text = screen.model.index(0, column).data()
    room = screen.table.fontMetrics().horizontalAdvance(text)
    assert text == "53.5 %" and before <= screen.table.columnWidth(column) >= room + 12


def test_details_without_selection_say_what_to_do(three):
    three.table.clearSelection()
    assert detail(three).startswith("Select a run")


def test_details_of_a_damaged_record(runs):
    record = RunRecord(runs / "x", "x", status="damaged", problem="It is broken.")
    assert "It is broken." in describe([record])


# -- the queue ----------------------------------------------------------------------------------


def test_the_queue_is_shown_and_can_be_changed(three):
    trainer, panel = three.context.trainer, three.queue
    assert panel.isHidden()
    trainer.jobs = [Job("/runs/one", RunConfig()), Job("/runs/two"), Job("/runs/three")]
    trainer.changed.emit()
    assert not panel.isHidden() and panel.list.count() == 3
    panel.list.setCurrentRow(2)
    panel.up.click()
    assert [job.name for job in trainer.queue] == ["one", "three", "two"]
    assert panel.list.currentRow() == 1
    panel.out.click()
    assert [job.name for job in trainer.queue] == ["one", "two"]


# -- the whole ----------------------------------------------------------------------------------


def test_an_empty_folder_says_what_to_do(runs, make):
    screen = make(runs)
    assert screen.pages.currentIndex() == EMPTY
    page = screen.pages.currentWidget()
    assert str(runs) in page.why.text()
    page.findChild(QAbstractButton).click()
    assert screen.context.sent == [("go_to", "train")]


def test_every_control_has_a_name(three):
    kinds = ("QPushButton", "QLineEdit", "QComboBox", "QCheckBox", "RunsTable", "QListWidget")
    for widget in three.findChildren(object):
        if isinstance(widget, QAbstractButton):
            parent = widget.parent()
            inner = isinstance(parent, QLineEdit) or type(parent).__name__ in ("RunsTable",)
            assert inner or widget.text() or widget.accessibleName(), widget
        elif type(widget).__name__ in kinds:
            assert widget.accessibleName(), widget
    for action in three.actions_table():
        assert action.text and action.help.endswith(".")


def test_five_hundred_runs_load_in_portions_and_stay_quiet(runs, make, monkeypatch):
    make_run(runs / "run-000")
    for number in range(1, 500):
        target = runs / f"run-{number:03}"
        shutil.copytree(runs / "run-000", target, copy_function=os.link)
    screen = make(runs)
    assert len(shown(screen)) == 500
    opened = []
    real = builtins.open
    monkeypatch.setattr(builtins, "open", lambda f, *a, **k: opened.append(f) or real(f, *a, **k))
    screen.presenter.scan()
    assert opened == []
    screen.filters.differing.setChecked(True)
    screen.filters.search.setText("drop>5 slr")
    screen.filters.tell()
    assert len(shown(screen)) == 500


def test_the_colours_change_with_the_theme(three, settings, qapp):
    select(three, "a")
    try:
        theme.install(qapp, settings)
        theme.choose("dark", settings)
        qapp.processEvents()
        assert theme.DARK.good in three.detail.text.toHtml()
        assert cell(three, "a", "status", Qt.ItemDataRole.ForegroundRole) == QColor(theme.DARK.good)
    finally:
        theme.choose("light", settings)


def test_times_are_said_as_people_do():
    now = 1_700_000_000.0
    assert run_words.when(now - 60, now).startswith("today")
    assert run_words.when(now - 86400, now).startswith("yesterday")
    assert run_words.when(now - 400 * 86400, now)[-4:] == "2022"
    assert run_words.when(None) == "–"
    assert run_words.when(1e30, now) == "–"
    assert [run_words.duration(s) for s in (5, 638, 7500)] == ["5 s", "10 min 38 s", "2 h 05 min"]


def test_epsilon_of_another_norm(runs):
    values = {"attack.eps": "127.5/255", "attack.norm": "l2"}
    record = types.SimpleNamespace(values=values)
    assert run_words.epsilon_text(record) == "0.5 (L2)"


def test_a_study_is_shown_alone(make, runs):
    for name in ("study/a", "study/b", "other/c", "other/d", "e"):
        make_run(runs / name)
    screen = make(runs)
    offered = [screen.filters.folders.itemText(n) for n in range(screen.filters.folders.count())]
    assert offered == ["All folders", "other", "study"] and screen.filters.folders.isVisible()
    screen.filters.folders.setCurrentIndex(2)
    assert {record.name for record in screen.tree.records()} == {"study/a", "study/b"}
    make_run(runs / "study" / "new")
    screen.presenter.scan()
    assert len(screen.tree.records()) == 3 and screen.filters.folders.currentText() == "study"
    for name in ("a", "b"):
        shutil.rmtree(runs / "study" / name)
    screen.presenter.scan()
    assert screen.filters.folders.currentText() == "All folders" and len(screen.tree.records()) == 4


def test_a_single_folder_needs_no_choice(make, runs):
    for name in ("a", "b"):
        make_run(runs / name)
    assert not make(runs).filters.folders.isVisible()


def test_a_pane_without_a_run_gives_way_where_there_is_little_room(three, wait_until):
    for width, hidden in ((1400, False), (1000, True)):
        three.resize(width, 700)
        wait_until(lambda hidden=hidden: three.side.isHidden() is hidden)
    select(three, "a")
    wait_until(lambda: not three.side.isHidden())
