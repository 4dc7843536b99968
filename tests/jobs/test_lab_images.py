"""Images of the test set and from files, as the model takes them."""

import keras
import numpy as np
import pytest
from PIL import Image

from slr_keras import data
from slr_keras.data import DataSettings
from slr_keras.data import _image_files as files
from slr_keras.protocol import lab_events as tell
from tests.jobs._lab import Lab, array


def net_of(shape, classes=3):
    inputs = keras.Input(shape)
    x = keras.layers.GlobalAveragePooling2D()(keras.layers.Conv2D(2, 1)(inputs))
    return keras.Model(inputs, keras.layers.Dense(classes)(x))


@pytest.fixture(scope="module")
def grey(finished):
    """A lab with the digits model, 8 x 8 x 1."""
    lab = Lab()
    lab.load(finished)
    return lab


@pytest.fixture(scope="module")
def colour(tmp_path_factory):
    """A lab with a model of 6 x 10 colour images (height, width)."""
    path = tmp_path_factory.mktemp("models") / "colour.keras"
    net_of((6, 10, 3)).save(path)
    lab = Lab()
    assert isinstance(lab.load(path), tell.ModelLoaded)
    return lab


@pytest.fixture
def saved(tmp_path):
    def save(image, name="file.png", **options):
        path = tmp_path / name
        image.save(path, **options)
        return str(path)

    return save


def from_array(values):
    return Image.fromarray(np.asarray(values, "uint8"))


def test_by_index(grey):
    picked = grey.pick(origin="index", index=17)
    whole = data.load(DataSettings(name="digits"), seed=5)
    np.testing.assert_array_equal(array(picked.image), whole.x_test[17])
    assert (picked.label, picked.index) == (int(whole.y_test[17]), 17)
    assert picked.title == "digits, test image 17" and picked.notice == ""


@pytest.mark.parametrize("index", [-1, 360])
def test_an_index_that_is_not_there(grey, index):
    refused = grey.pick(origin="index", index=index)
    assert refused.message == f"Expected a test image from 0 to 359, received {index}."


def test_random_ones_differ(grey):
    assert len({grey.pick(origin="random").index for _ in range(12)}) > 3


def test_wrong_ones_are_wrong_and_counted_once(grey, monkeypatch):
    model = grey.model()
    wrong = set(np.flatnonzero(model.engine.logits(model.test.x).argmax(-1) != model.test.y))
    picked = [grey.pick(origin="wrong") for _ in range(6)]
    assert {p.index for p in picked} <= wrong and len({p.index for p in picked}) > 1
    assert picked[0].title.endswith(f", one of {len(wrong)} wrong among 360 checked")
    monkeypatch.setattr(type(model.engine), "logits", None)
    assert grey.pick(origin="wrong").origin == "wrong"


def test_a_part_of_a_large_test_set_is_checked(finished, monkeypatch):
    from slr_keras.lab import models

    monkeypatch.setattr(models, "MISTAKES", 100)
    lab = Lab()
    lab.load(finished)
    assert "wrong among 100 of 360 checked" in lab.pick(origin="wrong").title


def test_none_wrong(finished, monkeypatch):
    lab = Lab()
    lab.load(finished)
    model = lab.model()
    right = model.engine.logits(model.test.x).argmax(-1)
    model.test = type(model.test)("digits", model.test.x, right, model.class_names)
    refused = lab.pick(origin="wrong")
    assert "gets none wrong of the 360 test images" in refused.message


def test_without_a_model():
    assert "Load one" in Lab().pick(origin="random").message


def test_an_unknown_origin(grey):
    assert "Expected one of index" in grey.pick(origin="camera").message


# -- files ------------------------------------------------------------------------------------


def test_a_file_of_the_right_size_is_taken_as_it_is(colour, saved, rng):
    pixels = rng.integers(0, 256, (6, 10, 3))
    picked = colour.pick(origin="file", path=saved(from_array(pixels)))
    np.testing.assert_array_equal(array(picked.image), (pixels / np.float32(255)).astype("f4"))
    assert picked.label is None and picked.index is None
    assert picked.title == "file.png" and picked.notice == ""


def test_another_size_is_said(grey, saved):
    picked = grey.pick(origin="file", path=saved(Image.new("L", (640, 480), 128)))
    assert picked.notice == "The file is 640 × 480; it was resized to 8 × 8."
    np.testing.assert_allclose(array(picked.image), np.full((8, 8, 1), 128 / 255), atol=1e-6)


@pytest.mark.parametrize(
    ("name", "options"),
    [("a.jpg", {"quality": 95}), ("a.bmp", {}), ("a.webp", {"lossless": True}), ("a.png", {})],
)
def test_formats(colour, saved, name, options):
    picked = colour.pick(
        origin="file", path=saved(Image.new("RGB", (10, 6), (200, 100, 0)), name, **options)
    )
    np.testing.assert_allclose(array(picked.image)[3, 5] * 255, [200, 100, 0], atol=3)


