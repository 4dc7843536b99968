"""The attack lab on screen, with a lab that speaks the protocol."""

from __future__ import annotations

import dataclasses
import json
import pathlib
import sys
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest
from PySide6.QtCore import QMimeData, QPointF, Qt, QUrl
from PySide6.QtGui import QDropEvent, QGuiApplication, QImage
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QAbstractButton, QAbstractSlider, QAbstractSpinBox, QComboBox

from gui import theme
from gui.models import pictures
from gui.models.attack_settings import attack_names
from gui.models.lab import Bench
from gui.models.lab_parts import Source
from gui.presenters.context import Context, Programs
from gui.views import lab_figure
from gui.views.image_view import ImageView, to_qimage
from gui.views.images import CompareView
from gui.views.lab import LabScreen
from gui.views.lab_sources import available, best_source
from slr_keras.protocol import events
from tests.gui import fake_lab
from tests.gui.lab_tools import asked, fake_command, settled


@pytest.fixture
def make_screen(qapp, settings, tmp_path):
    made = []

    def make(latency: float = 0.0) -> LabScreen:
        (tmp_path / "runs").mkdir(exist_ok=True)
        programs = Programs([sys.executable, "-c", "pass"], fake_command(tmp_path, latency))
        context = Context(tmp_path / "runs", settings, programs)
        screen = LabScreen(context)
        screen.said = []
        context.message.connect(screen.said.append)
        screen.resize(990, 650)
        screen.show()
        screen.shown()
        made.append(screen)
        return screen

    yield make
    for screen in made:
        screen.lab.worker.kill()
        screen.lab.close()
        screen.deleteLater()


@pytest.fixture
def screen(make_screen, wait_until, spin):
    """A screen with a model, an image and an attack that is done."""
    screen = make_screen()
    screen.lab.load("a", Source("/runs/standard"))
    wait_until(lambda: settled(screen.lab))
    spin(0.05)
    return screen


def picture_of(view: ImageView) -> np.ndarray:
    image = view.image.convertToFormat(QImage.Format.Format_RGB888)
    data = np.frombuffer(image.constBits(), np.uint8)
    lines = data.reshape(image.height(), image.bytesPerLine())[:, : 3 * image.width()]
    return lines.reshape(image.height(), image.width(), 3).copy()


# -- images -------------------------------------------------------------------------------------


@pytest.mark.parametrize("width", [1, 2, 3, 5, 7, 8, 33])
def test_pictures_of_any_width_are_shown_whole(qapp, width):
    picture = np.random.default_rng(width).integers(0, 256, (4, width, 3), dtype=np.uint8)
    view = ImageView("test")
    view.set_picture(picture)
    assert (picture_of(view) == picture).all()
    assert (picture_of(view) == picture_of(view)).all()
    sliced = np.repeat(picture, 2, axis=1)[:, ::2]  # not contiguous
    image = to_qimage(sliced)
    assert image.pixelColor(width - 1, 3).red() == picture[3, width - 1, 0]


def test_pixels_are_magnified_without_blur_and_found_again(qapp):
    picture = np.zeros((2, 2, 3), np.uint8)
    picture[0, 1] = picture[1, 0] = 255
    view = ImageView("test")
    view.resize(101, 101)
    view.set_picture(picture)
    shot = view.grab().toImage()
    target = view.target()
    assert target.width() == 100  # a whole multiple
    tones = {shot.pixelColor(x, 30).value() for x in range(2, 98)}
    assert tones == {0, 255}
    assert view.pixel_at(QPointF(target.left() + 75, target.top() + 25)) == (0, 1)
    assert view.pixel_at(QPointF(-5, 5)) == (-1, -1)
    seen = []
    view.pointed.connect(lambda row, column: seen.append((row, column)))
    for key in (Qt.Key.Key_Right, Qt.Key.Key_Down, Qt.Key.Key_Escape):
        QTest.keyClick(view, key)
        view.set_pointer(*seen[-1])
    assert seen == [(0, 0), (1, 0), (-1, -1)]


