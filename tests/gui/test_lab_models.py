"""The bench, the pictures and the program, without Qt."""

from __future__ import annotations

import dataclasses
import sys

import numpy as np
import pytest

from gui.models import pictures
from gui.models.attack_code import snippet
from gui.models.attack_settings import attack_names, attack_rows, sweep_radii
from gui.models.lab import Bench
from gui.models.lab_parts import Image, Model, Result, Source, SweepResult
from gui.models.lab_words import a, first_fooling_of, first_fooling_text, shown_classes
from slr_keras.protocol.lab_events import AttackDone, SweepPoint, pack
from slr_keras.settings.schema import to_dict
from tests.processes import finished

CLASSES = tuple("0123456789")


def probabilities(winner: int, share: float = 0.91) -> tuple[float, ...]:
    rest = (1 - share) / 9
    return tuple(share if k == winner else rest for k in range(10))


@pytest.fixture
def bench() -> Bench:
    bench = Bench()
    for slot in "ab":
        bench.slots[slot].source = Source(f"/runs/{slot}")
        bench.slots[slot].model = Model(
            slot, Source(f"/runs/{slot}"), 3, (8, 8, 1), CLASSES, 10, f"digest-{slot}", 360, None
        )
    pixels = np.random.default_rng(0).random((8, 8, 1), dtype=np.float32)
    bench.image = Image(pixels, 3, "index", 12, "", "Test image 12", "", 1)
    return bench


def done(bench: Bench, slot: str = "a", **changes) -> AttackDone:
    eps = bench.values["eps"]
    rng = np.random.default_rng(1)
    moved = bench.image.pixels + rng.uniform(-eps, eps, (8, 8, 1)).astype(np.float32)
    event = AttackDone(
        id=1,
        slot=slot,
        attack=bench.attack(),
        label=3,
        targeted=False,
        adversarial=pack(np.clip(moved, 0, 1)),
        clean_probabilities=probabilities(3),
        adversarial_probabilities=probabilities(8),
        verdict="fooled",
        fooled_at=4,
        distance=eps,
        budget=eps,
        losses=(0.1,) * 21,
        margins=(1.0,) * 21,
        seconds=0.01,
    )
    return dataclasses.replace(event, **changes)


def put(bench: Bench, slot: str = "a", **changes) -> Result:
    key = bench.key(slot)
    assert key is not None
    result = Result.of(key, done(bench, slot, **changes), bench.image.pixels)
    bench.slots[slot].result = result
    return result


# -- pictures -----------------------------------------------------------------------------------


def test_bytes_are_rounded_not_cut_off():
    levels = np.arange(256, dtype=np.float32) / 255
    assert (pictures.to_bytes(levels.reshape(16, 16, 1))[..., 0].ravel() == np.arange(256)).all()
    near = np.array([0.999, 0.5019, 1.2, -0.1], np.float32).reshape(2, 2, 1)
    assert pictures.to_bytes(near)[..., 1].ravel().tolist() == [255, 128, 255, 0]


def test_a_shown_perturbation_divided_by_its_factor_is_the_array():
    delta = np.random.default_rng(0).uniform(-8, 8, (8, 8, 3)).astype(np.float32) / 255
    for factor in (1, 4, 16, pictures.fitting_factor(delta, "linf", 8 / 255)):
        shown = pictures.amplify(delta, factor)
        assert shown.clipped == 0 and shown.factor == factor
        assert np.allclose(shown.values / shown.factor, delta, atol=1e-7)
    many = pictures.amplify(delta, 64)
    assert many.clipped > 0 and "clipped" in many.caption and np.abs(many.values).max() == 1


def test_the_fitting_factor_fills_the_range():
    delta = np.full((2, 2, 1), 4 / 255, np.float32)
    assert pictures.fitting_factor(delta, "linf", 8 / 255) == pytest.approx(255 / 8)
    assert pictures.fitting_factor(delta, "l2", 0.5) == pytest.approx(255 / 4)
    assert pictures.fitting_factor(0 * delta, "l2", 0.5) == 1
    assert pictures.fitting_factor(0 * delta, "linf", 0) == 1


def test_the_map_is_centred_at_zero():
    low, zero, high = pictures.diverging(np.array([[-1.0, 0.0, 1.0]]))[0]
    assert tuple(zero) == pictures.ZERO
    assert low[2] > low[0] and high[0] > high[2]  # blue and red
    colours = pictures.Amplified(np.zeros((1, 1, 3), np.float32), 1, 0).picture()
    assert set(colours.ravel().tolist()) == {128}


