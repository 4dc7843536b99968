import hashlib
import importlib.util
import os
import shutil
import sys
import types
from pathlib import Path

import numpy as np
import pytest

from slr_keras.data import DataSettings, _records, load
from slr_keras.data import tfds as source
from slr_keras.data._load import find_source
from slr_keras.data._tfrecord import example
from slr_keras.errors import DataError
from tests.data import _tiny_set as tiny
from tests.processes import finished

tfds = pytest.importorskip("tensorflow_datasets")
needs_tensorflow = pytest.mark.skipif(
    not importlib.util.find_spec("tensorflow"), reason="TensorFlow prepares these sets"
)

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
    images, y = _records.read(builder, "train[:1500]")
    x = np.asarray(images)
    assert x.shape == (1500, *shape) and x.dtype == np.uint8 and x.max() > 200
    assert sorted(set(y)) == list(range(10))
    assert y[:5].tolist() == first
    np.testing.assert_allclose(x.mean((0, 1, 2)) / 255, mean, atol=0.02)  # known of the whole set
    again, _ = _records.read(builder, "train[500:1500]")
    np.testing.assert_array_equal(x[500:], again)


@needs_tensorflow
def test_a_real_set_equals_what_tensorflow_reads():
    check_against_tensorflow(prepared("cifar10"), "train[:3000]")


def test_a_real_set_from_its_folder_to_a_dataset(monkeypatch):
    prepared("fashion_mnist")
    read = _records.read
    monkeypatch.setattr(_records, "read", lambda b, split, size: read(b, f"{split}[:200]", size))
    d = load(DataSettings(name="fashion_mnist", dir=str(PREPARED)), seed=0)
    assert repr(d).startswith("Dataset('fashion_mnist', 180 train, 20 val, 200 test, 28x28x1, 10")
    assert d.x_train.dtype == np.uint8 and d.y_train.dtype == np.int32 and not d.notes


def check_against_tensorflow(builder, split):
    one_file_after_another = tfds.ReadConfig(interleave_cycle_length=1)
    wanted = builder.as_dataset(
        split=split, batch_size=-1, as_supervised=True, read_config=one_file_after_another
    )
    for ours, theirs in zip(_records.read(builder, split), tfds.as_numpy(wanted), strict=True):
        np.testing.assert_array_equal(ours, theirs)
        assert ours.dtype == theirs.dtype


# -- small sets, prepared here ----------------------------------------------------------------


@pytest.fixture(scope="session")
def sets(tmp_path_factory):
    """A folder with the same set as TFRecord and as ArrayRecord, and one of several sizes."""
    if not importlib.util.find_spec("tensorflow"):
        pytest.skip("TensorFlow prepares these sets")
    folder = tmp_path_factory.mktemp("sets")
    tiny.prepare(folder, "tiny")
    tiny.prepare(folder, "arrays", form="array_record")
    tiny.prepare(folder, "grey", shape=(6, 5, 1), image=lambda i: tiny.pixels(i, channels=1))
    tiny.prepare(
        folder,
        "photos",
        shape=(None, None, 3),
        encoding="jpeg",
        image=lambda i: tiny.encoded(tiny.pixels(i, 20 + i, 30), "JPEG"),
    )
    return folder


def read_set(folder, name, **changes):
    settings = {"name": name, "dir": str(folder), "val_fraction": 0} | changes
    return load(DataSettings(**settings), seed=0)


@pytest.mark.parametrize("name", ["tiny", "grey"])
@pytest.mark.parametrize("split", ["train", "test", "train[3:15]"])
def test_files_equal_what_tensorflow_reads(sets, name, split):
    check_against_tensorflow(tfds.builder(name, data_dir=sets), split)


def test_the_pixels_are_those_that_were_put_in(sets):
    d = read_set(sets, "tiny")
    assert d.class_names == tuple(tiny.NAMES) and len(d.y_train) == 23 and len(d.y_test) == 7
    known = {tiny.pixels(i).tobytes(): i % 3 for i in (*range(23), *range(100, 107))}
    for x, y in ((d.x_train, d.y_train), (d.x_test, d.y_test)):
        assert [known[image.tobytes()] for image in x] == y.tolist()


def test_array_records_hold_the_same(sets):
    one, other = read_set(sets, "tiny"), read_set(sets, "arrays")
    rows = [[image.tobytes() for image in d.x_train] for d in (one, other)]
    assert sorted(rows[0]) == sorted(rows[1])
    lazy = read_set(sets, "arrays", stream="on").x_train
    np.testing.assert_array_equal(lazy, other.x_train)
    np.testing.assert_array_equal(lazy[[4, 2]], other.x_train[[4, 2]])


def test_images_of_several_sizes_are_brought_to_one(sets):
    with pytest.raises(DataError, match=r"images of one size.*None.*set data.image_size"):
        read_set(sets, "photos")
    d = read_set(sets, "photos", image_size=16, stream="on")
    assert d.input_shape == (16, 16, 3)
    np.testing.assert_array_equal(d.x_train, read_set(sets, "photos", image_size=16).x_train)


