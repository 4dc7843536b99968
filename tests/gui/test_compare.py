"""The Compare screen: arms, curves, plane, tables, classes, and folders that change."""

from __future__ import annotations

import dataclasses
import json
import shutil

import numpy as np
import pytest
from PySide6.QtTest import QTest

from gui import theme
from gui.models import comparison
from gui.models.comparison import VALIDATION, Overlay, arms_of
from gui.models.evaluated import EvaluatedRuns
from gui.models.run_store import RunStore
from gui.views import compare, compare_charts, saving
from gui.views.compare import CompareScreen
from slr_keras.evaluation.bits import bits_of
from slr_keras.studies import statistics, tables
from tests.gui._runs import StandInContext, make_run

IMAGES = 40
CURVES = {("at", 0): (0.2, 0.4, 0.3), ("at", 1): (0.3, 0.5, 0.2), ("slr", 0): (0.2, 0.4, 0.4)}


def right(share: float, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).permutation(np.arange(IMAGES) < round(share * IMAGES))


def evaluate(folder, which: str, clean: float, pgd: float, **facts) -> None:
    """An evaluation as the command writes it."""
    rows = []
    for name, share in (("clean", clean), ("pgd-20", pgd), ("autoattack: apgd-ce", pgd)):
        row = {"attack": name, "samples": IMAGES, "accuracy": share, "interval": [0.0, 1.0]}
        rows.append(
            row
            | {
                "per_class": [share, None],
                "right": bits_of(right(share, len(rows))),
                "seconds": 1.0,
            }
        )
    content = {"format": 2, "which": which, "epoch": 2, "samples": IMAGES, "results": rows}
    content |= {"checks": [], "data_digest": "d", "class_names": ["cat", "dog"]}
    content |= {"model_digest": "m", "device": "CPU", "versions": {"keras": "3"}, "seconds": 2.0}
    content |= {"time": "2026-11-28T10:00:00+00:00"} | facts
    name = "evaluation.json" if which == "best" else f"evaluation-{which}.json"
    (folder / name).write_text(json.dumps(content))


@pytest.fixture
def runs(tmp_path):
    """Three runs in a study's folder: AT in two seeds, SLR in one, all evaluated."""
    for (method, seed), curve in CURVES.items():
        folder = tmp_path / "runs" / "study" / f"{method}-seed{seed}"
        start = {"start_epoch": 2} if method == "slr" else {}
        make_run(folder, curve, method={"name": method, **start}, seed=seed)
        evaluate(folder, "best", 0.75, max(curve))
        evaluate(folder, "final", 0.8, curve[-1])
    return tmp_path / "runs"


@pytest.fixture
def records(runs):
    store = RunStore(runs)
    store.scan()
    return [store.records[key] for key in sorted(store.records)]


@pytest.fixture
def evaluated(records):
    known = EvaluatedRuns()
    left, new = known.read([record.key for record in records])
    assert not left and new
    return known


@pytest.fixture
def make(qapp, wait_until):
    """A screen on a runs folder that shows the only study in it."""
    made = []

    def screen(folder, shown=True) -> CompareScreen:
        context = StandInContext(folder)
        context.store.scan()
        one = CompareScreen(context)
        one.resize(1200, 700)
        made.append(one)
        if shown:
            one.show()
            paths = [path for paths in one.presenter.folders().values() for path in paths]
            one.presenter.show_runs(paths)
            wait_until(lambda: not one.presenter._left)
        return one

    yield screen
    for one in made:
        one.presenter._timer.stop()
        one.close()
        one.deleteLater()


# -- the model --------------------------------------------------------------------------------


def test_runs_that_differ_in_their_seed_alone_are_an_arm(records):
    at, slr = arms_of(records)
    assert (at.label, len(at.records)) == ("at", 2)
    assert (slr.label, len(slr.records)) == ("slr-seed0", 1)


def test_arms_of_one_name_are_told_apart_by_their_settings(tmp_path):
    for number, eps in enumerate(("4/255", "8/255")):
        make_run(tmp_path / str(number), attack={"eps": eps})
    store = RunStore(tmp_path)
    store.scan()
    for record in store.records.values():
        record.name = "same"
    assert {arm.label for arm in arms_of(list(store.records.values()))} == {
        "same · eps 4/255",
        "same · eps 8/255",
    }


@pytest.mark.parametrize("axis", comparison.AXES)
def test_a_line_is_mean_and_range_over_the_seeds(records, axis):
    arm = arms_of(records)[0]
    line = Overlay().line(arm, "val_robust_accuracy", axis)
    values = 100 * np.array([CURVES["at", 0], CURVES["at", 1]])
    np.testing.assert_allclose(line.mean, values.mean(0))
    np.testing.assert_allclose([line.low, line.high], [values.min(0), values.max(0)])
    passes = arm.records[0].config.attack.steps + 1
    expected = {"epoch": 1.0, "minutes": 2 / 60, "gradients": passes}[axis] * np.arange(1, 4)
    np.testing.assert_allclose(line.x, expected)


