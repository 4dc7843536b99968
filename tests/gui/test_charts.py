from __future__ import annotations

import csv
import dataclasses
import itertools
import math
import pathlib
import xml.etree.ElementTree as ET
from itertools import pairwise
from typing import Any

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QImage, QPalette, QWheelEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QFileDialog, QMenu, QMessageBox

from gui import theme
from gui.models.epochs import Epochs
from gui.views.chart_grid import HARD
from gui.views.chart_looks import SERIES
from gui.views.charts import EMPTY, ChartsPanel
from gui.views.plot_parts import Mark
from gui.views.plots import Chart
from slr_keras.config import RunConfig
from slr_keras.methods.slr import SLR
from slr_keras.protocol.events import (
    BatchEnded,
    CatastrophicOverfitting,
    Diagnosed,
    EpochEnded,
)


@dataclasses.dataclass
class Record:
    """What the panel needs of a run's record."""

    path: pathlib.Path
    name: str = ""
    config: Any = None
    values: dict[str, Any] = dataclasses.field(default_factory=dict)
    epochs: Epochs = dataclasses.field(default_factory=Epochs)
    problem: str = ""
    summary: dict[str, Any] | None = None
    catastrophe: CatastrophicOverfitting | None = None
    diagnoses: list[Diagnosed] = dataclasses.field(default_factory=list)


def epoch(number, fall=0.0, entropy=1.0, rated=True):
    robust = 0.2 if number < 25 else 0.2 - fall
    rate = 0.05 if number <= 30 else 0.005
    shares = (0.6, min(1.0, 0.2 + number / 60), 0.5, robust) if rated else (None,) * 4
    return EpochEnded(number, 50, 2.0, 0.5, 0.4, *shares, entropy, 0.9, rate, 100.0, 1.0)


def record(name, epochs=50, fall=0.0, entropy=1.0, **values):
    settings = {"eval.val_samples": 500, "method.name": name, "seed": 0} | values
    ended = Epochs(epoch(n, fall, entropy) for n in range(1, epochs + 1))
    return Record(pathlib.Path("/runs") / name, name, values=settings, epochs=ended)


@pytest.fixture
def panel(qapp, spin):
    panel = ChartsPanel()
    panel.resize(900, 600)
    panel.show()
    spin(0.01)
    yield panel
    panel.close()
    panel.deleteLater()
    spin()


def curves_of(chart, kind="curve"):
    return {
        key[1:]: item
        for key, item in chart.items_by_key.items()
        if key[0] == kind and item.isVisible()
    }


def press(action_name, panel):
    next(a for a in panel.actions_table() if a.name == action_name).run()


def test_empty_says_what_to_do(panel):
    assert panel._pages.currentWidget() is panel._empty and panel._empty.text() == EMPTY
    panel.set_runs([record("at", epochs=0)])
    assert "first epoch" in panel._empty.text()
    broken = record("at", epochs=0)
    broken.problem = "Its events cannot be read."
    panel.set_runs([broken])
    assert panel._empty.text() == "Its events cannot be read."
    panel.set_runs([])
    assert panel._empty.text() == EMPTY


def test_one_run_shows_four_accuracies_in_percent(panel):
    at = record("at", fall=0.1)
    panel.set_runs([at])
    curves = curves_of(panel.grid.accuracy)
    assert {key for _, key in curves} == {series.key for series in SERIES}
    x, y = curves["/runs/at", "val_robust_accuracy"].getData()
    assert len(x) == 50 and y[0] == pytest.approx(20) and y[-1] == pytest.approx(10)
    styles = {key: item.opts["pen"].style() for (_, key), item in curves.items()}
    assert styles["val_accuracy"] == Qt.PenStyle.SolidLine
    assert styles["train_accuracy"] == Qt.PenStyle.DashLine
    hue = curves["/runs/at", "val_robust_accuracy"].opts["pen"].color().name()
    assert hue == theme.colours().robust
    assert curves_of(panel.grid.accuracy, "band") and len(panel.grid.accuracy.points.data) == 1