def test_swipe_shows_both(qapp):
    view = CompareView("test")
    view.resize(100, 100)
    white, black = np.full((4, 4, 3), 255, np.uint8), np.zeros((4, 4, 3), np.uint8)
    view.set_pictures({"clean": white, "adversarial": black, "difference": white})
    view.set_mode("swipe")
    view.share = 0.5
    shot = view.grab().toImage()
    assert shot.pixelColor(20, 60).value() == 255 and shot.pixelColor(80, 60).value() == 0
    QTest.mouseClick(view, Qt.MouseButton.LeftButton, pos=view.rect().center() * 0.5)
    assert view.share == pytest.approx(0.25, abs=0.03)
    view.set_mode("clean")
    assert (picture_of(view) == white).all()


# -- what is shown ------------------------------------------------------------------------------


def test_without_a_model_it_says_what_to_do(make_screen):
    screen = make_screen()
    assert screen.pages.currentIndex() == 0
    went = []
    screen.context.go_to.connect(went.append)
    screen.empty_train.click()
    assert went == ["train"] and not screen.empty_newest.isVisible()


def test_a_result_on_screen_is_the_result(screen):
    row, result = screen.rows["a"], screen.lab.bench.slots["a"].result
    assert screen.pages.currentIndex() == 1 and not screen.rows["b"].isVisible()
    assert (picture_of(row.clean) == pictures.to_bytes(result.clean)).all()
    assert (picture_of(row.adversarial) == pictures.to_bytes(result.adversarial)).all()
    factor = 255 / 24
    shown = pictures.diverging(np.clip(result.delta * np.float32(factor), -1, 1)[..., 0])
    assert (picture_of(row.perturbation) == shown).all()
    assert row.panels["perturbation"].caption.text() == "× 10.6"
    assert row.verdict.text() == screen.lab.bench.verdict("a")
    assert row.budget.text() == "max change 24/255 of 24/255"
    assert not row.adversarial.dimmed
    assert "true class" in row.bars.accessibleDescription()


def test_a_chosen_factor_is_printed(screen):
    screen.factor.setCurrentIndex(screen.factor.findText("4 times"))
    screen.factor.activated.emit(0)
    row, result = screen.rows["a"], screen.lab.bench.slots["a"].result
    assert row.panels["perturbation"].caption.text() == "× 4"
    assert (picture_of(row.perturbation) == pictures.diverging(4 * result.delta[..., 0])).all()


def test_a_drag_of_the_slider_is_never_shown_as_current_before_it_is(make_screen, wait_until, spin):
    screen = make_screen(latency=0.03)
    screen.lab.load("a", Source("/runs/standard"))
    wait_until(lambda: settled(screen.lab))
    slider, row = screen.attack.editors["eps"].slider, screen.rows["a"]
    bench = screen.lab.bench
    for half in range(2, 102, 2):
        slider.setValue(half)
        assert not bench.is_current("a") and row.adversarial.dimmed and row.perturbation.dimmed
        assert row.verdict.text().startswith("Computing…")
        spin(0.008)
        assert row.adversarial.dimmed == (not bench.is_current("a"))
    released = len(asked(screen.context.runs_dir.parent, "run_attack"))
    wait_until(lambda: settled(screen.lab))
    spin(0.05)
    assert len(asked(screen.context.runs_dir.parent, "run_attack")) - released <= 2
    assert bench.values["eps"] == pytest.approx(50 / 255)
    model = fake_lab.Linear("/runs/standard", *fake_lab.digits())
    image = bench.image
    fresh = fake_lab.attack(model, image.pixels, bench.attack(), image.label, bench.seed)
    assert (picture_of(row.adversarial) == pictures.to_bytes(fresh["adversarial"])).all()
    assert not row.adversarial.dimmed and row.budget.text() == "max change 50/255 of 50/255"


def test_a_long_attack_is_seen_while_it_runs(make_screen, wait_until, spin):
    screen = make_screen(latency=0.8)
    screen.lab.load("a", Source("/runs/standard"))
    wait_until(lambda: screen.lab.bench.slots["a"].live)
    spin(0.05)
    row, image = screen.rows["a"], screen.lab.bench.image
    assert row.panels["adversarial"].caption.text().startswith("step ")
    assert (picture_of(row.adversarial) == pictures.to_bytes(image.pixels / 2)).all()
    assert row.adversarial.dimmed and row.verdict.text() == "Attacking…"
    assert screen.busy.isVisible() and screen.cancel.isVisible()
    screen.cancel.click()
    spin(0.05)
    assert not screen.busy.isVisible() and row.adversarial.image is None


