"""Images that stay on disk: the same batches, and nothing is read before it is wanted."""

import numpy as np
import pytest
from PIL import Image

from slr_keras.data import (
    Batches,
    DataSettings,
    Streamed,
    _stream,
    as_float,
    content,
    load,
    read_images,
)
from slr_keras.data._stream import Store
from slr_keras.errors import DataError


class Counted(Store):
    """Image i has the value i everywhere; remembers what was read."""

    shape, dtype = (40, 3, 2, 1), np.dtype("uint8")

    def __init__(self):
        self.read = []

    def fetch(self, rows):
        self.read += rows.tolist()
        return np.ones(self.shape[1:], np.uint8) * rows.astype(np.uint8)[:, None, None, None]

    def marks(self, rows):
        return rows.tobytes()


def painted(root, sizes=((5, 4),), count=30, kind="png"):
    """Noise in three classes; file names say the order."""
    rng = np.random.default_rng(0)
    for split in ("train", "test"):
        for i in range(count):
            folder = root / split / "abc"[i % 3]
            folder.mkdir(parents=True, exist_ok=True)
            width, height = sizes[i % len(sizes)]
            pixels = rng.integers(0, 256, (height, width, 3)).astype(np.uint8)
            Image.fromarray(pixels).save(folder / f"{i:02}.{kind}")
    return root


def saved(path, save=np.savez, **changes):
    x = np.random.default_rng(0).integers(0, 256, (30, 4, 5, 3)).astype(np.uint8)
    y = np.arange(30) % 3
    save(path, **({"x_train": x, "y_train": y, "x_test": x[:6], "y_test": y[:6]} | changes))
    return path


def read(name, seed=0, **changes):
    return load(DataSettings(name=str(name), **changes), seed)


# -- the array ---------------------------------------------------------------------------------


def test_it_is_indexed_as_an_array_is():
    store = Counted()
    x, whole = Streamed(store), np.arange(40, dtype=np.uint8)
    assert x.shape == (40, 3, 2, 1) and x.dtype == np.uint8 and len(x) == 40 and x.nbytes == 240
    view = x[30:10:-2][1:].view(np.array([0, 3]))
    assert store.read == []
    assert as_float(view)[:, 0, 0, 0].tolist() == as_float(whole[[28, 22]]).tolist()
    assert store.read == [28, 22]
    for index in (np.array([3, 1, 3]), [2], 7, -1, np.int32(5), np.arange(40) % 9 == 0):
        np.testing.assert_array_equal(x[index][..., 0, 0, 0], whole[index])
        assert x[index].shape == whole[index].shape + (3, 2, 1)
    assert x[:0].shape == (0, 3, 2, 1) and np.asarray(x[:0]).shape == (0, 3, 2, 1)
    with pytest.raises(IndexError):
        x[40]