def test_onset_and_learning_rate_are_marked(panel):
    panel.set_runs([record("slr", fall=0.1, **{"method.start_epoch": 5})])
    texts = [line.label.format for line in panel.grid.accuracy._marks if line.isVisible()]
    assert texts[0] == "lr 0.005" and texts[1] == "refinement starts"
    assert texts[2].startswith("overfitting since ")
    assert "Overfitting since epoch" in panel._headline.text()
    assert theme.colours().bad in panel._headline.text()
    panel.set_runs([record("calm")])
    assert panel._headline.text().endswith("No robust overfitting so far.</span>")
    visible = [line.label.format for line in panel.grid.accuracy._marks if line.isVisible()]
    assert visible == ["lr 0.005"]


def test_catastrophic_overfitting_is_marked(panel):
    told = record("fgsm")
    told.catastrophe = CatastrophicOverfitting("said", 17, 0.9, 0.02, 11, 0.4)
    panel.set_runs([told])
    texts = [line.label.format for line in panel.grid.accuracy._marks if line.isVisible()]
    assert texts == ["lr 0.005", "catastrophic"]
    assert "Catastrophic overfitting since epoch 17" in panel._headline.text()
    assert "2.0 % resist PGD, after 40.0 % in epoch 11" in panel._headline.text()
    panel.set_runs([told, record("calm")])
    assert "catastrophic overfitting since epoch 17" in panel._headline.text()


def test_the_best_epoch_is_the_one_that_the_run_has_kept(panel):
    kept = record("at")
    kept.summary = {"best_epoch": 7}
    panel.set_runs([kept])
    assert any("epoch 7" in text for text in _texts(panel.grid.accuracy))
    kept.summary = {"best_epoch": None}
    panel.set_runs([kept])
    assert not any("epoch 7" in text for text in _texts(panel.grid.accuracy))


def _texts(chart):
    items = chart.items_by_key.values()
    return [i.toPlainText() for i in items if hasattr(i, "toPlainText") and i.isVisible()]


def test_a_diagnosis_is_a_card_and_a_mark(panel):
    told = record("at")
    assert not panel.diagnosis.isVisible()
    told.diagnoses = [
        Diagnosed("an eps <too> large. Try another", "radius", "unusual radius", 0),
        Diagnosed("said. Try --x", "collapse", "nothing learned", 7),
        Diagnosed("said by the charts", "robust_overfitting", "robust overfitting", 9),
    ]
    panel.set_runs([told])
    texts = [line.label.format for line in panel.grid.accuracy._marks if line.isVisible()]
    assert "nothing learned" in texts and "unusual radius" not in texts
    assert "robust overfitting" not in texts
    card = panel.diagnosis
    assert card.isVisibleTo(panel) and "<b>Nothing learned:</b> said. Try --x" in card.text.text()
    assert "&lt;too&gt;" in card.text.text() and "by the charts" not in card.text.text()
    assert "an eps <too> large" in card.text.accessibleDescription()
    panel.set_runs([told, record("calm")])
    assert not card.isVisibleTo(panel)


def test_live_epochs_appear_within_the_repaint(panel, wait_until):
    live = record("at", epochs=1)
    panel.set_runs([live])
    panel.epoch("/runs/at", epoch(2))
    panel.epoch("/runs/other", epoch(3))
    curve = panel.grid.accuracy.items_by_key["curve", "/runs/at", "val_accuracy"]
    wait_until(lambda: len(curve.getData()[0]) == 2)
    live.epochs.append(epoch(2))  # the store reads it from disk afterwards
    panel.refresh()
    assert len(curve.getData()[0]) == 2
    panel.epoch("/runs/at", epoch(3))
    panel.set_runs([live])  # the record is behind, nothing is lost
    assert len(curve.getData()[0]) == 3


def test_settings_that_come_late_are_used(panel):
    """A run that has just begun is shown before its folder is read."""
    early = Record(pathlib.Path("/runs/slr"), "slr", RunConfig(method=SLR(start_epoch=3)))
    panel.set_runs([early])
    panel.epoch("/runs/slr", epoch(1))
    assert panel.runs[0].curves.samples == 500 and panel.runs[0].curves.start_epoch == 3
    panel.set_runs([record("slr", epochs=1, **{"eval.val_samples": 1000})])
    assert panel.runs[0].curves.samples == 1000 and panel.runs[0].curves.start_epoch is None


