"""Evaluations beyond one radius: distances, natural changes and certificates in one table."""

import dataclasses
import itertools

import keras
import numpy as np
import pytest

from slr_keras.errors import DataError
from slr_keras.evaluation import checks, distances, natural, proofs, searches, specs, stored, suite
from slr_keras.evaluation.intervals import wilson
from slr_keras.evaluation.measurement import Measurement
from slr_keras.evaluation.smoothing import Smoothing
from slr_keras.evaluation.specs import Ball, Step, make_steps
from slr_keras.evaluation.tally import Store
from slr_keras.settings import registry, schema

SHAPE, EPS = (4, 4, 1), 0.4
ANY = schema.Facts("radius")
SMOOTH = Smoothing(sigma=0.25, samples=200, samples_select=20)


@pytest.fixture(scope="module")
def weights():
    return np.random.default_rng(0).normal(size=16).astype("float32")


@pytest.fixture(scope="module")
def linear(weights):
    """Two classes whose boundary is a plane: logits (0, w.(x - 1/2))."""
    net = keras.Sequential([keras.Input(SHAPE), keras.layers.Flatten(), keras.layers.Dense(2)])
    kernel = np.stack([0 * weights, weights], axis=1)
    net.set_weights([kernel, np.array([0, -weights.sum() / 2], "float32")])
    return net


@pytest.fixture(scope="module")
def images(weights):
    """Grey enough that no wall of the pixel cube is near; one in ten has the wrong label."""
    x = 0.5 + 0.1 * np.random.default_rng(1).normal(size=(40, *SHAPE)).clip(-2, 2)
    y = ((x.reshape(40, -1) - 0.5) @ weights > 0).astype("int32")
    y[::10] = 1 - y[::10]
    return x.astype("float32"), y


@pytest.fixture(scope="module")
def measured(linear, images):
    names = ["clean", "deepfool-5", "fmn-60", "fog-1", "corruptions"]
    steps = make_steps(names, Ball("l2", EPS), classes=2)
    steps = [step for step in steps if step.suite == "" or "contrast" in step.name]
    steps.append(Step("certified", certificate=SMOOTH))
    found = Measurement(linear, *images, steps, batch_size=16)
    found.run()
    return found


@pytest.fixture(scope="module")
def true(images, weights):
    """The distance of each image to the plane."""
    f = (images[0].reshape(40, -1) - 0.5) @ weights
    return abs(f) / np.linalg.norm(weights)


def rows(measured):
    return {row.attack: row for row in suite.rows_of(measured)}


def test_distances_are_those_to_the_plane(measured, true):
    clean = measured.clean
    assert clean.sum() == 36
    for name in ("deepfool-5", "fmn-60"):
        row = rows(measured)[name]
        found = np.array(row.distance.values, float)
        assert (found[~clean] == 0).all()
        assert (found >= true * clean - 1e-6).all(), "nearer than the boundary"
        np.testing.assert_allclose(found[clean], true[clean], rtol=0.03, atol=1e-3)
        assert row.accuracy == (clean & (found > EPS)).mean()
        middle = float(np.median(found[clean]))
        assert row.distance.median == pytest.approx(middle, rel=1e-5)
        low, high = row.distance.interval
        assert low < middle < high and (row.distance.images, row.distance.found) == (36, 36)
        assert 0.9 < row.distance.optimality <= 1
    assert max(rows(measured)[name].distance.optimality for name in ("deepfool-5", "fmn-60")) > 0.99


def test_one_attack_gives_the_whole_curve(measured, true):
    number = next(i for i, step in enumerate(measured.steps) if step.name == "deepfool-5")
    one = dataclasses.replace(measured.steps[number], name="deepfool")
    radii = [0.0, 0.1, 0.3]
    curve = suite.curve_of(_alone(measured, number, one), 0, radii)
    assert [schema.check("eps", float, ANY, point["eps"]) for point in curve] == pytest.approx(
        radii
    )
    values = measured.tally.value[number]
    expected = [(measured.clean & (values > radius)).mean() for radius in radii]
    assert [point["accuracy"] for point in curve] == pytest.approx(expected)


