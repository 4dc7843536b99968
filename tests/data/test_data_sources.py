import numpy as np
import pytest
from PIL import Image

from slr_keras.data import DataSettings, load
from slr_keras.data._load import find_source
from slr_keras.errors import DataError


def load_plain(name, **changes):
    return load(
        DataSettings(name=str(name), **({"val_fraction": 0, "check": False} | changes)), seed=0
    )


def arrays(n=30):
    x = np.random.default_rng(0).integers(0, 256, (n, 4, 5, 3)).astype(np.uint8)
    return {"x_train": x, "y_train": np.arange(n) % 3, "x_test": x[:6], "y_test": np.arange(6) % 3}


def saved(folder, **changes):
    path = folder / "set.npz"
    np.savez(path, **{k: v for k, v in (arrays() | changes).items() if v is not None})
    return path


def painted(root, mode="RGB", size=(5, 4), splits=("train", "test"), classes=("cat", "ant")):
    for i, split in enumerate(splits):
        for j, name in enumerate(classes):
            folder = root / split / name
            folder.mkdir(parents=True)
            for k, suffix in enumerate(("png", "PNG", "png")):
                Image.new(mode, size, 10 * k + 40 * j + 1).save(folder / f"{i}{j}{k}.{suffix}")
    return root


def test_npz(tmp_path):
    d = load_plain(saved(tmp_path, class_names=np.array(["a", "b", "c"])))
    np.testing.assert_array_equal(d.x_train, arrays()["x_train"])
    assert d.class_names == ("a", "b", "c") and d.input_shape == (4, 5, 3) and not d.notes
    d = load_plain(saved(tmp_path, x_test=None, y_test=None, extra=np.ones(2)))
    assert len(d.y_test) == 3 and len(d.y_train) == 27
    assert d.notes[0] == "arrays that were not read: extra" and "no test split" in d.notes[1]
    d = load_plain(saved(tmp_path, x_val=arrays()["x_train"][:9], y_val=np.arange(9) % 3))
    assert len(d.y_val) == 9 and len(d.y_train) == 30


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"y_train": None}, "expected an array 'y_train'. Did you mean 'x_train'"),
        ({"x_train": np.array([np.zeros(2), None], object)}, "x_train: .*Python objects.*run code"),
        ({"class_names": np.array([["a"]])}, r"class_names: expected shape \(K,\)"),
        ({"y_test": None}, "y_test: expected beside x_test"),
    ],
)
def test_npz_refusals(tmp_path, changes, message):
    with pytest.raises(DataError, match=message):
        load_plain(saved(tmp_path, **changes))


@pytest.mark.parametrize("spoil", ["text", "empty", "truncated", "flipped", "npy"])
def test_npz_that_cannot_be_read(tmp_path, spoil):
    path = saved(tmp_path)
    good = path.read_bytes()
    middle = len(good) // 3
    spoiled = {
        "text": b"hello",
        "empty": b"",
        "truncated": good[: len(good) // 2],
        "flipped": good[:middle] + bytes([good[middle] ^ 255]) + good[middle + 1 :],
    }
    if spoil == "npy":
        with path.open("wb") as file:
            np.save(file, np.zeros(3))
    else:
        path.write_bytes(spoiled[spoil])
    with pytest.raises(DataError, match=r"set\.npz: expected a file of np.savez"):
        load_plain(path)


def test_folder(tmp_path):
    d = load_plain(painted(tmp_path, splits=("train", "val", "test")))
    assert d.class_names == ("ant", "cat") and d.input_shape == (4, 5, 3)
    assert d.x_train.dtype == np.uint8 and d.y_train.tolist() == [0, 0, 0, 1, 1, 1]
    assert d.x_train[:, 0, 0, 0].tolist() == [41, 51, 61, 1, 11, 21]
    assert len(d.y_val) == len(d.y_test) == 6


@pytest.mark.parametrize("other, channels", [("L", 1), ("1", 1), ("RGB", 3), ("P", 3), ("RGBA", 3)])
def test_folder_is_grey_only_if_every_file_is(tmp_path, other, channels):
    painted(tmp_path, mode="L")
    Image.new(other, (5, 4), 0).save(tmp_path / "test" / "ant" / "other.png")
    d = load_plain(tmp_path)
    assert d.input_shape == (4, 5, channels)
    assert d.x_train[0, 0, 0].tolist() == [41] * channels


def test_folder_reads_pixels_as_they_are(tmp_path):
    painted(tmp_path)
    pixels = np.random.default_rng(0).integers(0, 256, (4, 5, 3)).astype(np.uint8)
    Image.fromarray(pixels).save(tmp_path / "train" / "ant" / "000.png")
    Image.fromarray(pixels).save(tmp_path / "train" / "ant" / "001.jpg", quality=95)
    (tmp_path / "train" / "ant" / "notes.txt").write_text("no image")
    d = load_plain(tmp_path)
    np.testing.assert_array_equal(d.x_train[0], pixels)
    assert len(d.y_train) == 8


def add_image(size, mode="RGB"):
    return lambda root: Image.new(mode, size).save(root / "train" / "cat" / "999.png")


def write(path, content):
    def act(root):
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(content(root) if callable(content) else content)

    return act


def floats(root):
    Image.new("F", (5, 4)).save(root / "floats.tif")
    return (root / "floats.tif").read_bytes()


def cut_png(root):
    image = Image.fromarray(np.random.default_rng(0).integers(0, 256, (4, 5, 3)).astype(np.uint8))
    image.save(root / "whole.png")
    return (root / "whole.png").read_bytes()[:70]


def remove(path):
    def act(root):
        for file in sorted((root / path).rglob("*"), reverse=True):
            file.rmdir() if file.is_dir() else file.unlink()
        (root / path).rmdir()

    return act


@pytest.mark.parametrize(
    "act, message",
    [
        (add_image((7, 4)), r"999.png: expected 5x4 pixels as in .*test|train.*received 7x4"),
        (write("train/cat/999.tif", floats), "999.tif: expected 8 or 16 bits a channel"),
        (write("train/cat/bad.png", b"not an image"), r"bad.png: expected an image"),
        (write("train/cat/bad.png", b""), r"bad.png: expected an image"),
        (write("test/ant/cut.png", cut_png), r"cut.png: expected an image, .*replace or remove"),
        (write("test/bat/a.png", b""), "bat: expected the classes of train/.*Did you mean 'cat'"),
        (remove("train"), r"expected the folders train/<class>/ and .*received test; put"),
        (remove("train/cat"), "two or more classes, received 1"),
        (write("train/empty/readme.txt", b""), "empty: expected .png.* images, received none"),
        (lambda root: [remove(f"test/{c}")(root) for c in ("cat", "ant")], "test: expected .png"),
    ],
)
def test_folder_refusals(tmp_path, act, message):
    act(painted(tmp_path))
    with pytest.raises(DataError, match=message) as error:
        load_plain(tmp_path)
    assert "\n" not in str(error.value)


def test_order_of_resolution(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    painted(tmp_path / "digits")
    painted(tmp_path / "mnist")
    saved(tmp_path)
    names = {n: find_source(n).name for n in ("digits", "./digits", "mnist", "cifar10", "set.npz")}
    assert list(names.values()) == ["digits", "folder", "folder", "tfds", "npz"]


@pytest.mark.parametrize("name", ["no.npz", "no/where", "C:\\no\\where", "~/no/where", "", "/no/w"])
def test_missing_paths_are_named(name):
    with pytest.raises(DataError, match="expected a file or folder, received ") as error:
        find_source(name)
    assert repr(name) in str(error.value)
