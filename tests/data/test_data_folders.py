"""Image folders as people have them, judged by Keras' own reader and by NumPy."""

import numpy as np
import pytest
from PIL import Image

from slr_keras.data import DataSettings, load
from slr_keras.errors import DataError
from slr_keras.image_formats import SUFFIXES

LOSSLESS = {"webp": {"lossless": True}}


def pixels(seed=0, shape=(4, 5, 3)):
    """Of few colours: a GIF holds 256."""
    return np.random.default_rng(seed).integers(0, 4, shape).astype("uint8") * 80


def draw(path, seed=0, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    options = LOSSLESS.get(path.suffix[1:], {}) | options
    Image.fromarray(pixels(seed)).save(path, **options)


def filled(root, names):
    for seed, name in enumerate(names):
        draw(root / name, seed)
    return root


def read(root, **changes):
    return load(DataSettings(name=str(root), **({"val_fraction": 0} | changes)), seed=0)


@pytest.mark.parametrize("suffix", sorted(SUFFIXES))
def test_every_kind_of_file_gives_its_pixels(tmp_path, suffix):
    grey = suffix == ".pgm"  # the format of grey ones
    for split in ("train/a", "train/b", "test/a"):
        path = tmp_path / split / f"1{suffix.upper()}"
        path.parent.mkdir(parents=True)
        image = pixels()[..., 0] if grey else pixels()
        image = np.full_like(image, [9, 99, 199]) if SUFFIXES[suffix] == "JPEG" else image
        Image.fromarray(image).save(path, SUFFIXES[suffix], lossless=True)
    got = read(tmp_path).x_train[0].squeeze()
    np.testing.assert_allclose(got, image.astype(float), atol=2 * (SUFFIXES[suffix] == "JPEG"))


NESTED = ["b/z.png", "b/in/a.png", "b/in/deep/1.bmp", "a/y.png", "a/B.png", "a/in/0.png", "a/b.png"]


def test_classes_files_and_order_are_those_of_keras(tmp_path):
    pytest.importorskip("tensorflow")
    import keras

    filled(tmp_path, NESTED)
    (tmp_path / "a" / "notes.txt").write_text("no image")
    (tmp_path / ".cache").mkdir()
    theirs = keras.utils.image_dataset_from_directory(
        tmp_path, image_size=(4, 5), batch_size=None, shuffle=False, format="tf"
    )
    expected = sorted((int(y), np.asarray(x, "uint8").tobytes()) for x, y in theirs)
    ours = read(tmp_path, check=False)
    assert list(ours.class_names) == theirs.class_names
    x = np.concatenate([ours.x_train, ours.x_test])
    y = np.concatenate([ours.y_train, ours.y_test])
    assert sorted((int(k), image.tobytes()) for image, k in zip(x, y, strict=True)) == expected
    assert ours.notes == (
        "files that are no images and were not read: 1 .txt",
        "no test split: 1 training images, 10% of each class, are held out",
    )


def test_order_is_that_of_the_sorted_paths(tmp_path):
    filled(tmp_path, [f"{split}/{name}" for name in NESTED for split in ("train", "test")])
    (tmp_path / "train" / "a" / ".hidden.png").write_text("no image")
    x = read(tmp_path, stream="on").x_train
    names = [x.store.where(row) for row in x.rows]
    assert names == [str(tmp_path / "train" / name) for name in sorted(NESTED)]


def both(root, *splits):
    return filled(root, [f"{s}/{c}/{i}.png" for s in splits for c in "ab" for i in range(9)])


@pytest.mark.parametrize("name", ["val", "valid", "Validation"])
def test_without_a_test_split_it_is_held_out(tmp_path, name):
    d = read(both(tmp_path, "Train", name), val_fraction=0.1)
    assert [len(y) for y in (d.y_train, d.y_val, d.y_test)] == [16, 18, 2]
    assert "no test split: 2 training images" in d.notes[0]


def test_folders_beside_the_splits_are_named(tmp_path):
    both(tmp_path, "train", "test")
    draw(tmp_path / "extra" / "a" / "1.png")
    assert read(tmp_path).notes == ("folders that were not read: extra",)


def test_a_class_may_be_called_train(tmp_path):
    d = read(filled(tmp_path, [f"{c}/{i}.png" for c in ("train", "plane") for i in range(5)]))
    assert d.class_names == ("plane", "train")


@pytest.mark.parametrize(
    "names, message",
    [
        (["test/a/1.png", "val/a/1.png"], "received test, val; put the training images into train"),
        (["train/1.png", "test/2.png"], "received test, train; put the training images into"),
        (["a/1.png", "b/1.png", "test/a/1.png"], "received a, b, test; put the training images"),
        (["train/1.png", "a/1.png", "test/1.png"], "received a, test, train; put"),
        (
            ["train/a/1.png", "val/a/1.png", "valid/a/1.png"],
            "one folder for val, received",
        ),
        (["a/1.png"], "expected a folder for each of two or more classes, received 1"),
        (["1.png"], "expected a folder for each of two or more classes, received 0"),
        (["a/1.png", "b/in/2.heic"], "b: expected .png, .jpg.* images, received none"),
    ],
)
def test_layouts_that_are_not_understood(tmp_path, names, message):
    for name in names:
        draw(tmp_path / name, format="PNG")
    with pytest.raises(DataError, match=message) as error:
        read(tmp_path)
    assert "\n" not in str(error.value)


def test_links_are_followed_once(tmp_path):
    filled(tmp_path / "there", ["1.png", "2.png"])
    filled(tmp_path / "set", ["a/1.png", "a/2.png", "b/1.png", "b/2.png"])
    (tmp_path / "set" / "b" / "there").symlink_to(tmp_path / "there")
    (tmp_path / "set" / "a" / "loop").symlink_to(tmp_path / "set" / "a")
    d = read(tmp_path / "set")
    assert np.bincount(np.concatenate([d.y_train, d.y_test])).tolist() == [2, 4]


TURNED = {  # EXIF 2.32, section 4.6.4: where row 0 and column 0 of the file are seen
    1: lambda x: x,
    2: lambda x: x[:, ::-1],
    3: lambda x: x[::-1, ::-1],
    4: lambda x: x[::-1],
    5: lambda x: x.swapaxes(0, 1),
    6: lambda x: np.rot90(x, -1),
    7: lambda x: x[::-1, ::-1].swapaxes(0, 1),
    8: lambda x: np.rot90(x, 1),
}


@pytest.mark.parametrize("suffix", ["png", "jpg", "webp", "tif"])
@pytest.mark.parametrize("orientation", TURNED)
def test_photographs_are_upright(tmp_path, suffix, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    smooth = np.kron(pixels(shape=(3, 5, 1)), np.ones((16, 16, 3), "uint8"))
    for name in ("a/1", "a/2", "b/1", "b/2"):
        path = tmp_path / f"{name}.{suffix}"
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(smooth).save(path, exif=exif, **LOSSLESS.get(suffix, {}))
    got, expected = read(tmp_path).x_train[0], TURNED[orientation](smooth)
    assert got.shape == expected.shape
    np.testing.assert_allclose(got, expected.astype(float), atol=9 if suffix == "jpg" else 0)


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_sixteen_bits_become_eight(tmp_path, suffix):
    values = np.array([[0, 128, 129, 257], [32768, 65278, 65406, 65535]], "uint16")
    for name in ("a/1", "a/2", "b/1", "b/2"):
        path = tmp_path / f"{name}.{suffix}"
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(values).save(path)
    d = read(tmp_path)
    assert d.input_shape == (2, 4, 1)
    assert d.x_train[0, ..., 0].tolist() == [[0, 0, 1, 1], [128, 254, 254, 255]]


def test_of_several_pictures_the_first(tmp_path):
    frames = [Image.fromarray(pixels(seed)) for seed in range(3)]
    for name in ("a/1.gif", "a/2.png", "b/1.webp", "b/2.tiff"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        frames[0].save(path, save_all=True, append_images=frames[1:], lossless=True)
    d = read(tmp_path)
    for image in (*d.x_train, *d.x_test):
        np.testing.assert_array_equal(image, pixels(0))
