"""Many images under one attack, and looking closer at one."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QWheelEvent
from PySide6.QtTest import QTest

from gui.models.lab_parts import Source
from gui.presenters.context import Context, Programs
from gui.views.image_view import MOST_ZOOM, ImageView
from gui.views.lab import LabScreen
from tests.gui import fake_lab
from tests.gui.lab_tools import asked, fake_command, settled

MODEL = "/runs/standard"


@pytest.fixture
def make_screen(qapp, settings, tmp_path, wait_until):
    made = []

    def make(latency: float = 0.0) -> LabScreen:
        (tmp_path / "runs").mkdir(exist_ok=True)
        programs = Programs([sys.executable, "-c", "pass"], fake_command(tmp_path, latency))
        screen = LabScreen(Context(tmp_path / "runs", settings, programs))
        screen.resize(990, 650)
        screen.show()
        screen.shown()
        screen.lab.load("a", Source(MODEL))
        wait_until(lambda: settled(screen.lab))
        made.append(screen)
        return screen

    yield make
    for screen in made:
        screen.lab.worker.kill()
        screen.lab.close()
        screen.deleteLater()


def complete(screen: LabScreen, slot: str = "a") -> bool:
    outcome = screen.lab.many.outcome(slot)
    return outcome is not None and outcome.complete and not screen.lab.busy


def test_many_images_are_what_the_attack_gives_for_each(make_screen, wait_until, spin):
    screen = make_screen()
    QTest.mouseClick(screen.look_at_many, Qt.MouseButton.LeftButton)
    wait_until(lambda: complete(screen))
    spin(0.05)
    grid, lab = screen.many.grids["a"], screen.lab
    assert screen.middle.currentWidget() is screen.many and grid.list.count() == 9
    images, labels = fake_lab.digits()
    model = fake_lab.Linear(MODEL, images, labels)
    verdicts = []
    for tile in lab.many.outcome("a").tiles.values():
        x, y = images[1000 + tile.index], int(labels[1000 + tile.index])
        fresh = fake_lab.attack(model, x, lab.bench.attack(), y, lab.bench.seed)
        np.testing.assert_array_equal(tile.adversarial, fresh["adversarial"])
        verdicts.append(fresh["verdict"])
    fooled, resist = verdicts.count("fooled"), verdicts.count("resists")
    assert grid.summary.text().startswith(f"{fooled} of 9 fooled, {resist} resist")
    assert grid.list.item(0).toolTip().startswith("Test image ")


def test_other_settings_attack_anew_and_the_last_ones_count(make_screen, wait_until, spin):
    screen = make_screen(latency=0.05)
    screen.many_or_one()
    wait_until(lambda: complete(screen))
    alone = len(asked(screen.context.runs_dir.parent, "run_attack"))
    before = screen.lab.many.outcome("a").tiles
    for eps in (4, 6, 0):
        screen.lab.change("eps", eps / 255)
        spin(0.01)
    assert screen.many.grids["a"].list.count() == 9  # the former stay until they are replaced
    wait_until(lambda: complete(screen))
    outcome = screen.lab.many.outcome("a")
    assert dict(outcome.key.attack)["eps"] == 0 and len(outcome.current) == 9
    assert set(outcome.tiles) == set(before)
    assert all(np.array_equal(t.clean, t.adversarial) for t in outcome.tiles.values())
    assert "0 of 9 fooled" in outcome.summary()
    assert len(asked(screen.context.runs_dir.parent, "run_attack")) == alone


def test_count_other_images_and_both_models(make_screen, wait_until, spin):
    screen = make_screen()
    screen.lab.load("b", Source("/runs/robust"))
    screen.many_or_one()
    wait_until(lambda: complete(screen) and complete(screen, "b"))
    first = screen.lab.many.places
    screen.many.count.setCurrentIndex(2)
    QTest.mouseClick(screen.many.others, Qt.MouseButton.LeftButton)
    wait_until(lambda: complete(screen) and complete(screen, "b"))
    spin(0.05)
    a, b = (screen.lab.many.outcome(slot) for slot in "ab")
    assert set(a.tiles) == set(b.tiles) and len(a.tiles) == 25 and set(a.tiles) != set(first)
    assert screen.many.grids["b"].list.count() == 25
    fooled = [sum(t.verdict == "fooled" for t in outcome.tiles.values()) for outcome in (a, b)]
    assert fooled[1] < fooled[0]  # the robust one


def test_a_tile_is_taken_to_the_bench_and_is_the_same_there(make_screen, wait_until, spin):
    screen = make_screen()
    screen.many_or_one()
    wait_until(lambda: complete(screen))
    spin(0.05)
    tile = list(screen.lab.many.outcome("a").tiles.values())[4]
    grid = screen.many.grids["a"].list
    grid.setCurrentRow(4)
    grid.setFocus()
    QTest.keyClick(grid, Qt.Key.Key_Return)
    wait_until(lambda: settled(screen.lab) and screen.lab.bench.image.index == tile.index)
    spin(0.05)
    assert screen.middle.currentWidget() is not screen.many
    result = screen.lab.bench.result_of_image("a")
    np.testing.assert_array_equal(result.adversarial, tile.adversarial)


def test_cancel_and_a_killed_lab_keep_what_there_is(make_screen, wait_until):
    screen = make_screen(latency=1.0)
    lab = screen.lab
    screen.many_or_one()
    wait_until(lambda: len(lab.many.outcome("a").tiles) == 2)
    lab.cancel()
    assert lab.many.outcome("a").summary() == "Given up."
    lab.many.look(True)
    wait_until(lambda: len(lab.many.outcome("a").tiles) == 4)
    known = set(lab.many.outcome("a").tiles)
    lab.restart()
    wait_until(lambda: complete(screen))
    assert known < set(lab.many.outcome("a").tiles)
    sent = [c.indices for c in asked(screen.context.runs_dir.parent, "attack_many")]
    assert len(sent[0]) == 9 and len(sent[-1]) <= 5


def test_a_model_without_test_images_says_so(make_screen, wait_until, spin):
    screen = make_screen()
    screen.lab.load("a", Source("/runs/a.keras"))
    wait_until(lambda: settled(screen.lab))
    screen.many_or_one()
    spin(0.05)
    assert "no test images" in screen.many.grids["a"].summary.text()


def test_the_next_session_sees_the_same_images(make_screen, wait_until):
    screen = make_screen()
    screen.many_or_one()
    screen.lab.many.take(16)
    screen.lab.many.draw()
    places, state = screen.lab.many.places, screen.state()
    later = make_screen()
    later.lab.recall(state)
    wait_until(lambda: complete(later))
    assert later.lab.many.on and later.lab.many.places == places


# -- zoom ---------------------------------------------------------------------------------------


@pytest.fixture
def views(qapp):
    pair = [ImageView(name) for name in "ab"]
    for view in pair:
        view.alike = pair
        view.resize(160, 160)
        view.set_picture(np.zeros((8, 8, 3), np.uint8))
    return pair


def wheel(view: ImageView, at: QPointF, notches: int) -> None:
    nothing, none = Qt.MouseButton.NoButton, Qt.KeyboardModifier.NoModifier
    phase, delta = Qt.ScrollPhase.NoScrollPhase, QPoint(0, 120 * notches)
    view.wheelEvent(QWheelEvent(at, at, QPoint(), delta, nothing, none, phase, False))


def test_the_wheel_zooms_to_the_pointer_in_all_alike(views):
    view, other = views
    at = QPointF(150, 130)
    pixel, before = view.pixel_at(at), view.target().width()
    for _ in range(4):
        wheel(view, at, 1)
        assert view.pixel_at(at) == pixel
    assert view.target().width() == pytest.approx(4 * before)
    assert other.target() == view.target()
    wheel(view, at, 99)
    assert view.zoom == MOST_ZOOM and view.pixel_at(at) == pixel
    wheel(view, at, -99)
    assert view.zoom == 1 and view.target().width() == before


def test_dragging_shows_other_pixels_and_never_leaves_the_image(views):
    view = views[0]
    view.zoom_to(4.0)
    left, middle = Qt.MouseButton.LeftButton, QPoint(80, 80)
    pixel = view.pixel_at(QPointF(middle))
    QTest.mousePress(view, left, pos=middle)
    QTest.mouseMove(view, middle + QPoint(40, 0))
    QTest.mouseRelease(view, left, pos=middle + QPoint(40, 0))
    assert view.pixel_at(QPointF(middle + QPoint(40, 0))) == pixel
    QTest.mousePress(view, left, pos=middle)
    QTest.mouseMove(view, middle + QPoint(5000, 5000))
    QTest.mouseRelease(view, left, pos=middle)
    assert view.target().left() == view.target().top() == 0
    QTest.mouseDClick(view, left, pos=middle)
    assert view.zoom == 1


def test_keys_zoom_to_the_marked_pixel(views):
    view = views[0]
    view.set_pointer(7, 0)
    for _ in range(3):
        QTest.keyClick(view, Qt.Key.Key_Plus)
    assert view.zoom == 8 and view.pixel_at(QPointF(10, 150)) == (7, 0)
    QTest.keyClick(view, Qt.Key.Key_Minus)
    assert view.zoom == 4
    QTest.keyClick(view, Qt.Key.Key_0)
    assert view.zoom == 1
