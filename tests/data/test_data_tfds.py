import os
import sys
import types
from pathlib import Path

import numpy as np
import pytest

from slr_keras.data import DataSettings, load
from slr_keras.data import tfds as source
from slr_keras.data._load import find_source
from slr_keras.errors import DataError

tfds = pytest.importorskip("tensorflow_datasets")

PREPARED = Path(os.environ.get("TFDS_DATA_DIR", "~/tensorflow_datasets")).expanduser()
CIFAR = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]
FASHION = ["T-shirt/top", "Trouser", "Pullover", "Dress", "Coat"]
FASHION += ["Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"]


def prepared(name):
    builder = tfds.builder(name, data_dir=PREPARED)
    if not builder.is_prepared():
        pytest.skip(
            f'{name} is not prepared in {PREPARED}; with network, run: python -c "import '
            f"tensorflow_datasets as t; t.builder('{name}').download_and_prepare()\" "
            "(TFDS_DATA_DIR names another folder)"
        )
    return builder


@pytest.mark.parametrize(
    "name, shape, names, first, counts, mean",
    [
        ("cifar10", (32, 32, 3), CIFAR, [7, 8, 4, 4, 6], (50000, 10000), [0.4914, 0.4822, 0.4465]),
        ("fashion_mnist", (28, 28, 1), FASHION, [2, 1, 8, 4, 1], (60000, 10000), [0.2860]),
    ],
)
def test_real_sets_have_their_own_shape_and_names(name, shape, names, first, counts, mean):
    builder = prepared(name)
    label = builder.info.features["label"]
    assert label.names == names
    assert tuple(builder.info.splits[s].num_examples for s in ("train", "test")) == counts
    x, y = source.read(builder, "train[:1500]")
    assert x.shape == (1500, *shape) and x.dtype == np.uint8 and x.max() > 200
    assert sorted(set(y)) == list(range(10))
    assert y[:5].tolist() == first
    np.testing.assert_allclose(x.mean((0, 1, 2)) / 255, mean, atol=0.02)  # known of the whole set
    again, _ = source.read(builder, "train[:1500]")
    np.testing.assert_array_equal(x, again)


def test_a_real_set_from_its_folder_to_a_dataset(monkeypatch):
    prepared("fashion_mnist")
    read = source.read
    monkeypatch.setattr(source, "read", lambda builder, split: read(builder, f"{split}[:200]"))
    d = load(DataSettings(name="fashion_mnist", dir=str(PREPARED)), seed=0)
    assert repr(d).startswith("Dataset('fashion_mnist', 180 train, 20 val, 200 test, 28x28x1, 10")
    assert d.x_train.dtype == np.uint8 and d.y_train.dtype == np.int32 and not d.notes


class Fake:
    """A builder of TensorFlow Datasets as far as the source uses one."""

    name = "fake"
    data_path = Path("/data/fake/1.0.0")

    def __init__(self, splits, features=None, keys=("image", "label"), ready=True, error=None):
        image, label = tfds.features.Image(shape=(4, 4, 1)), tfds.features.ClassLabel(num_classes=2)
        features = features or {"image": image, "label": label}
        self.info = types.SimpleNamespace(features=features, supervised_keys=keys, splits=splits)
        self.ready, self.error = ready, error

    def is_prepared(self):
        return self.ready

    def download_and_prepare(self):
        print("downloading")
        if self.error:
            raise self.error

    def as_dataset(self, split, **_):
        n = self.info.splits[split]
        return np.full((n, 4, 4, 1), n, np.uint8), np.arange(n) % 2


def load_fake(monkeypatch, *args, **kwargs):
    monkeypatch.setattr(tfds, "builder", lambda name, data_dir: Fake(*args, **kwargs))
    monkeypatch.setattr(tfds, "as_numpy", lambda data: data)
    return load(DataSettings(name="fake", dir="/data", val_fraction=0.1), seed=0)


@pytest.mark.parametrize(
    "splits, sizes, note",
    [
        ({"train": 40, "test": 10}, (36, 4, 10), None),
        ({"train": 40, "test": 10, "validation": 6}, (40, 6, 10), None),
        ({"train": 40, "validation": 6}, (36, 4, 6), "validation split is the test split here"),
        ({"train": 40, "extra": 8}, (32, 4, 4), "no test split: 4 training images"),
    ],
)
def test_splits(monkeypatch, splits, sizes, note):
    d = load_fake(monkeypatch, splits)
    assert (len(d.y_train), len(d.y_val), len(d.y_test)) == sizes
    assert d.class_names == ("0", "1")
    assert (note in d.notes[0]) if note else not d.notes


def test_unprepared_set_is_downloaded_without_touching_stdout(monkeypatch, capsys):
    assert len(load_fake(monkeypatch, {"train": 40, "test": 4}, ready=False).y_test) == 4
    captured = capsys.readouterr()
    assert captured.out == "" and "downloading" in captured.err


def test_failed_download_says_what_to_do(monkeypatch):
    message = r"^fake: not prepared in /data and .*OSError: no route.*network once.*--data.dir"
    with pytest.raises(DataError, match=message) as error:
        load_fake(monkeypatch, {}, ready=False, error=OSError("no\nroute"))
    assert "\n" not in str(error.value)


def ragged():
    return {"image": tfds.features.Image(), "label": tfds.features.ClassLabel(num_classes=2)}


@pytest.mark.parametrize(
    "kwargs, message",
    [
        ({"keys": None}, "expected an image classification set, received one of image, label"),
        (
            {"features": {"text": tfds.features.Text()}, "keys": ("text", "label")},
            ".* one of text;",
        ),
        ({"features": ragged}, r"expected images of one size, received shape \(None, None, 3\)"),
        ({}, "expected a split 'train', received test"),
    ],
)
def test_unsuitable_sets(monkeypatch, kwargs, message):
    if callable(kwargs.get("features")):
        kwargs = {"features": kwargs["features"]()}
    with pytest.raises(DataError, match=f"^fake: {message}"):
        load_fake(monkeypatch, {"test": 4}, **kwargs)


@pytest.mark.parametrize(
    "name, message",
    [
        ("cifra10", "unknown: 'cifra10'.*Did you mean 'cifar10'"),
        ("digit", "Did you mean 'digits'"),
        ("zzzzqqqq", "expected digits, a TensorFlow Datasets name, an .npz file or a folder"),
        ("cifar10:9.9.9", "cannot be loaded at version 9.9.9"),
        ("cifar10_corrupted/nope", "BuilderConfig nope not found"),
        ("imdb_reviews", "^imdb_reviews: expected an image classification set"),
    ],
)
def test_unknown_names(name, message, tmp_path):
    with pytest.raises(DataError, match=message) as error:
        load(DataSettings(name=name, dir=str(tmp_path)), seed=0)
    assert "\n" not in str(error.value)


def test_a_variant_of_a_set_is_no_path_but_other_slashes_are():
    assert find_source("cifar10_corrupted/brightness_1").name == "tfds"
    with pytest.raises(DataError, match="received 'my/folder': not found"):
        find_source("my/folder")


def test_without_tensorflow_datasets(monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorflow_datasets", None)
    with pytest.raises(DataError, match="'cifar10' needs TensorFlow Datasets, .*pip install"):
        load(DataSettings(name="cifar10"), seed=0)
    with pytest.raises(DataError, match="not found"):
        find_source("my/folder")
