"""``python -m slr_keras.attack``: one image file."""

import keras
import numpy as np
import pytest
from PIL import Image

from slr_keras import attack, data
from slr_keras.data import DataSettings
from slr_keras.terminal import cli


@pytest.fixture(scope="module")
def digit(tmp_path_factory):
    """A digit as a PNG, with its label."""
    loaded = data.load(DataSettings(name="digits"), seed=0)
    path = tmp_path_factory.mktemp("images") / "digit.png"
    pixels = np.round(255 * np.asarray(loaded.x_test[0], "float64")[..., 0])
    Image.fromarray(pixels.astype("uint8")).save(path)
    return path, int(loaded.y_test[0])


def logits(run, image):
    return keras.models.load_model(run / "best.keras")(image[None]).numpy()[0]


def test_an_image_is_attacked_and_written(learned, digit, tmp_path, job):
    path, label = digit
    out, npy = tmp_path / "attacked.png", tmp_path / "attacked.npy"
    options = ("--attack", "apgd-ce", "--eps", "100/255", "--label", label)
    done = job(attack.main, learned, path, *options, "--out", out, "--npy", npy)
    assert done.code == 0 and done.err == ""
    clean = np.asarray(Image.open(path), "float32")[..., None] / 255
    found, rounded = np.load(npy), np.asarray(Image.open(out), "float32")[..., None] / 255
    assert found.shape == (8, 8, 1) and abs(found - clean).max() <= 100 / 255 + 1e-6
    assert abs(rounded - found).max() <= 0.51 / 255
    assert logits(learned, found).argmax() != label
    kept = logits(learned, rounded).argmax() != label
    assert ("still fools" in done.out) == kept
    assert f"Fooled: {label} became {logits(learned, found).argmax()}" in done.out
    lines = [line.split()[0] for line in done.out.splitlines()]
    assert lines[:4] == ["clean", "adversarial", "8", "distance"]


def test_a_class_is_reached(learned, digit, job):
    path, label = digit
    clean = np.asarray(Image.open(path), "float32")[..., None] / 255
    goal = next(k for k in np.argsort(-logits(learned, clean)) if k != label)
    options = ("--attack", "pgd-40", "--eps", "200/255", "--target-class", goal, "--label", label)
    done = job(attack.main, learned, path, *options)
    assert done.code == 0 and f"{label} became {goal} " in done.out


def test_radius_zero_fools_nothing(learned, digit, job):
    path, _ = digit
    done = job(attack.main, learned / "best.keras", path, "--eps", 0, "--attack", "pgd-2")
    assert done.code == 0 and "Not fooled" in done.out


def test_rounding_never_leaves_the_ball():
    rng = np.random.default_rng(0)
    x = rng.integers(0, 256, (50, 4, 4, 1)) / np.float32(255)
    eps = 3.7 / 255
    found = np.clip(x + eps * np.sign(rng.normal(size=x.shape)), 0, 1).astype("float32")
    rounded = attack._rounded(x, found, towards_image=True)
    assert abs(rounded.astype("float64") - x).max() <= eps
    levels = 255 * rounded.astype("float64")
    np.testing.assert_allclose(levels, np.round(levels), atol=1e-4)
    assert abs(attack._rounded(x, found).astype("float64") - x).max() > eps


@pytest.mark.parametrize(
    "arguments, said",
    [
        (["--attack", "pdg"], "Did you mean 'pgd'?"),
        (["--attack", "autoattack"], "expected one attack"),
        (["--attack", "fab", "--target-class", "1"], "targeted"),
        (["--eps", "8"], "Did you mean 8/255?"),
        (["--norm", "l2"], "give --eps"),
        (["--out", "attacked.jpg"], "ending in .png"),
        (["--npy", "absent/attacked.npy"], "no such folder"),
    ],
)
def test_what_is_refused_before_it_works(learned, digit, job, monkeypatch, arguments, said):
    monkeypatch.setattr(cli, "import_framework", lambda: pytest.fail("it began to work"))
    done = job(attack.main, learned, digit[0], *arguments)
    assert done.code == 2 and done.err.count("\n") == 1 and said in done.err


@pytest.mark.parametrize(
    "arguments, said",
    [(["--label", "12"], "class 0 to 9"), (["--label", "two"], "class 0 to 9")],
)
def test_classes_that_there_are_not(learned, digit, job, arguments, said):
    done = job(attack.main, learned, digit[0], *arguments)
    assert done.code == 2 and said in done.err


def test_files_that_are_no_images(learned, tmp_path, job):
    (tmp_path / "text.png").write_text("no image")
    assert "cannot be read" in job(attack.main, learned, tmp_path / "text.png").err
    assert "no such file" in job(attack.main, learned, tmp_path / "absent.png").err