def test_nothing_is_drawn_while_hidden(panel, spin, monkeypatch):
    panel.set_runs([record("at", epochs=5)])
    panel.hide()
    drawn = []
    monkeypatch.setattr(panel, "_draw", lambda: drawn.append(1))
    panel.epoch("/runs/at", epoch(6))
    spin(0.25)
    assert not drawn
    panel.show()
    assert drawn


def test_batches_draw_a_thin_loss_curve(panel):
    panel.set_runs([record("at", epochs=1)])
    for number in (1, 2, 3):
        panel.batch(BatchEnded(2, number, 10, 1.5, None, None, None))
    panel.batch(BatchEnded(2, 4, 10, 1.5, None, None, None), "/runs/other")
    panel.refresh()
    curve = curves_of(panel.grid.loss, "batches")["/runs/at", "loss"]
    assert curve.getData()[0].tolist() == [1.1, 1.2, 1.3]
    assert curve.opts["pen"].width() == 1 and not curve.opts["antialias"]


def test_two_runs_take_a_hue_each(panel):
    panel.set_runs([record("at", fall=0.1), record("slr")])
    curves = curves_of(panel.grid.accuracy)
    hues = [item.opts["pen"].color().name() for item in curves.values()]
    assert hues == list(theme.colours().series[:2])
    assert {key for _, key in curves} == {"val_robust_accuracy"}
    assert [entry.text for entry in panel._runs_legend.entries] == ["at · AT", "slr · SLR"]
    text = panel._headline.text()
    assert "at · AT:" in text and "slr · SLR:" in text and "no robust overfitting" in text
    panel.set_runs([record(f"run{number}", fall=0.1) for number in range(20)])
    assert "20 of 20 runs overfit robustly" in panel._headline.text()
    assert len({e.colour for e in panel._runs_legend.entries}) == 20


@pytest.mark.parametrize("width, above", [(500, True), (1100, False)])
def test_where_there_is_little_room_the_legend_stands_above_the_controls(panel, spin, width, above):
    panel.set_runs([record("a")])
    panel.resize(width, 600)
    spin(0.05)
    legend, controls = panel._series_legend, panel.controls
    assert (legend.geometry().bottom() < controls.geometry().top()) == above
    assert legend.verticalScrollBar().maximum() == 0  # every entry is seen
    titles = [chart.titles for chart in panel.grid.charts]
    assert all(len(shorter) <= len(longer) for t in titles for longer, shorter in pairwise(t))


def test_a_click_in_the_legend_hides_and_shows(panel, spin):
    panel.set_runs([record("at"), record("slr")])
    spin(0.02)
    legend = panel._runs_legend
    place = legend.visualItemRect(legend.item(1)).center()
    QTest.mouseClick(legend.viewport(), Qt.MouseButton.LeftButton, pos=place)
    assert [path for path, _ in curves_of(panel.grid.accuracy)] == ["/runs/at"]
    legend.setCurrentRow(1)
    QTest.keyClick(legend, Qt.Key.Key_Space)
    assert len(curves_of(panel.grid.accuracy)) == 2
    press("charts.series_3", panel)
    assert {key for _, key in curves_of(panel.grid.accuracy)} == {
        "val_robust_accuracy",
        "val_accuracy",
    }


def test_hidden_curves_do_not_count_for_the_range(panel):
    panel.set_runs([record("at")])
    assert panel.grid.accuracy.view.viewRange()[1][1] > 100
    for number in (2, 3, 4):
        press(f"charts.series_{number}", panel)
    assert panel.grid.accuracy.view.viewRange()[1][1] < 40
    assert set(curves_of(panel.grid.accuracy)) == {("/runs/at", "val_robust_accuracy")}


def test_panning_ends_following_and_the_button_brings_it_back(panel):
    live = record("at", epochs=20)
    panel.set_runs([live])
    panel.grid.accuracy.setXRange(5, 10, padding=0)
    panel.grid.accuracy.view.sigRangeChangedManually.emit([True, True])
    assert not panel.controls.follow.isChecked()
    for chart in panel.grid.charts:
        assert chart.view.viewRange()[0] == pytest.approx([5, 10])
    live.epochs.append(epoch(21))
    panel.refresh()
    assert panel.grid.accuracy.view.viewRange()[0] == pytest.approx([5, 10])
    panel.controls.follow.click()
    for chart in panel.grid.charts:
        assert chart.view.viewRange()[0] == pytest.approx([0, 21.21])