def test_a_path_of_very_many_steps_is_drawn_in_few_points(screen):
    done = screen.lab.bench.slots["a"].result.done
    many = tuple(np.sin(np.arange(20_001) / 3000).tolist())
    done = dataclasses.replace(done, losses=many, margins=many, fooled_at=19_999)
    slot = screen.lab.bench.slots["a"]
    slot.result = dataclasses.replace(slot.result, done=done)
    screen.refresh()
    chart = screen.charts.trajectory
    x, y = chart._curves["a", "loss"].getData()
    assert len(x) <= 1002 and (x[0], x[-1]) == (0, 20_000) and y.max() == pytest.approx(max(many))
    assert chart._curves["a", "margin"].opts["pen"].width() == 1
    assert chart._fooled["a"].getData()[0].tolist() == [19_999]
    assert screen.charts.scrubber.maximum() == 20_000


def test_the_scrubber_shows_the_frame_of_its_step(screen):
    result, row = screen.lab.bench.slots["a"].result, screen.rows["a"]
    screen.charts.scrubber.setValue(3)
    assert (picture_of(row.adversarial) == pictures.to_bytes(result.frames[3])).all()
    assert row.panels["adversarial"].caption.text() == "step 3 of 20"
    assert screen.charts.step_text.text().startswith("step 3 of 20")
    screen.charts.scrubber.setValue(20)
    assert (picture_of(row.adversarial) == pictures.to_bytes(result.adversarial)).all()


def test_two_models_and_their_transfer(screen, wait_until, spin):
    screen.lab.load("b", Source("/runs/robust"))
    wait_until(lambda: settled(screen.lab))
    spin(0.05)
    assert screen.rows["b"].isVisible()
    assert screen.rows["a"].transfer.text().startswith("Model B ")
    assert screen.rows["b"].transfer.text().startswith("Model A ")
    screen.swap.click()
    spin(0.05)
    assert screen.lab.bench.slots["a"].model.title == "robust"
    assert screen.pickers["a"].source.currentText() == "robust"
    picker = screen.pickers["b"].source
    picker.setCurrentIndex(picker.findText("No second model"))
    picker.activated.emit(picker.currentIndex())
    spin(0.05)
    assert not screen.rows["b"].isVisible()


def test_the_toggle_and_the_modes(screen):
    row, result = screen.rows["a"], screen.lab.bench.slots["a"].result
    QTest.keyClick(row.adversarial, Qt.Key.Key_T)
    assert (picture_of(row.adversarial) == pictures.to_bytes(result.clean)).all()
    assert screen.mode_buttons["clean"].isChecked()
    QTest.keyClick(row.adversarial, Qt.Key.Key_T)
    assert (picture_of(row.adversarial) == pictures.to_bytes(result.adversarial)).all()
    screen.mode_buttons["difference"].click()
    factor = 1 / result.done.budget
    wanted = pictures.difference(result.adversarial, result.clean, factor)
    assert (picture_of(row.adversarial) == wanted).all()


def test_pixel_values_under_the_pointer(screen):
    result = screen.lab.bench.slots["a"].result
    screen.rows["a"].perturbation.pointed.emit(2, 3)
    clean, now = float(result.clean[2, 3, 0]), float(result.adversarial[2, 3, 0])
    text = screen.pixel.text()
    assert f"clean {clean:.3f}" in text and f"adversarial A {now:.3f}" in text
    assert f"({255 * (now - clean):+.1f} /255)" in text
    screen.rows["a"].perturbation.pointed.emit(-1, -1)
    assert screen.pixel.text().startswith("Point at a pixel")