def test_a_line_grows_with_its_runs(records):
    arm, overlay = arms_of(records)[1], Overlay()
    assert len(overlay.line(arm, "val_robust_accuracy", "epoch").x) == 3
    epochs = arm.records[0].epochs
    epochs.append(dataclasses.replace(epochs[-1], epoch=4))
    assert len(overlay.line(arm, "val_robust_accuracy", "epoch").x) == 4


@pytest.mark.parametrize("attack", [VALIDATION, "pgd-20"])
def test_an_arrow_goes_from_the_best_to_the_last_epoch(records, evaluated, attack):
    (arrow,) = comparison.arrows(arms_of(records[:1])[0], attack, evaluated)
    clean = (60, 50) if attack == VALIDATION else (75, 80)
    np.testing.assert_allclose([arrow.best, arrow.final], [(clean[0], 40), (clean[1], 30)])
    assert comparison.arrows(arms_of(records[:1])[0], "square", evaluated) == []


def test_the_table_is_that_of_a_study(records, evaluated):
    found = comparison.as_results(arms_of(records), evaluated)
    assert found["attacks"] == ["clean", "pgd-20"]  # no part of a suite
    at, slr = tables.rows(found)
    assert at[:4] == ["at", "2", "75.0 (75.0 to 75.0)", "45.0 (40.0 to 50.0)"]
    pair = statistics.paired([right(0.4, 1)], [right(0.4, 1)])
    assert slr[-1] == tables.difference(pair)
    assert "Percent of 40 test images" in tables.footing(found)


def test_different_images_are_not_paired(records, evaluated, runs):
    evaluate(runs / "study" / "slr-seed0", "best", 0.75, 0.4, data_digest="other")
    assert evaluated.read([record.key for record in records])[1]
    found = comparison.as_results(arms_of(records), evaluated)
    assert tables.rows(found)[1][-1] == tables.NONE


def test_classes_are_means_over_the_seeds(records, evaluated):
    at = arms_of(records)[0]
    np.testing.assert_allclose(comparison.by_class(at, "pgd-20", evaluated)[0], 45)
    assert comparison.by_class(at, "pgd-20", evaluated)[1] is None
    assert comparison.class_names([at], evaluated) == ["cat", "dog"]
    assert comparison.by_class(at, "square", evaluated) == []


def test_settings_that_tell_arms_apart(records):
    header, rows = comparison.settings_table(arms_of(records))
    assert header == ["setting", "at", "slr-seed0"]
    assert ["method.name", "at", "slr"] in rows and not any(row[0] == "seed" for row in rows)


def test_a_damaged_evaluation_is_a_sentence_and_the_others_stay(records, runs):
    (runs / "study" / "at-seed0" / "evaluation.json").write_text('{"results": 3}')
    known = EvaluatedRuns()
    known.read([record.key for record in records])
    folder = runs / "study" / "at-seed0"
    (problem,) = known.problems(folder)
    assert "damaged" in problem and list(known.of(folder)) == ["final"]


def test_reading_stops_in_time_and_goes_on(records):
    known, keys = EvaluatedRuns(), [record.key for record in records]
    assert known.read(keys, budget=0) == (keys, False)
    assert known.read(keys) == ([], True) and known.read(keys) == ([], False)


# -- the screen -------------------------------------------------------------------------------


def test_every_tab_shows_its_runs(make, runs, no_exception_in_a_slot):
    screen = make(runs)
    assert screen.count.text() == "3 runs, 2 arms"
    assert [entry.text for entry in screen.legend.entries] == ["at (2 seeds)", "slr-seed0"]
    for tab in range(screen.tabs.count()):
        screen.tabs.setCurrentIndex(tab)
    curves = [key for key in screen.curves.chart.items_by_key if key[0] == "curve"]
    bands = [key for key in screen.curves.chart.items_by_key if key[0] == "band"]
    assert len(curves) == 2 and len(bands) == 1
    assert len(screen.plane.chart._heads) == 2  # the third stays at its best epoch
    assert len(screen.classes.chart._bars) == 2
    texts = screen.evaluation.table.texts
    assert [texts.row(number)[0] for number in range(texts.rowCount())] == ["at", "slr-seed0"]


def test_a_hidden_arm_is_nowhere_and_comes_back(make, runs):
    screen = make(runs)
    key = screen.presenter.arms[0].key
    screen.presenter.toggle(key, False)
    assert [arm.label for arm in screen.presenter.visible] == ["slr-seed0"]
    assert screen.presenter.results()["arms"] == ["slr-seed0"]
    screen.presenter.toggle(key, True)
    assert len(screen.presenter.visible) == 2


def test_the_arm_that_others_are_compared_with_is_first_and_keeps_its_colour(make, runs):
    screen = make(runs)
    before = {entry.key: entry.colour for entry in screen.legend.entries}
    screen.presenter.against(screen.presenter.arms[1].key)
    assert screen.presenter.results()["arms"] == ["slr-seed0", "at"]
    assert {entry.key: entry.colour for entry in screen.legend.entries} == before


def test_the_crosshair_says_every_curves_value(make, runs):
    screen = make(runs)
    screen.curves.chart._hover(2.2)
    said = screen.curves.chart._readout.text()
    assert "Epoch 2" in said and "45.0 % (40.0 to 50.0)" in said and "40.0 %" in said


