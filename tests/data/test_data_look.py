"""What is probably a mistake in the data is found and said; healthy data give no word."""

import re
import tracemalloc
from collections import defaultdict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slr_keras import config
from slr_keras.data import DataSettings, Splits, Streamed, _load, _look, load, prepare
from slr_keras.data._look import findings
from slr_keras.data._stream import Store

NAMES = tuple("abcdefghij")
SHAPES = [((4, 4, 1), np.uint8), ((5, 5, 3), np.uint8), ((4, 3, 1), np.float32)]


def noise(n, seed=0, shape=(4, 4, 3), dtype=np.uint8):
    """Images that are all different and fill the whole range."""
    x = np.random.default_rng(seed).integers(0, 256, (n, *shape))
    return x.astype(np.uint8) if dtype == np.uint8 else (x / 255).astype(dtype)


def healthy(n=200, **changes):
    """Ten classes of 14 training, 2 validation and 4 test images for n = 200."""
    x, y = noise(n, **changes), np.arange(n, dtype=np.int32) % 10
    val, test = n * 7 // 10, n * 8 // 10
    parts = (x[:val], y[:val], x[val:test], y[val:test], x[test:], y[test:])
    return Splits(*(part.copy() for part in parts), class_names=NAMES)


def only(splits):
    """The one finding."""
    notes = findings(splits)
    assert len(notes) == 1, notes
    return notes[0]


# -- nothing is wrong --------------------------------------------------------------------------


@pytest.mark.parametrize("shape, dtype", SHAPES)
def test_healthy_data_give_no_word(shape, dtype):
    splits = healthy(shape=shape, dtype=dtype)
    assert findings(splits) == []
    none = splits.replace(x_val=splits.x_val[:0], y_val=splits.y_val[:0])
    assert findings(none) == []


def test_neither_do_digits_nor_black_and_white_nor_much_black():
    assert load(DataSettings(), seed=0).notes == ()
    assert load(DataSettings(train_samples=100, label_noise=0.5), seed=0).notes == ()
    binary = healthy(shape=(8, 8, 1))
    for dtype, white in ((np.float32, 1), (np.uint8, 255)):
        images = {f"x_{s}": (getattr(binary, f"x_{s}") > 99).astype(dtype) * dtype(white)
                  for s in ("train", "val", "test")}  # fmt: skip
        assert findings(binary.replace(**images)) == []
    sparse = healthy(shape=(28, 28, 1))
    for split in ("train", "val", "test"):
        x = getattr(sparse, f"x_{split}")
        x[:, :12], x[:, 14:], x[:, :, 1::2] = 0, 0, 0
    assert findings(sparse) == []


def test_the_same_image_twice_with_one_label_is_no_mistake():
    splits = healthy()
    splits.x_train[[15, 25]] = splits.x_train[5]
    assert findings(splits) == []


def test_images_of_one_pixel_have_no_colour_to_miss():
    assert findings(healthy(n=100, shape=(1, 1, 8))) == []


# -- labels ------------------------------------------------------------------------------------


def test_classes_without_training_images_are_named_once():
    splits = healthy().replace(class_names=(*NAMES, "k", "l", "m"))
    assert only(splits) == "no training image shows these classes: k, l, m"
    many = splits.replace(class_names=tuple(f"c{i}" for i in range(1234)))
    assert only(many).endswith("classes: c10, c11, c12 and 1,221 more")


@pytest.mark.parametrize("split, word", [("val", "validation"), ("test", "test")])
def test_classes_that_cannot_be_measured_are_named(split, word):
    splits = healthy()
    y = getattr(splits, f"y_{split}")
    gone = splits.replace(**{f"y_{split}": np.where((y == 3) | (y == 7), 1, y)})
    assert only(gone) == f"no {word} image shows these classes: d, h"


def test_uneven_classes_are_counted_beyond_ten_to_one():
    x, y = noise(121), np.array([0] * 110 + [1] * 11)
    own = Splits(x, y, x[:0], y[:0], noise(2, seed=1), np.arange(2), ("cat", "dog"))
    assert findings(own) == []
    uneven = own.replace(y_train=np.array([0] * 10 + [1] * 111))
    assert "111 show dog, 10 show cat" in only(uneven)


# -- pixels ------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape, dtype", SHAPES)
def test_images_of_one_colour(shape, dtype):
    splits = healthy(shape=shape, dtype=dtype)
    colours = noise(3, seed=1, shape=(1, 1, shape[-1]), dtype=dtype)
    splits.x_train[[7, 70, 139]] = colours
    splits.x_test[4] = 1
    splits.x_train[9] = colours[0]
    splits.x_train[9, -1, -1, 0] = colours[0, 0, 0, 0] == 0  # one pixel is another
    training, test = findings(splits)
    assert training.startswith("images of one colour in training: 3 of 140, x_train[7] ")
    assert test.startswith("images of one colour in test: 1 of 40, x_test[4] ")