def test_a_sweep_on_screen_and_a_click_takes_its_epsilon(screen, wait_until, spin):
    screen.sweep.click()
    wait_until(lambda: not screen.lab.busy)
    spin(0.05)
    assert "fooled" in screen.charts.sweep_panel.caption.text().lower()
    screen.charts.sweep_chart.chosen.emit(6 / 255)
    assert screen.lab.bench.values["eps"] == 6 / 255
    assert screen.attack.editors["eps"].slider.value() == 12
    screen.attack.editors["steps"].setValue(5)
    assert "sweep again" in screen.charts.sweep_panel.caption.text()


def test_the_controls_reach_the_bench(screen, wait_until, spin):
    bench, panel = screen.lab.bench, screen.attack
    panel.editors["steps"].setValue(7)
    panel.editors["restarts"].setValue(2)
    panel.editors["random"].setChecked(False)
    panel.editors["step_size"].setValue(3.5)
    panel.editors["eps"].box.setValue(10.25)
    panel.seed.setValue(5)
    panel.target.setCurrentIndex(panel.target.findText("7"))
    panel.target.activated.emit(0)
    assert bench.values["steps"] == 7 and bench.values["restarts"] == 2
    assert bench.values["random"] is False and bench.seed == 5 and bench.target == 7
    assert bench.values["step_size"] == pytest.approx(3.5 / 255)
    assert bench.values["eps"] == pytest.approx(10.25 / 255)
    wait_until(lambda: settled(screen.lab))
    assert bench.slots["a"].result.done.targeted and bench.slots["a"].result.done.label == 7
    panel.attack.setCurrentIndex(panel.attack.findData("fgsm"))
    panel.attack.activated.emit(0)
    spin(0.05)
    assert set(panel.editors) == {"norm", "eps"} and bench.attack_name == "fgsm"


def test_one_step_short_of_the_ball_is_warned_of(screen):
    screen.attack.editors["steps"].setValue(1)
    assert screen.notes.isVisible() and "reach only" in screen.notes.text()


# -- bad days -----------------------------------------------------------------------------------


def test_a_crash_shows_a_card_and_a_restart_brings_all_back(screen, wait_until, spin, tmp_path):
    (tmp_path / "trouble.json").write_text(json.dumps({"run_attack": "exit"}))
    screen.attack.editors["eps"].slider.setValue(10)
    wait_until(lambda: screen.lab.state == "crashed")
    spin(0.05)
    assert screen.trouble.isVisible() and "restart" in screen.trouble_text.text()
    assert "out of memory" in screen.trouble_log.text()
    assert screen.status.text() == "The lab stopped."
    assert screen.rows["a"].adversarial.dimmed and not screen.save.isEnabled()
    screen.restart.click()
    wait_until(lambda: settled(screen.lab))
    spin(0.05)
    assert not screen.trouble.isVisible() and not screen.rows["a"].adversarial.dimmed
    assert screen.lab.bench.slots["a"].result.done.budget == pytest.approx(5 / 255)


def test_refusals_stand_where_they_belong(screen, wait_until, spin, tmp_path):
    bad = tmp_path / "broken.jpg"
    bad.write_text("no image")
    screen.files.take(bad)
    wait_until(lambda: screen.lab.bench.image_problem)
    spin(0.05)
    assert screen.source.problem.text().startswith("broken.jpg cannot be read")
    screen.lab.load("b", Source("/runs/broken"))
    wait_until(lambda: screen.lab.bench.slots["b"].problem)
    spin(0.05)
    assert "cannot be read" in screen.rows["b"].verdict.text()
    assert not screen.rows["b"].clean.isVisible()
    wait_until(lambda: screen.rows["b"].height() < screen.rows["a"].height())
    assert not screen.rows["a"].adversarial.dimmed


def test_a_warning_of_the_lab_is_shown(screen, wait_until, spin):
    screen.attack.editors["eps"].slider.setValue(0)
    wait_until(lambda: settled(screen.lab))
    spin(0.05)
    assert screen.warnings.isVisible() and "may be failing" in screen.warnings.text()


# -- taking it along ----------------------------------------------------------------------------


@pytest.mark.parametrize("name", attack_names())
def test_the_figure_says_what_was_done_whatever_the_attack(name):
    bench = Bench()
    bench.choose_attack(name)
    steps = f"{bench.values['steps']} steps" if "steps" in bench.values else name.upper()
    assert steps in lab_figure.describe(bench)


