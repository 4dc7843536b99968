"""The lab's presenter against a lab that speaks the protocol."""

from __future__ import annotations

import json

import numpy as np
import pytest

from gui.models.lab_parts import Source
from gui.presenters.lab import LabPresenter
from slr_keras.protocol import commands, events
from tests.gui import fake_lab
from tests.gui.lab_tools import Lab


@pytest.fixture
def make_lab(qapp, tmp_path):
    made = []

    def make(**options) -> Lab:
        made.append(Lab(tmp_path, **options))
        return made[-1]

    yield make
    for lab in made:
        lab.worker.kill()
        lab.close()


@pytest.fixture
def lab(make_lab, wait_until):
    """A lab with a model, its first image and the attack on it."""
    lab = make_lab()
    lab.load("a", Source("/runs/standard"))
    wait_until(lab.settled)
    return lab


def test_a_first_model_brings_image_attack_and_result(lab):
    bench = lab.bench
    assert lab.state == "ready" and lab.state_text == "Ready, on CPU"
    assert bench.image.index == 0 and bench.image.pixels.shape == (8, 8, 1)
    assert bench.values["eps"] == pytest.approx(24 / 255)  # as the run was trained
    assert bench.values["steps"] == 20
    assert bench.verdict("a").startswith(("Fooled", "Resists", "Wrong"))
    assert len(lab.asked("run_attack")) == 1


def test_a_drag_ends_on_the_attack_at_its_last_value(make_lab, wait_until, spin):
    lab = make_lab(latency=0.04)
    lab.load("a", Source("/runs/standard"))
    wait_until(lab.settled)
    before = len(lab.asked("run_attack"))
    released = 0
    for step in range(50):
        lab.change("eps", (step + 1) / 255)
        assert not lab.bench.is_current("a")
        spin(0.01)
        released = len(lab.asked("run_attack"))
    wait_until(lab.settled)
    assert len(lab.asked("run_attack")) - released <= 2
    assert released - before < 50
    result = lab.bench.slots["a"].result
    model = fake_lab.Linear("/runs/standard", *fake_lab.digits())
    settings = {**lab.bench.attack(), "eps": 50 / 255}
    fresh = fake_lab.attack(model, result.clean, settings, lab.bench.image.label, lab.bench.seed)
    assert np.array_equal(result.adversarial, fresh["adversarial"])
    assert result.done.budget == pytest.approx(50 / 255)


def test_what_lies_in_the_ball_is_what_is_shown(lab):
    result = lab.bench.slots["a"].result
    assert np.abs(result.delta).max() <= result.done.budget + 1e-6
    assert result.done.distance == pytest.approx(float(np.abs(result.delta).max()))


def test_a_slow_attack_is_cancelled_when_settings_change(make_lab, wait_until, spin):
    lab = make_lab(latency=1.5)
    lab.load("a", Source("/runs/standard"))
    wait_until(lambda: lab.bench.slots["a"].live)  # it is streamed
    lab.change("eps", 2 / 255)
    wait_until(lab.settled, 30)
    assert any(isinstance(c, commands.Cancel) for c in lab.asked())
    assert lab.bench.slots["a"].result.done.budget == pytest.approx(2 / 255)


def test_cancel_gives_up_until_something_changes(make_lab, wait_until, spin):
    lab = make_lab(latency=1.0)
    lab.load("a", Source("/runs/standard"))
    wait_until(lambda: lab.bench.slots["a"].live)
    lab.cancel()
    spin(0.1)
    assert not lab.busy and lab.bench.slots["a"].result is None
    lab.change("eps", 3 / 255)
    wait_until(lab.settled, 30)


def test_two_models_transfer_and_swap(lab, wait_until):
    lab.load("b", Source("/runs/robust"))
    wait_until(lab.settled)
    bench = lab.bench
    assert bench.transfer("a").startswith("Model B ")
    first, second = bench.slots["a"].result, bench.slots["b"].result
    asked = len(lab.asked("run_attack"))
    lab.swap()
    assert bench.slots["a"].result is second and bench.slots["b"].result is first
    assert lab.settled() and len(lab.asked("run_attack")) == asked  # nothing computed anew
    lab.change("eps", 1 / 255)
    wait_until(lab.settled)
    assert bench.slots["a"].model.title == "robust"
    assert bench.slots["a"].result.done.slot == "b"  # its name in the lab
    lab.unload("b")
    wait_until(lab.settled)
    assert bench.slots["b"].model is None


def test_images_by_index_random_and_wrong(lab, wait_until):
    lab.pick("index", 7)
    wait_until(lab.settled)
    assert lab.bench.image.index == 7
    lab.pick("wrong")
    wait_until(lab.settled)
    assert lab.bench.verdict("a").startswith("Wrong already on the clean image")
    lab.pick("index", 10**6)
    wait_until(lambda: lab.bench.image_problem)
    assert "choose 0 to" in lab.bench.image_problem and lab.bench.image is not None
    lab.pick("random")
    wait_until(lab.settled)
    assert lab.bench.image_problem == ""


def test_an_image_file(lab, wait_until, tmp_path):
    bad, good = tmp_path / "notes.png", tmp_path / "cat.png"
    bad.write_text("no image")
    good.write_bytes(b"\x89PNG...")
    lab.pick("file", path=str(bad))
    wait_until(lambda: lab.bench.image_problem)
    assert lab.bench.image_problem.startswith("notes.png cannot be read")
    lab.pick("file", path=str(good))
    wait_until(lab.settled)
    image = lab.bench.image
    assert image.path == str(good) and image.notice.startswith("Resized") and image.label is None