def test_of_images_that_are_all_alike_no_range_is_told():
    x = np.full((3, 4, 4, 1), 0.5, np.float32)
    own = Splits(x, np.arange(3), x[:0], np.arange(0), noise(3)[..., :1], np.arange(3), NAMES[:3])
    told = ["images of one colour in training", "identical training images with different labels"]
    assert [note.partition(":")[0] for note in findings(own)] == told
    turned = own.replace(x_train=own.x_test, x_test=x)
    assert only(turned).startswith("images of one colour in test: 3 of 3, x_test[0] ")


@pytest.mark.parametrize(
    "change, dtype, said",
    [
        (lambda x: x / np.float32(255), np.float32, "no value above 0.0039 and.*255 twice"),
        (lambda x: x * np.float32(0.2) + np.float32(0.4), np.float32, r"0\.4\.\.0\.6 of 0\.\.1 al"),
        (lambda x: x // 16, np.uint8, r"0\.\.15 of 0\.\.255 alone"),
        (lambda x: x // 128, np.uint8, "no whole number above 1 and is read as nearly black"),
    ],
)
def test_ranges_that_look_wrong(change, dtype, said):
    splits = healthy(shape=(8, 8, 3), dtype=dtype)
    images = {f"x_{s}": change(getattr(splits, f"x_{s}")) for s in ("train", "val", "test")}
    assert re.search(f"^x_train holds .*{said}", only(splits.replace(**images)))


def test_splits_of_two_scales():
    splits = healthy(shape=(8, 8, 3), dtype=np.float32)
    dark = splits.replace(x_test=splits.x_test / np.float32(255))
    assert only(dark).startswith("x_test holds 0..0.00392 of 0..1 alone, x_train 0..1 of 0..1")
    levels = splits.replace(x_val=(splits.x_val > 0.5).astype(np.uint8))
    assert only(levels).startswith("x_val holds 0..1 of 0..255 alone")
    assert findings(splits.replace(x_test=(splits.x_test * 255).astype(np.uint8))) == []


# -- the same image twice ----------------------------------------------------------------------


def oracle(splits):
    """What the sentences on identical images must say, by a dictionary of all bytes."""
    places = defaultdict(list)
    for i, image in enumerate(splits.x_train):
        places[image.tobytes()].append(i)
    expected, y = [], splits.y_train
    bad = [i for rows in places.values() for i in rows if len(set(y[rows])) > 1]
    if bad:
        i = min(bad)
        j = next(j for j in places[splits.x_train[i].tobytes()] if y[j] != y[i])
        pair = f"x_train[{i}] ({NAMES[y[i]]}) and x_train[{j}] ({NAMES[y[j]]})"
        expected.append(
            f"identical training images with different labels: {len(bad)}, {pair} for example"
        )
    for split, word in (("val", "validation"), ("test", "test")):
        x = getattr(splits, f"x_{split}")
        held = [i for i, image in enumerate(x) if image.tobytes() in places]
        if held:
            pair = f"x_{split}[{held[0]}] and x_train[{places[x[held[0]].tobytes()][0]}]"
            expected.append(
                f"identical images in training and {word}: {len(held)} of {len(x)}, {pair} "
                "for example"
            )
    return expected


def drawn(seed, kinds, shape, dtype):
    """Splits in which most images occur once, and some as one of ``kinds``."""
    rng, splits = np.random.default_rng(seed), healthy(seed=seed, shape=shape, dtype=dtype)
    again = noise(kinds, seed=seed + 1, shape=shape, dtype=dtype)
    for split in ("train", "val", "test"):
        x = getattr(splits, f"x_{split}")
        rows = np.flatnonzero(rng.random(len(x)) < rng.choice([0, 0.03, 0.5]))
        x[rows] = again[rng.integers(0, kinds, len(rows))]
    return splits


@given(st.integers(0, 999), st.sampled_from([1, 2, 9, 60]), st.sampled_from(SHAPES))
@settings(max_examples=60, deadline=None)
def test_identical_images_are_those_of_a_dictionary(seed, kinds, form):
    splits = drawn(seed, kinds, *form)
    assert [note.partition(";")[0] for note in findings(splits)] == oracle(splits)


@pytest.mark.parametrize("shape, dtype", SHAPES)
def test_in_small_chunks_in_any_order_and_when_digests_collide(shape, dtype, monkeypatch):
    splits = drawn(3, 9, shape, dtype)
    splits.x_train[[8, 21]], splits.x_test[5] = splits.x_train[2], splits.x_train[2]
    splits.x_train[77] = 1
    colour, *same = said = findings(splits)
    assert colour.startswith("images of one colour in training: 1 of 140, x_train[77] ")
    assert len(same) >= 2 and [note.partition(";")[0] for note in same] == oracle(splits)
    for turn in (np.asfortranarray, lambda x: np.repeat(x, 2, axis=2)[:, :, ::2]):
        images = {f"x_{s}": turn(getattr(splits, f"x_{s}")) for s in ("train", "test")}
        assert findings(splits.replace(**images)) == said
    monkeypatch.setattr(_look, "CHUNK", 3 * splits.x_train[0].nbytes)
    assert findings(splits) == said
    monkeypatch.setattr(_look, "_digests", lambda part, _: part[:, 0, 0, 0].astype(np.uint64) % 2)
    assert findings(splits) == said


def test_images_that_differ_in_one_bit_are_different():
    image = noise(1, shape=(4, 4, 1))
    x = np.repeat(image, 129, axis=0)
    bits = np.unpackbits(x[1:].reshape(128, 16), axis=1) ^ np.eye(128, dtype=np.uint8)
    x[1:] = np.packbits(bits, axis=1).reshape(128, 4, 4, 1)
    assert len(np.unique(_look.Pixels.of(x).digests)) == 129
    y = np.arange(128) % 2
    assert findings(Splits(x[1:], y, x[:0], y[:0], x[:2], y[:2], ("a", "b")))[0].startswith(
        "identical images in training and test: 1 of 2, x_test[1] and x_train[0]"
    )


def test_it_takes_no_memory_that_grows_with_the_pixels():
    splits = healthy(n=3000, shape=(64, 64, 1))
    tracemalloc.start()
    assert findings(splits) == []
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 5 * _look.CHUNK < splits.x_train.nbytes


# -- when it is done ---------------------------------------------------------------------------


def with_faults():
    splits = healthy()
    splits.x_train[[15, 16]] = splits.x_train[5]
    return splits


def test_it_is_told_among_the_notes_of_the_data_and_can_be_left_out(monkeypatch, tmp_path):
    own = with_faults().noted("first")
    told = prepare(own, DataSettings(), seed=0).notes
    assert told[0] == "first" and told[1].startswith(
        "identical training images with different labels: 3, x_train[5] (f) and x_train[16] (g)"
    )

    def refused(*_):
        raise AssertionError("looked at")

    monkeypatch.setattr(_load, "findings", refused)
    assert prepare(own, DataSettings(check=False), seed=0).notes == ("first",)
    fields = {k: getattr(own, k) for k in ("x_train", "y_train", "x_test", "y_test")}
    np.savez(tmp_path / "own.npz", **fields)
    assert load(DataSettings(name=str(tmp_path / "own.npz")), seed=0, read=False).notes == ()
    with pytest.raises(AssertionError, match="looked at"):
        load(DataSettings(name=str(tmp_path / "own.npz")), seed=0)


def test_planted_label_noise_is_no_contradiction_and_hides_none():
    own = healthy()
    own.x_train[[15, 25, 35]] = own.x_train[5]
    noisy = prepare(own, DataSettings(label_noise=1), seed=0)
    assert len(set(noisy.y_train[[5, 15, 25, 35]])) > 1 and noisy.notes == ()
    noisy = prepare(with_faults(), DataSettings(label_noise=1), seed=0)
    assert noisy.notes == prepare(with_faults(), DataSettings(), seed=0).notes != ()


class Unread(Store):
    """Images that nobody may read."""

    shape, dtype = (150, 4, 4, 1), np.dtype("uint8")

    def fetch(self, rows):
        raise AssertionError("read")


@pytest.mark.parametrize("stream", ["on", "auto"])
def test_of_streamed_images_the_labels_alone_are_looked_at(stream, monkeypatch):
    monkeypatch.setattr("slr_keras.data._stream.LIMIT", 100)
    x_test, y = noise(20, shape=(4, 4, 1)), np.array([0] * 140 + [1] * 10)
    x_test[[3, 4]] = 7
    own = Splits(Streamed(Unread()), y, None, None, x_test, y[:20], ("cat", "dog"))
    d = prepare(own, DataSettings(stream=stream), seed=0)
    assert isinstance(d.x_train, Streamed) and isinstance(d.x_val, Streamed)
    assert [note.partition(";")[0] for note in d.notes if "stay on disk" not in note] == [
        "no test image shows these classes: dog",
        "training images are uneven: 126 show cat, 9 show dog",
        "images of one colour in test: 2 of 20, x_test[3] for example",
    ]


def test_configurations_from_before_mean_the_same():
    text = config.plain_text(config.load())
    assert text.count("check = true\n") == 1
    old = text.replace("check = true\n", "")
    assert config.renewed(old) == text
    assert DataSettings() == DataSettings(check=True) != DataSettings(check=False)