@pytest.mark.parametrize("name", ["one.png", "one.svg"])
def test_a_figure_that_fails_does_not_crash(screen, tmp_path, monkeypatch, name):
    def fail(bench):
        raise ValueError("no words")

    monkeypatch.setattr(lab_figure, "describe", fail)
    with pytest.raises(ValueError, match="no words"):
        screen.files.write_figure(tmp_path / name)


def test_the_figure_as_png_and_svg(screen, wait_until, tmp_path):
    screen.lab.load("b", Source("/runs/robust"))
    wait_until(lambda: settled(screen.lab))
    screen.files.write_figure(tmp_path / "one.png")
    image = QImage(str(tmp_path / "one.png"))
    assert image.width() == 1960 and image.height() > 1000
    screen.files.write_figure(tmp_path / "two.svg")
    text = "".join(ElementTree.parse(tmp_path / "two.svg").getroot().itertext())
    for words in (
        "standard",
        "robust",
        "L∞, epsilon 24/255, 20 steps",
        "Perturbation: amplified 10.6 times",
        "Path of the attack: margin in colour, loss grey",
    ):
        assert words in text
    assert screen.lab.bench.verdict("a") in text
    assert screen.said[-1] == f"Figure saved as {tmp_path / 'two.svg'}."
    for name in ("gone/one.png", "gone/two.svg"):
        screen.files.write_figure(tmp_path / name)
        assert "cannot be written" in screen.said[-1]


def test_copy_as_python(screen, wait_until, tmp_path):
    screen.copy.click()
    text = QGuiApplication.clipboard().text()
    compile(text, "clipboard", "exec")
    assert "/runs/standard/best.keras" in text and "x_test[[0]]" in text
    image = tmp_path / "cat.png"
    image.write_bytes(b"\x89PNG...")
    screen.files.take(image)
    wait_until(lambda: settled(screen.lab) and screen.lab.bench.image.path)
    screen.copy.click()
    text = QGuiApplication.clipboard().text()
    file = text.split('np.load("')[1].split('"')[0]
    assert np.array_equal(np.load(file), screen.lab.bench.image.pixels)


def drop(screen: LabScreen, *paths: pathlib.Path) -> QDropEvent:
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(path)) for path in paths])
    event = QDropEvent(
        QPointF(100, 100),
        Qt.DropAction.CopyAction,
        data,
        Qt.MouseButton.LeftButton,
        Qt.KeyboardModifier.NoModifier,
    )
    event.ignore()
    screen.dropEvent(event)
    return event


def test_drops(make_screen, wait_until, spin, tmp_path):
    screen = make_screen()
    run = tmp_path / "runs" / "mine"
    run.mkdir(parents=True)
    (run / "config.toml").touch()
    (run / "final.keras").touch()
    assert drop(screen, run).isAccepted()
    wait_until(lambda: settled(screen.lab))
    assert screen.lab.bench.slots["a"].source == Source(str(run), "final")
    picture = tmp_path / "cat.PNG"
    picture.write_bytes(b"\x89PNG...")
    drop(screen, picture)
    wait_until(lambda: settled(screen.lab) and screen.lab.bench.image.path == str(picture))
    spin(0.05)
    assert "Resized" in screen.source.about.text()
    assert not drop(screen, tmp_path / "notes.txt").isAccepted()
    drop(screen, tmp_path / "model.keras")
    wait_until(lambda: settled(screen.lab))
    spin(0.05)
    assert screen.lab.bench.slots["a"].source.is_file
    assert not screen.source.random.isEnabled()  # a file comes without a test set


# -- among the other screens --------------------------------------------------------------------


def test_models_of_other_screens_come_to_a(make_screen, wait_until):
    screen = make_screen()
    screen.context.attack_model.emit("/runs/robust", "final")
    wait_until(lambda: settled(screen.lab))
    assert screen.lab.bench.slots["a"].source == Source("/runs/robust", "final")