def test_wheel_and_pointer_on_the_chart(panel, qapp, spin):
    panel.set_runs([record("at")])
    spin(0.05)
    at = panel.grid.accuracy.area.center().toPoint()
    QTest.mouseMove(panel.grid.accuracy.viewport(), at)
    spin(0.02)
    assert panel.grid.readout.isVisible() and "Epoch 25<" in panel.grid.readout.text()
    wheel = QWheelEvent(
        at.toPointF(),
        panel.grid.accuracy.viewport().mapToGlobal(at).toPointF(),
        QPoint(),
        QPoint(0, 240),
        Qt.MouseButton.NoButton,
        Qt.KeyboardModifier.NoModifier,
        Qt.ScrollPhase.NoScrollPhase,
        False,
    )
    qapp.sendEvent(panel.grid.accuracy.viewport(), wheel)
    (left, right), _ = panel.grid.accuracy.view.viewRange()
    assert left > 1 and right < 50 and not panel.controls.follow.isChecked()
    assert panel.grid.loss.view.viewRange()[0] == pytest.approx([left, right])


def test_crosshair_is_the_same_in_all_charts(panel):
    at = record("at", fall=0.1)
    panel.set_runs([at])
    panel.grid.gap.hovered.emit(30.4)
    assert [chart.crosshair.value() for chart in panel.grid.charts] == [30] * 4
    text = panel.grid.readout.text()
    assert "Epoch 30" in text and "10.0 %" in text and "1.00 nats" in text and "0.05" in text
    assert panel.grid.readout.isVisible()
    QTest.keyClick(panel.grid.accuracy, Qt.Key.Key_Right)
    assert "Epoch 31" in panel.grid.readout.text()
    QTest.keyClick(panel.grid.accuracy, Qt.Key.Key_Escape)
    assert not panel.grid.readout.isVisible() and not panel.grid.loss.crosshair.isVisible()
    panel.set_runs([at, record("slr")])
    panel.grid.accuracy.hovered.emit(10)
    assert "at · AT" in panel.grid.readout.text() and "slr · SLR" in panel.grid.readout.text()


def test_crosshair_stops_at_evaluated_epochs(panel):
    sparse = record("at", epochs=0)
    sparse.epochs = Epochs(epoch(n, rated=n % 5 == 0) for n in range(1, 21))
    panel.set_runs([sparse])
    QTest.keyClick(panel.grid.accuracy, Qt.Key.Key_Left)
    assert "Epoch 20<" in panel.grid.readout.text()
    QTest.keyClick(panel.grid.accuracy, Qt.Key.Key_Left)
    assert "Epoch 15<" in panel.grid.readout.text()


def test_smoothing_keeps_the_measured_values(panel):
    panel.set_runs([record("at", fall=0.1)])
    assert not curves_of(panel.grid.accuracy, "raw")
    press("charts.smoother", panel)
    raw = curves_of(panel.grid.accuracy, "raw")["/runs/at", "val_robust_accuracy"]
    smooth = curves_of(panel.grid.accuracy)["/runs/at", "val_robust_accuracy"]
    assert raw.getData()[1][24] == pytest.approx(10)
    assert smooth.getData()[1][24] == pytest.approx((20 + 20 + 10) / 3)
    press("charts.rougher", panel)
    assert not curves_of(panel.grid.accuracy, "raw")


def test_hard_labels_are_said_to_be_hard(panel):
    panel.set_runs([record("at", entropy=0.0)])
    assert panel.grid.softness._notice_text == HARD and panel.grid.softness.notice.isVisible()
    panel.set_runs([record("slr")])
    assert not panel.grid.softness.notice.isVisible()
    assert ("/runs/slr", "label_agreement") in curves_of(panel.grid.softness)