def test_an_evaluation_that_comes_while_it_is_looked_at_appears(make, runs, wait_until):
    screen = make(runs)
    evaluate(runs / "study" / "slr-seed0", "best", 0.9, 0.6)
    screen.presenter._tick()
    wait_until(lambda: tables.rows(screen.presenter.results())[1][2] == "90.0")


def test_a_run_deleted_while_shown_is_gone_and_nothing_breaks(make, runs, no_exception_in_a_slot):
    screen = make(runs)
    shutil.rmtree(runs / "study" / "slr-seed0")
    changes = screen.context.store.scan()
    screen.context.runs_changed.emit(changes)
    assert [arm.label for arm in screen.presenter.arms] == ["at"]
    shutil.rmtree(runs / "study")
    screen.context.runs_changed.emit(screen.context.store.scan())
    assert screen.pages.currentIndex() == 0


def test_nothing_chosen_says_what_to_do(make, runs):
    screen = make(runs, shown=False)
    screen.show()
    screen.shown()
    assert screen.pages.currentIndex() == 0 and screen.folders.isEnabled()
    screen.folders.setCurrentIndex(0)
    screen._folder_chosen(0)
    assert len(screen.presenter.records) == 3


def test_of_very_many_runs_the_first_are_shown_and_it_says_so(make, runs, monkeypatch):
    monkeypatch.setattr("gui.presenters.compare.MOST", 2)
    screen = make(runs)
    assert len(screen.presenter.records) == 2
    assert screen.notice.text().startswith("3 runs are too many to see: the first 2 are shown.")
    screen.presenter.show_runs(screen.presenter.paths[:1])
    assert screen.notice.isHidden()


@pytest.mark.parametrize("suffix", compare.TABLES)
def test_tables_are_saved(make, runs, tmp_path, suffix):
    screen = make(runs)
    screen.save_table(tmp_path / f"out{suffix}")
    text = (tmp_path / f"out{suffix}").read_text()
    assert "slr-seed0" in text and ("45.0" in text or "0.5" in text)


@pytest.mark.parametrize("suffix", [".png", ".svg"])
def test_pictures_are_saved(make, runs, tmp_path, suffix):
    screen = make(runs)
    screen.save_figure(tmp_path / f"out{suffix}")
    assert (tmp_path / f"out{suffix}").stat().st_size > 1000


def test_what_cannot_be_saved_is_a_sentence(make, runs, tmp_path, monkeypatch):
    screen, said = make(runs), []
    monkeypatch.setattr(saving.QMessageBox, "warning", lambda *words: said.append(words[2]))
    saving.save(screen, tmp_path / "no" / "out.md", screen.save_table, said.append)
    screen.tabs.setCurrentIndex(screen.tabs.indexOf(screen.settings))
    saving.save(screen, tmp_path / "out.png", screen.save_figure, said.append)
    assert "No such file" in said[0] and "is a table" in said[1]


def test_the_session_comes_back(make, runs):
    screen = make(runs)
    screen.tabs.setCurrentIndex(2)
    screen.curves.axis.setCurrentIndex(1)
    again = make(runs, shown=False)
    again.restore(json.loads(json.dumps(screen.state())))
    again.show()
    again.shown()
    assert again.tabs.currentIndex() == 2 and again.curves.axis.currentData() == "minutes"
    assert len(again.presenter.records) == 3
    again.restore({"paths": 3, "tab": "x", "quantity": [], "axis": None})


def test_cells_are_copied_as_tabulated_text(make, runs, qapp):
    from PySide6.QtCore import Qt

    screen = make(runs)
    screen.tabs.setCurrentIndex(screen.tabs.indexOf(screen.settings))
    screen.settings.table.selectRow(0)
    QTest.keyClick(screen.settings.table, Qt.Key.Key_C, Qt.KeyboardModifier.ControlModifier)
    assert qapp.clipboard().text().startswith("method.name\tat\tslr")


def test_hundreds_of_runs_are_a_few_items(qapp):
    arms = [
        compare_charts.Shown(str(n), str(n), compare_charts.hue(n, theme.LIGHT)) for n in range(200)
    ]
    hues = {arm.hue for arm in arms}
    curves, plane = compare_charts.CurvesChart(), compare_charts.PlaneChart()
    epochs = np.arange(1.0, 6)
    curves.show_lines(
        [(arm, comparison.Line(epochs, epochs)) for arm in arms], "epoch", "loss", "Loss"
    )
    arrow = comparison.Arrow("run", (40.0, 30.0), (50.0, 20.0))
    plane.show_arrows([(arm, arrow) for arm in arms], "PGD-20")
    assert len(curves.items_by_key) == len(plane.items_by_key) == len(hues)
    assert len(plane._dots.data) == 200 and not plane._heads
    x, _ = curves.items_by_key["curve", arms[0].hue].getData()
    assert np.isnan(x).sum() == sum(arm.hue == arms[0].hue for arm in arms)
    plane.show_arrows([(arms[0], arrow)], "PGD-20")
    assert not plane._dots.isVisible() and len(plane._heads) == 1