def test_a_model_that_is_sent_leaves_the_rest_of_the_last_session(
    make_screen, wait_until, tmp_path
):
    (tmp_path / "b.keras").touch()
    sources = {"a": ["/gone", "best"], "b": [str(tmp_path / "b.keras"), "final"]}
    screen = make_screen()
    screen.restore({"sources": sources, "seed": 3, "index": 4})
    screen.context.attack_model.emit("/runs/robust", "best")
    screen.shown()
    wait_until(lambda: settled(screen.lab))
    slots = screen.lab.bench.slots
    assert slots["a"].source == Source("/runs/robust") and slots["b"].source.is_file
    assert screen.lab.bench.seed == 3 and screen.lab.bench.image.index == 4


def test_the_running_run_is_followed(screen, wait_until, monkeypatch):
    monkeypatch.setattr(screen, "_training", lambda: "/runs/standard")
    screen._list_runs()
    picker = screen.pickers["a"].source
    picker.setCurrentIndex(picker.findText("Newest weights of the running run"))
    picker.activated.emit(0)
    wait_until(lambda: settled(screen.lab))
    assert screen.lab.bench.slots["a"].source == Source("/runs/standard", "current")
    loads = len(asked(screen.context.runs_dir.parent, "load"))
    screen.context.trainer.event.emit(events.CheckpointSaved(2, 0, "x"))
    wait_until(lambda: settled(screen.lab))
    assert len(asked(screen.context.runs_dir.parent, "load")) == loads + 1


def test_runs_and_their_weights(tmp_path):
    assert available(str(tmp_path)) == [] and best_source(str(tmp_path)).which == "best"
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints" / "000002-00000000.npz").touch()
    assert best_source(str(tmp_path)).which == "current"
    (tmp_path / "final.keras").touch()
    assert available(str(tmp_path)) == ["final", "current"]


def test_the_session_comes_back_when_the_screen_is_shown(screen, make_screen, wait_until, tmp_path):
    (tmp_path / "model.keras").touch()
    screen.files.take(tmp_path / "model.keras")
    screen.attack.editors["eps"].slider.setValue(9)
    screen.set_mode("swipe")
    wait_until(lambda: settled(screen.lab))
    state = json.loads(json.dumps(screen.state()))
    again = make_screen()
    again.restore(state)
    assert not again.lab.worker.running and again.state() == state
    again.shown()
    wait_until(lambda: settled(again.lab))
    assert again.lab.bench.values["eps"] == pytest.approx(4.5 / 255)
    assert again.rows["a"].adversarial.mode == "swipe"
    again.restore({"mode": "unheard of", "sources": {"a": ["/gone", "best"]}})
    again.shown()


def test_every_control_has_a_name(screen, wait_until, spin):
    screen.lab.load("b", Source("/runs/robust"))
    wait_until(lambda: settled(screen.lab))
    kinds = (QAbstractButton, QAbstractSlider, QAbstractSpinBox, QComboBox, ImageView)
    for kind in kinds:
        for widget in screen.findChildren(kind):
            if not widget.isVisible() or widget.objectName().startswith("qt_"):
                continue
            text = widget.text() if isinstance(widget, QAbstractButton) else ""
            assert widget.accessibleName() or text, widget


def test_the_table_of_actions(screen):
    table = {action.name: action for action in screen.actions_table()}
    assert all(action.menu == "Attack" and action.text for action in table.values())
    keys = [action.shortcut for action in table.values() if action.shortcut]
    assert len(keys) == len(set(keys))
    assert table["lab.save_figure"].enabled() and not table["lab.cancel"].enabled()
    table["lab.toggle"].run()
    assert screen.rows["a"].adversarial.mode == "clean"
    table["lab.random"].run()
    assert screen.lab.busy and table["lab.cancel"].enabled()


def test_it_fits_a_small_window_and_follows_the_theme(screen, wait_until, settings, spin):
    screen.lab.load("b", Source("/runs/robust"))
    wait_until(lambda: settled(screen.lab))
    spin(0.05)
    assert screen.minimumSizeHint().width() <= 990 and screen.minimumSizeHint().height() <= 640
    for name in ("dark", "light"):
        theme.choose(name, settings)
        spin(0.02)
        background = screen.charts.trajectory.backgroundBrush().color().name()
        assert background == theme.colours().surface