WITHOUT = """
import hashlib, sys
from importlib.machinery import PathFinder

find = PathFinder.find_spec
hide = lambda finder, name, *rest: None if name == "tensorflow" else find(name, *rest)
PathFinder.find_spec = classmethod(hide)
from slr_keras.data import DataSettings, load
from slr_keras.errors import DataError
for name in ("tiny", "arrays", "photos"):
    d = load(DataSettings(name=name, dir=sys.argv[1], val_fraction=0, image_size=5), seed=0)
    print(hashlib.sha256(d.x_train.tobytes() + d.y_train.tobytes()).hexdigest())
try:
    load(DataSettings(name="cifar10", dir=sys.argv[1]), seed=0)
except DataError as error:
    print(error)
"""


def test_tensorflow_is_not_needed(sets):
    """On one line each: the same data as here, and what is said of a set that is not prepared."""
    done = finished([sys.executable, "-c", WITHOUT, str(sets)])
    assert done.returncode == 0, done.stderr
    *digests, refusal = done.stdout.splitlines()
    for name, digest in zip(("tiny", "arrays", "photos"), digests, strict=True):
        d = read_set(sets, name, image_size=5)
        assert hashlib.sha256(d.x_train.tobytes() + d.y_train.tobytes()).hexdigest() == digest
    assert f"cifar10: not prepared in {sets}, and preparing it needs TensorFlow" in refusal


def spoiled(path, change):
    content = bytearray(path.read_bytes())
    path.write_bytes(change(content))


def flip(place):
    def change(content):
        at = content.index(place) + len(place)
        content[at] ^= 255
        return content

    return change


@pytest.mark.parametrize(
    "change, message",
    [
        (lambda c: c[:-20], r"00001-of-00003: expected records .* cannot be read at byte"),
        (lambda c: c[: len(c) // 2], "00001-of-00003: expected records .* cannot be read at byte"),
        (lambda c: b"", "00001-of-00003: expected 7 records, received 0; the file was cut short"),
        (lambda c: b"hello world, " * 99, "00001-of-00003: expected records with 'image' and"),
        (flip(b"IHDR"), "00001-of-00003, the image at byte [0-9]+: expected an image, received"),
        (flip(b"label"), "00001-of-00003: expected records"),
        (None, "00001-of-00003: cannot be read .No such file"),
    ],
)
def test_damaged_files_are_named(sets, tmp_path, change, message):
    shutil.copytree(sets / "tiny", tmp_path / "tiny")
    (path,) = (tmp_path / "tiny" / "1.0.0").glob("*train*00001*")
    path.unlink() if change is None else spoiled(path, change)
    with pytest.raises(DataError, match=message) as error:
        read_set(tmp_path, "tiny")
    assert "\n" not in str(error.value)


def varint(value):
    value, done = value % 2**64, []
    while value > 127:
        done.append(value & 127 | 128)
        value >>= 7
    return bytes([*done, value])


def field(number, content):
    return bytes([number << 3 | 2]) + varint(len(content)) + content


@pytest.mark.parametrize("label", [0, 1, 127, 128, 70000, -1])
@pytest.mark.parametrize("packed", [True, False])
def test_labels_of_any_size_as_any_writer_puts_them(label, packed):
    from tensorflow_datasets.proto import tf_example_pb2

    whole = field(1, varint(label)) if packed else bytes([8]) + varint(label)
    kinds = {b"image": field(1, field(1, b"pixels" * 99)), b"label": field(3, whole)}
    entries = [field(1, field(1, key) + field(2, kind)) for key, kind in kinds.items()]
    data = field(1, b"".join(entries))
    parsed = tf_example_pb2.Example.FromString(data).features.feature["label"]
    assert parsed.int64_list.value == [label]  # the official parser takes it too
    start, size, found = example(data, 0, len(data), "image", "label")
    assert data[start : start + size] == b"pixels" * 99 and found == label


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


def read_fake(builder, split, image_size):
    n = builder.info.splits[split]
    return np.full((n, 4, 4, 1), n, np.uint8), np.arange(n) % 2


def load_fake(monkeypatch, *args, **kwargs):
    monkeypatch.setattr(tfds, "builder", lambda name, data_dir: Fake(*args, **kwargs))
    monkeypatch.setattr(_records, "read", read_fake)
    monkeypatch.setattr(source, "find_spec", lambda name: name == "tensorflow")
    return load(DataSettings(name="fake", dir="/data", val_fraction=0.1, check=False), seed=0)


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


def deep():
    image = tfds.features.Image(shape=(4, 4, 1), dtype=np.uint16)
    return {"image": image, "label": tfds.features.ClassLabel(num_classes=2)}


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
        ({"features": deep}, "expected images of 1, 3 or 4 channels of uint8, .* of uint16"),
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