def test_a_batch_reads_its_part_alone():
    store, y = Counted(), np.arange(40) % 2
    whole = Batches(np.asarray(Streamed(Counted())), y, 16, seed=3)
    parts = [Batches(Streamed(store), y, 16, seed=3, shares=2, part=(i, 2)) for i in (0, 1)]
    for b in range(whole.steps_per_epoch):
        inputs, _ = whole.batch(2, b)
        for i, part in enumerate(parts):
            store.read.clear()
            mine, _ = part.batch(2, b)
            half = slice(i * len(inputs["index"]) // 2, (i + 1) * len(inputs["index"]) // 2)
            assert store.read == inputs["index"][half].tolist()
            np.testing.assert_array_equal(mine["image"], inputs["image"][half])


# -- the sources -------------------------------------------------------------------------------


@pytest.fixture(params=["folder", "resized", "threads", "npz"])
def place(request, tmp_path, monkeypatch):
    """Settings of a set that can be streamed."""
    if request.param == "npz":
        return {"name": saved(tmp_path / "set.npz")}
    if request.param == "folder":
        return {"name": painted(tmp_path)}
    if request.param == "threads":
        monkeypatch.setattr("slr_keras.data._encoded.LARGE", 1)
        monkeypatch.setattr("slr_keras.data._encoded.WORKERS", 4)
    return {"name": painted(tmp_path, ((7, 9), (12, 8)), kind="jpg"), "image_size": 6}


def test_streamed_equals_loaded(place):
    options = {"val_fraction": 0.2, "train_samples": 15, "label_noise": 0.3}
    streamed, loaded = (read(**place, stream=stream, **options) for stream in ("on", "auto"))
    assert repr(streamed) == repr(loaded) and streamed.input_shape == loaded.input_shape
    for split in ("train", "val", "test"):
        x, y = (getattr(streamed, f"{name}_{split}") for name in "xy")
        assert isinstance(x, Streamed)
        np.testing.assert_array_equal(x, getattr(loaded, f"x_{split}"))
        np.testing.assert_array_equal(y, getattr(loaded, f"y_{split}"))
    np.testing.assert_array_equal(streamed.noisy_index, loaded.noisy_index)
    one, other = (
        Batches(d.x_train, d.y_train, 4, seed=1, augment="crop-flip").stream(2, 1)
        for d in (streamed, loaded)
    )
    for _ in range(9):  # from the middle of an epoch into the one after the next
        (a, a_labels), (b, b_labels) = next(one), next(other)
        np.testing.assert_array_equal(a["image"], b["image"])
        np.testing.assert_array_equal(a["index"], b["index"])
        np.testing.assert_array_equal(a_labels, b_labels)


def test_the_digest_tells_sets_apart_without_reading(place):
    first, again, other = (read(**place, stream="on", seed=seed) for seed in (0, 0, 1))
    assert content(first.x_train) == content(again.x_train) != content(other.x_train)
    assert content(first.x_train) != content(first.x_test)
    loaded = read(**place, stream="off")
    assert bytes(content(loaded.x_train)) == loaded.x_train.tobytes()


def test_the_digest_notices_a_changed_source(tmp_path):
    folder = painted(tmp_path / "folder")
    before = content(read(folder, stream="on").x_train)
    file = folder / "train" / "a" / "00.png"
    file.rename(file.with_name("000.png"))
    assert content(read(folder, stream="on").x_train) != before
    before = content(read(saved(tmp_path / "a.npz"), stream="on").x_train)
    x = np.random.default_rng(1).integers(0, 256, (30, 4, 5, 3)).astype(np.uint8)
    assert content(read(saved(tmp_path / "a.npz", x_train=x), stream="on").x_train) != before


def test_auto_streams_what_is_large(tmp_path, monkeypatch):
    folder = painted(tmp_path)
    monkeypatch.setattr(_stream, "LIMIT", 40 * 60)
    d = read(folder)
    assert isinstance(d.x_train, Streamed) and "data.stream off loads them" in d.notes[0]
    assert isinstance(read(folder, stream="off").x_train, np.ndarray)
    few = read(folder, train_samples=5, val_fraction=0)  # 5 and 30 images of 60 bytes
    assert isinstance(few.x_train, np.ndarray) and not few.notes


def test_only_what_is_used_is_decoded(tmp_path):
    folder = painted(tmp_path)
    spoil(folder / "train" / "b" / "04.png")
    d = read(folder, stream="on")
    bad = int(np.flatnonzero(["b/04" in name for name in names(d.x_train)])[0])
    good = np.delete(np.arange(len(d.y_train)), bad)
    assert len(d.x_train[good]) == len(good)
    with pytest.raises(DataError, match="b/04.png: expected an image"):
        d.x_train[[0, bad]]


def test_who_needs_a_few_images_decodes_these_alone(tmp_path):
    folder = painted(tmp_path)
    settings = DataSettings(name=str(folder))
    whole = load(settings, 0).x_test
    spoil(folder / "train" / "b" / "04.png")
    spoil(folder / "test" / "c" / "29.png")  # the last one
    few = load(settings, 0, read=False).x_test[:5]
    np.testing.assert_array_equal(read_images(few, settings), whole[:5])
    assert read_images(few, settings.replace(stream="on")) is few
    with pytest.raises(DataError, match="04.png"):
        load(settings, 0)


def names(x):
    return [x.store.where(row) for row in x.rows]


def spoil(path):
    """Its header stays, its pixels are cut."""
    path.write_bytes(path.read_bytes()[:-30])


@pytest.mark.parametrize(
    "act, message",
    [
        (spoil, "00.png: expected an image, .*replace or remove it"),
        (lambda path: path.unlink(), "00.png: expected an image, .*No such file"),
        (lambda path: Image.new("RGB", (9, 4)).save(path), "00.png: expected 5x4 .*received 9x4"),
        (lambda path: Image.new("F", (5, 4)).save(path, "TIFF"), "00.png: expected 8 or 16 bits"),
    ],
)
@pytest.mark.parametrize("large", [1, 1 << 40])
def test_files_that_change_are_named(tmp_path, monkeypatch, act, message, large):
    monkeypatch.setattr("slr_keras.data._encoded.LARGE", large)
    d = read(painted(tmp_path), stream="on", val_fraction=0)
    act(tmp_path / "train" / "a" / "00.png")
    with pytest.raises(DataError, match=message) as error:
        next(Batches(d.x_train, d.y_train, 30, seed=0).stream())
    assert "\n" not in str(error.value)


# -- sizes -------------------------------------------------------------------------------------


def test_the_middle_square_is_resized(tmp_path):
    painted(tmp_path, ((32, 16), (16, 48), (8, 8)))
    d = read(tmp_path, image_size=8, val_fraction=0)
    for x, name in zip(
        d.x_train,
        names(read(tmp_path, image_size=8, stream="on", val_fraction=0).x_train),
        strict=True,
    ):
        image = Image.open(name)
        ratio = min(image.size) / 8  # the definition: shorter side to 8, then the middle
        image = image.resize([round(side / ratio) for side in image.size], Image.BICUBIC)
        left, top = ((side - 8) // 2 for side in image.size)
        np.testing.assert_array_equal(x, image.crop((left, top, left + 8, top + 8)))


@pytest.mark.parametrize("name", ["digits", "npz"])
def test_arrays_are_not_resized(tmp_path, name):
    place = saved(tmp_path / "set.npz") if name == "npz" else name
    with pytest.raises(
        DataError, match="data.image_size: expected a set of image files.* received"
    ):
        read(place, image_size=16)
    assert read("digits", image_size=8).input_shape == (8, 8, 1)


# -- .npz --------------------------------------------------------------------------------------


def test_grey_and_float_arrays_are_streamed_from_npz(tmp_path):
    x = np.random.default_rng(0).random((30, 4, 5), np.float32)
    d = read(saved(tmp_path / "a.npz", x_train=x, x_test=x[:6]), stream="on", val_fraction=0)
    assert d.input_shape == (4, 5, 1) and d.x_train.dtype == np.float32
    np.testing.assert_array_equal(d.x_train[[3, 1]][..., 0], x[[3, 1]])
    x[7] = 2
    d = read(saved(tmp_path / "a.npz", x_train=x, x_test=x[:6]), stream="on", val_fraction=0)
    with pytest.raises(DataError, match="a.npz: x_train: expected float values in .0, 1."):
        d.x_train[[7]]


@pytest.mark.parametrize(
    "options, received",
    [
        ({"save": np.savez_compressed}, "compressed"),
        ({"x_train": np.zeros((30, 4, 5, 3), np.int64)}, "int64"),
        ({"x_train": np.asfortranarray(np.zeros((30, 4, 5, 3), np.uint8))}, "Fortran order uint8"),
    ],
)
def test_npz_that_cannot_be_streamed(tmp_path, monkeypatch, options, received):
    path = saved(tmp_path / "a.npz", **options)
    with pytest.raises(DataError, match=f"x_train: to be streamed .*np.savez, received {received}"):
        read(path, stream="on")
    monkeypatch.setattr(_stream, "LIMIT", 10)
    assert isinstance(read(path).x_train, np.ndarray)


def test_streamed_npz_is_checked_at_the_start(tmp_path):
    x = np.zeros((30, 3, 8, 8), np.uint8)
    with pytest.raises(DataError, match="a.npz: x_train: expected channels last"):
        read(saved(tmp_path / "a.npz", x_train=x, x_test=x[:6]), stream="on")


def test_npz_that_is_cut_while_it_is_used(tmp_path):
    path = saved(tmp_path / "a.npz")
    d = read(path, stream="on", val_fraction=0)
    path.write_bytes(path.read_bytes()[:900])
    with pytest.raises(
        DataError, match="a.npz: x_train cannot be read any more .it ends too early"
    ):
        np.asarray(d.x_train)