def test_an_unreadable_model_says_so_in_its_slot(lab, wait_until):
    lab.load("b", Source("/runs/broken"))
    wait_until(lambda: lab.bench.slots["b"].problem)
    assert "cannot be read" in lab.bench.slots["b"].problem
    assert lab.bench.is_current("a")  # the other slot goes on


def test_a_model_with_other_classes(lab, wait_until):
    lab.pick("index", 0)
    wait_until(lab.settled)
    index = next(i for i, label in enumerate(fake_lab.digits()[1][1000:]) if label > 3)
    lab.pick("index", index)
    wait_until(lab.settled)
    lab.load("b", Source("/runs/three.keras"))
    wait_until(lambda: lab.bench.slots["b"].problem)
    assert "knows 3 classes" in lab.bench.slots["b"].problem
    wait_until(lambda: not lab.busy)
    assert lab.bench.is_current("a")


def test_a_model_for_other_sizes_fits_the_image_anew(lab, wait_until):
    lab.load("a", Source("/runs/large"))
    wait_until(lab.settled)
    assert lab.bench.image.pixels.shape == (16, 16, 1)


def test_a_second_model_for_other_sizes_is_told(lab, wait_until):
    lab.load("b", Source("/runs/large"))
    wait_until(lambda: lab.bench.slots["b"].model and not lab.busy)
    assert "The image is 8×8×1 and this model takes 16×16×1" in lab.bench.mismatch("b")
    assert lab.bench.is_current("a")


@pytest.mark.parametrize("kind", ["crash", "exit"])
def test_a_dead_lab_is_restarted_with_everything(lab, wait_until, kind):
    lab.pick("index", 5)
    wait_until(lab.settled)
    lab.make_trouble(run_attack=kind)
    lab.change("eps", 5 / 255)
    wait_until(lambda: lab.state == "crashed")
    assert "come back with a restart" in lab.trouble and not lab.busy
    assert lab.bench.image.index == 5 and lab.bench.slots["a"].result is not None
    assert not lab.bench.is_current("a")
    lab.restart()
    wait_until(lab.settled)
    assert lab.state == "ready" and lab.trouble == ""
    assert lab.bench.image.index == 5
    assert lab.bench.slots["a"].result.done.budget == pytest.approx(5 / 255)


def test_a_killed_lab_keeps_results_that_still_hold(lab, wait_until):
    result = lab.bench.slots["a"].result
    lab.worker.kill()
    wait_until(lambda: lab.state == "crashed")
    lab.restart()
    wait_until(lab.settled)
    assert lab.bench.slots["a"].result is result


def test_a_hanging_lab_is_noticed_and_restarted(lab, wait_until):
    lab.make_trouble(run_attack="hang")
    lab.change("eps", 5 / 255)
    wait_until(lambda: lab.state == "silent", 30)
    assert "no sign of life" in lab.trouble
    lab.restart()
    wait_until(lab.settled)
    assert lab.state == "ready"


def test_garbage_is_passed_over(lab, wait_until):
    lab.make_trouble(run_attack="garbage")
    lab.change("eps", 5 / 255)
    wait_until(lab.settled)


def test_a_missing_program_is_told(qapp, wait_until):
    lab = LabPresenter(["/no/such/python"])
    lab.start()
    wait_until(lambda: lab.state == "crashed")
    assert "could not be started" in lab.trouble


def test_a_sweep_is_stale_after_a_change_of_anything_but_epsilon(lab, wait_until):
    lab.sweep()
    wait_until(lambda: not lab.busy)
    sweep = lab.bench.slots["a"].sweep
    assert sweep.complete and [p.eps for p in sweep.points] == sorted(p.eps for p in sweep.points)
    fooling = [p.eps for p in sweep.points if p.fooled]
    assert sweep.first_fooled == (min(fooling) if fooling else None)
    lab.change("eps", 3 / 255)
    assert lab.bench.sweep_is_current("a")
    lab.change("steps", 3)
    assert not lab.bench.sweep_is_current("a")
    wait_until(lab.settled)


def test_the_newest_weights_are_followed(lab, wait_until):
    lab.load("a", Source("/runs/now", "current"))
    wait_until(lab.settled)
    before = len(lab.asked("load"))
    saved = events.CheckpointSaved(1, 0, "x")
    lab.trainer_event(saved, "/runs/another")
    assert not lab.busy
    for _ in range(5):
        lab.trainer_event(saved, "/runs/now")
    assert not lab.bench.is_current("a")
    wait_until(lab.settled)
    assert len(lab.asked("load")) - before == 2  # one on its way, one for all that came meanwhile


def test_the_bench_comes_back_in_the_next_session(lab, make_lab, wait_until, tmp_path):
    (tmp_path / "model.keras").touch()
    lab.load("a", Source(str(tmp_path / "model.keras"), "final"))
    lab.set_seed(4)
    lab.change("norm", "l2")
    lab.change("eps", 0.75)
    wait_until(lab.settled)
    values = json.loads(json.dumps(lab.remembered()))
    again = make_lab()
    again.recall(values)
    wait_until(again.settled)
    assert again.bench.attack() == lab.bench.attack() and again.bench.seed == 4
    assert again.bench.slots["a"].source == lab.bench.slots["a"].source
    again.recall({"attack": {"name": "unheard of"}, "sources": {"a": ["/gone", "best"]}})
    wait_until(again.settled)