def _alone(measured, number, step):
    """The measurement of one step."""
    alone = Measurement(measured.net, measured.x, measured.y, [step])
    part = {key: getattr(measured.tally, key)[[number]] for key in ("fooled", "value", "seconds")}
    alone.tally = alone.tally.replace(clean=measured.tally.clean, **part)
    return alone


def test_a_natural_change_counts_by_itself(measured, linear, images):
    x, y = images
    change = registry.get("corruptions", "fog")(severity=1)
    z = linear.predict(change.apply(x, np.arange(40), 0) / np.float32(255), verbose=0)
    row = rows(measured)["corruptions: fog-1"]
    assert row.accuracy == (z.argmax(-1) == y).mean() and row.settings["severity"] == 1
    mean = rows(measured)["corruptions"]
    single = [r.accuracy for n, r in rows(measured).items() if "contrast" in n]
    assert len(single) == 5 and mean.accuracy == pytest.approx(np.mean(single))
    assert "corruptions" not in str(rows(measured)[specs.WORST].settings["attacks"])
    section = natural.summary(measured)
    assert section["kinds"]["fog"]["1"] == pytest.approx(1 - row.accuracy)
    number = next(i for i, step in enumerate(measured.steps) if step.name == row.attack)
    p = np.exp(z - z.max(1, keepdims=True))
    p = (p / p.sum(1, keepdims=True)).max(1)
    np.testing.assert_allclose(measured.tally.value[number], p, atol=1e-5)


def test_certified_radii_are_below_the_distance(measured, true):
    (found,) = proofs.summary(measured)
    radius = np.array([0 if value is None else value for value in found["values"]])
    assert (radius <= np.where(measured.clean, true, 0) + 1e-6).mean() > 0.97
    assert radius.max() > 0.1 and found["radii"][0]["eps"] == 0
    for point in found["radii"]:
        certified = [value is not None and value >= point["eps"] for value in found["values"]]
        assert point["accuracy"] == np.mean(certified)
        assert point["interval"] == wilson(sum(certified), 40)
    assert found["average_radius"] == pytest.approx(radius.mean(), abs=1e-5)
    assert "certified" not in rows(measured)


def test_interrupted_anywhere_it_ends_with_the_same_figures(measured, tmp_path, monkeypatch):
    monkeypatch.setattr("slr_keras.evaluation.tally.PATIENCE", 0.0)
    monkeypatch.setattr(searches, "NOISY", 2000)
    stops = 0
    for count in itertools.count(1):
        calls = itertools.count(1)

        def stop(_, calls=calls, limit=4 + count):
            if next(calls) > limit:
                raise KeyboardInterrupt

        store = Store(tmp_path / "evaluation.json", "d", pytest.fail)
        again = Measurement(
            measured.net, measured.x, measured.y, measured.steps,
            batch_size=16, store=store, on_progress=stop,
        )  # fmt: skip
        try:
            again.run()
            break
        except KeyboardInterrupt:
            stops += 1
    assert stops > 3
    for key in ("clean", "fooled", "value"):
        np.testing.assert_array_equal(getattr(again.tally, key), getattr(measured.tally, key))


def test_radii_of_a_curve_compile_once(linear, images, monkeypatch):
    made = []
    real = searches.backend.compiled
    monkeypatch.setattr(
        searches.backend, "compiled", lambda *args: made.append(args) or real(*args)
    )
    steps = [make_steps(["pgd-3"], Ball("linf", eps))[0] for eps in (0.01, 0.05, 0.1)]
    found = Measurement(linear, *images, steps, batch_size=40)
    found.run()
    assert sum(len(arguments) > 2 for arguments in made) == 1
    assert np.diff([found.robust(number).sum() for number in range(3)]).max() <= 0