def test_distances_and_pixels_in_words():
    assert pictures.levels(8 / 255) == "8/255" and pictures.levels(7.5 / 255) == "7.5/255"
    text = pictures.distance_text(8 / 255, 8 / 255, "linf")
    assert text == "Largest change 8/255 of 8/255 allowed"
    assert pictures.distance(np.full((3, 4, 1), 0.1), "l2") == pytest.approx(0.1 * 12**0.5)
    clean = np.full((2, 2, 1), 0.5, np.float32)
    text = pictures.pixel_text(0, 1, clean, {"A": clean + 8 / 255})
    assert text == "Row 0, column 1:  clean 0.500     A 0.531 (+8.0 /255)"
    assert pictures.pixel_text(5, 0, clean, {}) == ""


# -- what is current ----------------------------------------------------------------------------


def test_a_result_is_current_until_something_changes(bench):
    result = put(bench)
    assert bench.is_current("a") and bench.result_of_image("a") is result
    changes = [
        lambda: bench.change("eps", 1 / 255),
        lambda: bench.change("steps", 3),
        lambda: bench.change("random", False),
        lambda: bench.change("norm", "l2"),
        lambda: bench.choose_attack("fgsm"),
        lambda: setattr(bench, "seed", 9),
        lambda: setattr(bench, "target", 7),
        lambda: setattr(bench.slots["b"], "model", None),  # its word on transfer is gone
    ]
    for change in changes:
        put(bench)
        change()
        assert not bench.is_current("a"), change
    put(bench)
    bench.slots["a"].loading = True
    assert not bench.is_current("a")
    bench.slots["a"].loading = False
    bench.image = dataclasses.replace(bench.image, serial=2)
    assert not bench.is_current("a") and bench.result_of_image("a") is None


def test_going_back_makes_a_result_current_again(bench):
    put(bench)
    before = bench.values["eps"]
    bench.change("eps", 1 / 255)
    bench.change("eps", before)
    assert bench.is_current("a")


# -- words --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({}, "Fooled at step 4: 3 → 8."),
        ({"fooled_at": 0}, "Fooled by the random start: 3 → 8."),
        (
            {"verdict": "resists", "adversarial_probabilities": probabilities(3)},
            "Resists: still a 3 after 20 steps.",
        ),
        (
            {"verdict": "wrong_on_clean", "clean_probabilities": probabilities(8)},
            "Wrong already on the clean image: takes a 3 for an 8.",
        ),
        ({"targeted": True, "label": 8}, "Fooled at step 4: 3 → 8, the target."),
        (
            {"verdict": "resists", "targeted": True, "label": 7},
            "Resists: an 8, not a 7, after 20 steps.",
        ),
        (
            {
                "verdict": "resists",
                "losses": (0.1, 0.2),
                "adversarial_probabilities": probabilities(3),
            },
            "Resists: still a 3 after 1 step.",
        ),
    ],
)
def test_verdicts(bench, changes, sentence):
    put(bench, **changes)
    assert bench.verdict("a") == sentence


def test_transfer(bench):
    put(bench, transfer_clean=probabilities(3), transfer_adversarial=probabilities(3))
    assert bench.transfer("a") == "Model B resists the image made for A: still a 3."
    put(bench, transfer_clean=probabilities(3), transfer_adversarial=probabilities(5))
    assert bench.transfer("a") == "Model B is fooled by the image made for A: 3 → 5."
    put(bench, transfer_clean=probabilities(5), transfer_adversarial=probabilities(5))
    assert bench.transfer("a") == "Model B is wrong on the clean image already (5)."
    put(bench)
    assert bench.transfer("a") == ""


def test_warnings_are_those_of_what_is_current(bench):
    put(bench, warnings=("The loss is flat.",))
    sweep = SweepResult(bench.key("a").without_eps(), warnings=("The loss is flat.", "Too easy."))
    bench.slots["a"].sweep = sweep
    assert bench.warnings("a") == ["The loss is flat.", "Too easy."]
    bench.change("eps", 1 / 255)
    assert bench.warnings("a") == ["The loss is flat.", "Too easy."]
    bench.slots["b"].sweep = SweepResult(bench.key("b").without_eps(), warnings=("Too easy.",))
    assert bench.warnings_text() == "A: The loss is flat.\nA and B: Too easy."
    bench.change("steps", 1)
    assert bench.warnings("a") == [] and bench.warnings_text() == ""


def test_articles_and_classes_shown():
    assert [a(name) for name in ("3", "8", "airplane", "cat")] == [
        "a 3",
        "an 8",
        "an airplane",
        "a cat",
    ]
    many = tuple([0.0] * 99 + [1.0])
    assert shown_classes(many, many, 5, 4) == [0, 1, 5, 99]
    assert shown_classes(probabilities(1), probabilities(2), 0) == list(range(10))