def test_data_export(panel, tmp_path):
    panel.set_runs([record("at", epochs=3), record("slr", epochs=2)])
    panel.export_csv(tmp_path / "data.csv")
    with open(tmp_path / "data.csv", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    robust = [row for row in rows if row["series"] == "val_robust_accuracy"]
    assert [(row["run"], row["epoch"]) for row in robust] == [
        *(("at · AT", str(n)) for n in (1, 2, 3)),
        *(("slr · SLR", str(n)) for n in (1, 2)),
    ]
    assert {float(row["value"]) for row in robust} == {0.2}
    assert not [row for row in rows if row["series"] == "val_accuracy"]  # hidden with two runs
    assert {"robust_gap", "label_entropy", "loss"} <= {row["series"] for row in rows}


def test_figure_export(panel, tmp_path):
    panel.set_runs([record("at", fall=0.1)])
    panel.grid.accuracy.hovered.emit(10)
    panel.export_figure(tmp_path / "figure.png")
    panel.export_figure(str(tmp_path / "figure.svg"))
    image = QImage(str(tmp_path / "figure.png"))
    assert image.width() >= 1600 and image.pixelColor(2, 2).name() == "#ffffff"
    seen = {
        image.pixelColor(x, y).name()
        for x in range(0, image.width(), 5)
        for y in range(200, image.height())
    }
    assert theme.LIGHT.robust in seen and theme.LIGHT.clean in seen
    svg = ET.parse(tmp_path / "figure.svg").getroot()
    words = " ".join("".join(node.itertext()) for node in svg.iter())
    for text in ("Robust, validation", "Accuracy", "overfitting since", "epoch", "Training loss"):
        assert text in words
    assert panel.grid.readout.isVisible()  # the crosshair is back
    with pytest.raises(ValueError, match=".png or .svg"):
        panel.export_figure(tmp_path / "figure.gif")
    with pytest.raises(OSError):
        panel.export_figure(tmp_path / "nowhere" / "figure.png")


def test_failed_export_says_why(panel, tmp_path, monkeypatch):
    panel.set_runs([record("at")])
    said, saved = [], []
    monkeypatch.setattr(QMessageBox, "warning", lambda *args: said.append(args[2]))
    panel.message.connect(saved.append)
    target = str(tmp_path / "nowhere" / "data.csv")
    dialog = QFileDialog
    monkeypatch.setattr(dialog, "getSaveFileName", lambda *a: (target, "CSV table (*.csv)"))
    panel.ask_csv()
    assert "No such file" in said[0] and "Choose another" in said[0] and not saved
    good = str(tmp_path / "figure")
    monkeypatch.setattr(dialog, "getSaveFileName", lambda *a: (good, "SVG drawing (*.svg)"))
    panel.ask_figure()
    assert saved == [f"Saved {good}.svg."] and (tmp_path / "figure.svg").stat().st_size > 1000
    monkeypatch.setattr(dialog, "getSaveFileName", lambda *a: ("", ""))
    panel.ask_figure()
    assert len(saved) == 1 and len(said) == 1


def test_colours_follow_the_theme(panel, qapp, spin, monkeypatch):
    panel.set_runs([record("at")])
    before = qapp.palette()
    monkeypatch.setattr(theme, "_current", theme.DARK)
    dark = QPalette(before)
    dark.setColor(QPalette.ColorRole.Window, theme.DARK.background)
    try:
        qapp.setPalette(dark)
        spin(0.02)
        curve = curves_of(panel.grid.accuracy)["/runs/at", "val_robust_accuracy"]
        assert curve.opts["pen"].color().name() == theme.DARK.robust
        assert panel.grid.accuracy.backgroundBrush().color().name() == theme.DARK.surface
        assert panel._series_legend.entries[0].colour == theme.DARK.robust
    finally:
        qapp.setPalette(before)


def test_items_do_not_pile_up(panel):
    live = record("at", epochs=3, fall=0.1)
    others = [record(f"run{number}") for number in range(3)]
    panel.set_runs([live, *others])
    panel.set_runs([live])
    panel._draw()

    def count():
        return [len(chart.scene().items()) for chart in panel.grid.charts]

    for number in range(25, 55):  # through the drop of the rate and the onset
        panel.epoch("/runs/at", epoch(number, 0.1))
        panel.batch(BatchEnded(number, 1, 2, 1.0, None, None, None))
        panel._draw()
    before = count()
    for number in range(55, 355):
        panel.epoch("/runs/at", epoch(number, 0.1))
        panel.batch(BatchEnded(number, 1, 2, 1.0, None, None, None))
        panel._draw()
    assert count() == before
    for _ in range(5):
        panel.set_runs([live, *others])
        panel.set_runs([live])
    assert count() == before


def test_state_comes_back_and_nonsense_is_passed_over(panel, spin):
    panel.set_runs([record("at")])
    press("charts.series_2", panel)
    press("charts.smoother", panel)
    other = ChartsPanel()
    other.restore({"hidden": 3, "smoothing": "x", "rows": [1], "columns": None})
    other.restore(panel.state())
    other.set_runs([record("at")])
    assert other.state()["hidden"] == ["train_robust_accuracy"] and other.state()["smoothing"] == 1
    other.deleteLater()
    spin()


def test_the_menu_speaks_plainly_and_works(panel, spin):
    panel.set_runs([record("at")])
    panel.grid.accuracy.menu_wanted.emit(QPoint(10, 10))
    menu = panel.findChildren(QMenu)[-1]
    texts = [action.text() for action in menu.actions() if action.text()]
    assert texts[0] == "Show all epochs and follow" and "Robust, training" in texts
    next(a for a in menu.actions() if a.text() == "Robust, training").trigger()
    assert ("/runs/at", "train_robust_accuracy") not in curves_of(panel.grid.accuracy)
    menu.close()
    spin()


def test_actions_wait_for_runs(panel):
    table = panel.actions_table()
    assert not any(action.enabled() for action in table)
    panel.set_runs([record("at")])
    assert all(action.enabled() and action.menu == "Charts" and action.help for action in table)
    assert len({action.name for action in table}) == len(table)
    assert len({action.shortcut for action in table}) == len(table)


def test_one_epoch_and_odd_values_do_no_harm(panel):
    lonely = record("at", epochs=0)
    lonely.epochs = Epochs([dataclasses.replace(epoch(1), loss=None, label_entropy=None)])
    panel.set_runs([lonely])
    assert "1 done" in panel._headline.text()
    panel.grid.accuracy.hovered.emit(1)
    assert "–" in panel.grid.readout.text()
    (left, right), (low, high) = panel.grid.loss.view.viewRange()
    assert all(map(math.isfinite, (left, right, low, high)))


def test_labels_of_points_that_are_close_stand_apart(qapp, spin):
    chart = Chart("Accuracy")
    chart.resize(500, 300)
    chart.setXRange(0, 100, padding=0)
    chart.setYRange(0, 25, padding=0)
    chart.show()
    spin(0.02)
    chart.begin()
    for run, epoch, value in (("a", 20, 17.6), ("b", 24, 17.8), ("c", 26, 17.0)):
        chart.point(run, epoch, value, "#c00000", f"best {value} %, epoch {epoch}")
    chart.end("abc")
    spin(0.02)
    labels = [chart.items_by_key["label", run] for run in "abc"]
    places = [label.mapRectToScene(label.boundingRect()) for label in labels]
    assert not any(a.intersects(b) for a, b in itertools.combinations(places, 2))
    chart.deleteLater()


def test_labels_keep_within_the_picture_and_clear_of_the_words_of_lines(qapp, spin):
    chart = Chart("Accuracy")
    chart.resize(500, 300)
    chart.setXRange(0, 100, padding=0)
    chart.setYRange(0, 25, padding=0)
    chart.show()
    spin(0.02)
    chart.mark([Mark(50, "overfitting since 50", "#c00000")])
    chart.begin()
    for run, epoch, value in (("a", 1, 24.9), ("b", 55, 24.0), ("c", 99, 0.1)):
        chart.point(run, epoch, value, "#c00000", f"best {value} %, epoch {epoch}")
    chart.end("abc")
    spin(0.02)
    room = chart.view.sceneBoundingRect().adjusted(-1, -1, 1, 1)
    labels = [chart.items_by_key["label", run] for run in "abc"]
    places = [label.mapRectToScene(label.boundingRect()) for label in labels]
    assert all(map(room.contains, places))
    line = chart._marks[0].label
    assert not any(map(line.mapRectToScene(line.boundingRect()).intersects, places))
    chart.deleteLater()