def test_colour_to_grey_and_back(grey, colour, saved):
    red = saved(Image.new("RGB", (8, 8), (255, 0, 0)))
    picked = grey.pick(origin="file", path=red)
    assert picked.notice == "Its colours were turned into grey."
    np.testing.assert_allclose(array(picked.image), 0.299, atol=0.003)
    picked = colour.pick(origin="file", path=saved(Image.new("L", (10, 6), 51)))
    assert picked.notice == "It is grey and was given three equal channels."
    np.testing.assert_allclose(array(picked.image), 0.2, atol=1e-6)


def test_transparency_is_over_white(colour, saved):
    clear = Image.new("RGBA", (10, 6), (255, 0, 0, 0))
    clear.paste((0, 0, 255, 255), (0, 0, 5, 6))
    image = array(colour.pick(origin="file", path=saved(clear)).image)
    np.testing.assert_array_equal(image[0, 0], [0, 0, 1])
    np.testing.assert_array_equal(image[0, 9], [1, 1, 1])


def test_a_palette_with_transparency_and_grey_with_alpha(colour, grey, saved):
    palette = Image.new("P", (10, 6), 0)
    palette.putpalette([255, 0, 0, 0, 255, 0])
    path = saved(palette, transparency=0)
    np.testing.assert_array_equal(array(colour.pick(origin="file", path=path).image)[0, 0], 1)
    half = Image.new("LA", (8, 8), (0, 128))
    image = array(grey.pick(origin="file", path=saved(half, "la.png")).image)
    np.testing.assert_allclose(image, 127 / 255, atol=1 / 255)


def test_exif_orientation_is_honoured(colour, saved):
    lying = Image.new("RGB", (6, 10), (0, 0, 0))
    lying.paste((255, 255, 255), (0, 0, 6, 2))
    exif = Image.Exif()
    exif[0x0112] = 6  # turn a quarter clockwise to see it upright
    path = saved(lying, "turned.jpg", exif=exif, quality=100, subsampling=0)
    picked = colour.pick(origin="file", path=path)
    image = array(picked.image)
    assert picked.notice == ""  # 10 wide and 6 high once it stands
    assert image[:, 8:].min() > 0.9 and image[:, :7].max() < 0.1


def test_sixteen_bits_are_scaled(grey, saved):
    values = np.full((8, 8), 32768, "uint16")
    picked = grey.pick(origin="file", path=saved(Image.fromarray(values)))
    np.testing.assert_allclose(array(picked.image), 0.5, atol=0.003)


def test_a_model_of_any_size_takes_the_file_s(tmp_path, saved):
    net_of((None, None, 3)).save(tmp_path / "any.keras")
    lab = Lab()
    loaded = lab.load(tmp_path / "any.keras")
    assert loaded.input_shape == (0, 0, 3)
    path = saved(Image.new("RGB", (20, 12)))
    assert array(lab.pick(origin="file", path=path).image).shape == (12, 20, 3)
    path = saved(Image.new("RGB", (files.LARGEST * 4, files.LARGEST * 2)), "large.png")
    picked = lab.pick(origin="file", path=path)
    assert array(picked.image).shape == (files.LARGEST // 2, files.LARGEST, 3)
    done = lab.attack({"name": "fgsm"})
    assert isinstance(done, tell.AttackDone) and done.label == np.argmax(done.clean_probabilities)


def test_files_that_are_no_images(grey, tmp_path, monkeypatch):
    (tmp_path / "text.png").write_text("no image")
    whole = tmp_path / "whole.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (99, 99), "uint8")).save(whole)
    (tmp_path / "half.png").write_bytes(whole.read_bytes()[:3000])
    Image.new("L", (8, 8)).save(tmp_path / "old.tga")
    for name in ("text.png", "half.png", "old.tga"):
        refused = grey.pick(origin="file", path=str(tmp_path / name))
        assert "cannot be read as an image of PNG, JPEG, BMP, GIF, WEBP, TIFF" in refused.message
        assert str(tmp_path) in refused.message
    Image.new("L", (8, 8)).save(tmp_path / "one.gif")
    assert isinstance(grey.pick(origin="file", path=str(tmp_path / "one.gif")), tell.ImagePicked)
    assert "No such file" in grey.pick(origin="file", path=str(tmp_path / "gone.png")).message
    assert isinstance(grey.pick(origin="file", path=str(tmp_path)), tell.Refused)
    assert isinstance(grey.pick(origin="file", path=""), tell.Refused)
    monkeypatch.setattr(files, "PIXELS", 99 * 99 - 1)
    assert "Make it smaller" in grey.pick(origin="file", path=str(whole)).message


def test_a_refused_image_leaves_the_old_one(grey, tmp_path):
    grey.pick(origin="index", index=3)
    before = grey.image
    grey.pick(origin="file", path=str(tmp_path / "gone.png"))
    assert grey.image is before


def test_two_channels_have_no_files(tmp_path, saved):
    net_of((8, 8, 2)).save(tmp_path / "two.keras")
    lab = Lab()
    lab.load(tmp_path / "two.keras")
    refused = lab.pick(origin="file", path=saved(Image.new("L", (8, 8))))
    assert "takes 2 channels" in refused.message