def test_sweeps_in_words(bench):
    sweep = SweepResult(bench.key("a").without_eps())
    sweep.points.append(SweepPoint(1, "a", 4 / 255, False, 0.9, 1.0))
    assert first_fooling_text(sweep) == "Radii so far: 1…"
    sweep.complete = True
    assert first_fooling_text(sweep) == "Not fooled up to 4/255."
    sweep.first_fooled = 2 / 255
    assert first_fooling_text(sweep) == "First fooled at 2/255."
    sweep.first_fooled = 0.0
    assert first_fooling_text(sweep) == "Wrong without any attack."
    sweep.first_fooled = 2 / 255
    assert first_fooling_of({"a": sweep, "b": sweep}) == "Fooled from A 2, B 2"
    radii = sweep_radii("linf", 8 / 255)
    assert radii[0] == 0 and radii[-1] == pytest.approx(16 / 255) and sorted(radii) == list(radii)
    assert max(sweep_radii("linf", 0.9)) == 1


# -- the attack ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", attack_names())
def test_every_attack_of_the_registry_has_its_rows(bench, name):
    bench.choose_attack(name)
    assert {row.name for row in attack_rows(name)} == set(bench.values)
    assert all(row.facts.help for row in attack_rows(name))
    assert bench.attack()["name"] == name and bench.attack()["targeted"] is False


def test_a_refused_value_changes_nothing(bench):
    before = bench.attack()
    assert "eps" in bench.change("eps", -1.0) and "step_size" in bench.change("step_size", 0.0)
    assert bench.attack() == before
    assert bench.change("eps", 4 / 255) == ""


def test_another_norm_has_a_radius_of_its_own(bench):
    bench.change("eps", 5 / 255)
    bench.change("norm", "l2")
    assert bench.values["eps"] > 0.3 and bench.values["step_size"] == bench.values["eps"] / 4
    bench.change("eps", 0.75)
    bench.change("norm", "linf")
    assert bench.values["eps"] == 5 / 255
    bench.change("norm", "l2")
    assert bench.values["eps"] == 0.75


def test_the_training_attack_is_taken_with_the_steps_of_a_test(bench):
    described = {"name": "pgd", "norm": "linf", "eps": "24/255", "step_size": "6/255", "steps": 10}
    bench.use_attack(described)
    assert bench.values["eps"] == 24 / 255 and bench.values["steps"] == 20
    bench.use_attack({"name": "of another version"})
    assert bench.values["eps"] == 24 / 255


def test_notes_on_attacks_that_cannot_reach(bench):
    assert bench.notes() == []
    bench.change("steps", 2)
    bench.change("step_size", 1 / 255)
    assert bench.notes()[0].startswith("2 steps of 1/255 reach only 2/255")
    bench.change("eps", 0.0)
    assert bench.notes() == ["Epsilon is 0: the attack may not change a thing."]


# -- the program --------------------------------------------------------------------------------


def test_the_program_has_every_setting_and_is_python(bench):
    bench.change("eps", 7.5 / 255)
    bench.change("restarts", 3)
    bench.seed = 11
    text = snippet(bench)
    compile(text, "snippet", "exec")
    for name, value in bench.values.items():
        assert f"    {name}=" in text, name
        assert str(value) in text or "7.5 / 255" in text or "2 / 255" in text
    for part in ("eps=7.5 / 255", "seed=11", "/runs/a/best.keras", "x_test[[12]]", "[3]"):
        assert part in text
    assert "targeted=False" in text


def test_the_program_runs_the_same_attack(bench, tmp_path):
    """Its attack, rebuilt from the text, has the very settings of the bench."""
    bench.change("step_size", 0.0123)
    bench.target = 7
    text = snippet(bench)
    call = text[text.index("attack = ") : text.index("x_adv")]
    code = f"import slr_keras as slr\n{call}\nfrom slr_keras.settings.schema import to_dict\n"
    code += "print(to_dict(attack))"
    out = finished([sys.executable, "-c", code])
    assert out.returncode == 0, out.stderr
    from slr_keras.attacks.pgd import PGD

    assert eval(out.stdout) == to_dict(PGD(**bench.values, targeted=True))
    assert "y = np.array([7])" in text


def test_the_program_for_files_and_newest_weights(bench):
    bench.image = dataclasses.replace(bench.image, index=None, label=None, path="/x/cat.png")
    bench.slots["a"].model = dataclasses.replace(
        bench.slots["a"].model, source=Source('/x/my "own" model.keras')
    )
    text = snippet(bench, "a", "/y/image.npy")
    compile(text, "snippet", "exec")
    assert 'np.load("/y/image.npy")' in text and "np.argmax(model(x)" in text
    bench.slots["a"].model = dataclasses.replace(
        bench.slots["a"].model, source=Source("/runs/a", "current")
    )
    text = snippet(bench, "a", "/y/image.npy")
    compile(text, "snippet", "exec")
    assert 'shelf.load("/runs/a", "current")' in text
    bench.image = None
    assert snippet(bench) == ""