def test_the_median_is_in_its_interval_as_often_as_it_says():
    draws = np.sort(np.random.default_rng(0).exponential(size=(1000, 41)), axis=1)
    bounds = np.array([distances.median_interval(row) for row in draws])
    inside = (bounds[:, 0] <= np.log(2)) & (np.log(2) <= bounds[:, 1])
    assert 0.94 < inside.mean() < 0.99


def test_optimality_by_hand():
    """Of four images one is wrong, one resists the second attack: areas counted on a grid."""
    near = np.array([0.0, 1.0, 2.0, 3.0])
    far = np.array([0.0, 1.5, 2.0, np.inf])
    grid = np.linspace(0, 3, 30001)[:-1] + 5e-5
    one, other = ((grid[:, None] < values).mean(1).mean() * 3 for values in (near, far))
    found = distances.optimality({"near": near, "far": far})
    assert found["near"] == 1
    assert found["far"] == pytest.approx((2.25 - other) / (2.25 - one), abs=1e-3)


@pytest.fixture
def folder(images, tmp_path):
    """Two kinds in CIFAR-10-C's format, 50 images of each severity, the labels in reverse order."""
    x, y = np.repeat(images[0], 2, axis=0)[:50], np.repeat(images[1], 2)[:50]
    levels = np.concatenate([np.clip(255 * x + 5 * s, 0, 255).astype("uint8") for s in range(5)])
    for kind in ("fog", "contrast"):
        np.save(tmp_path / f"{kind}.npy", levels)
    np.save(tmp_path / "labels.npy", np.tile(y, 5))
    return tmp_path, levels, y


def test_images_from_a_disk_have_their_own_labels(linear, images, folder):
    path, levels, y = folder
    steps = stored.from_folder(make_steps(["clean", "corruptions"], Ball()), path)
    assert len(steps) == 11
    found = Measurement(linear, *images, steps)
    found.run()
    z = linear.predict(levels[150:190] / np.float32(255), verbose=0)  # severity 4
    assert rows(found)["corruptions: fog-4"].accuracy == (z.argmax(-1) == y[:40]).mean()


def test_a_folder_that_does_not_fit(linear, images, folder):
    path, *_ = folder
    steps = stored.from_folder(make_steps(["fog"], Ball()), path)
    x = np.repeat(images[0], 2, axis=0)
    with pytest.raises(DataError, match="holds 50 images of a severity, 80 are asked for"):
        suite.check_steps(steps, x, 2)
    with pytest.raises(DataError, match="the model takes"):
        suite.check_steps(steps, np.zeros((2, 8, 8, 3), "float32"), 2)
    with pytest.raises(DataError):
        stored.from_folder(steps, path / "nowhere")


@pytest.mark.parametrize(("noisy", "verdict"), [(True, "pass"), (False, "warn"), (None, "pass")])
def test_a_certificate_of_a_model_without_noise_is_warned_of(measured, noisy, verdict):
    found = {check.name: check for check in checks.run(measured, noisy=noisy)}
    assert found["certificate"].verdict == verdict
    assert found["masking"].verdict == "pass" if "masking" in found else True


def test_masking_is_seen_by_an_attack_that_looks_for_the_nearest(linear, images):
    """Square fools what FMN leaves: as counted by hand, since no gradient is masked here."""
    steps = make_steps(["clean", "fmn-5", "square-10"], Ball("linf", 0.1), classes=2)
    found = Measurement(linear, *images, steps)
    fooled = np.zeros((3, 40), "int8")
    fooled[1, :5] = 1
    fooled[2, :12] = 1
    found.tally = found.tally.replace(clean=np.ones(40, "int8"), fooled=fooled)
    seen = checks._masking_seen(found)
    assert seen.verdict == "fail" and "7 more of 35 images" in seen.says
