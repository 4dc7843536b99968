import numpy as np
import pytest

from slr_keras.data import DataSettings, Splits, prepare
from slr_keras.data._checks import as_images, as_labels, checked
from slr_keras.errors import DataError

Y = np.arange(12) % 3


def grey(n=12, value=100, dtype=np.uint8):
    return np.full((n, 5, 6), value, dtype)


def good(**changes):
    values = {"x_train": grey(), "y_train": Y, "x_test": grey(4), "y_test": np.array([0, 1, 2, 0])}
    return Splits(**(values | changes))


def test_grey_images_get_a_channel_axis_and_labels_become_int32():
    done = checked(good(y_train=Y[:, None].astype(np.uint8)))
    assert done.x_train.shape == (12, 5, 6, 1) and done.x_test.shape == (4, 5, 6, 1)
    assert done.y_train.dtype == done.y_test.dtype == np.int32
    np.testing.assert_array_equal(done.y_train, Y)
    assert done.class_names == ("0", "1", "2") and done.x_val is None


@pytest.mark.parametrize(
    "dtype, value, result",
    [
        (np.uint8, 255, np.uint8),
        (np.int64, 255, np.uint8),
        (np.uint16, 7, np.uint8),
        (np.float16, 0.5, np.float32),
        (np.float32, 1.0, np.float32),
        (np.float64, 0.25, np.float32),
    ],
)
def test_accepted_types(dtype, value, result):
    x = as_images("x", grey(value=value, dtype=dtype))
    assert x.dtype == result and (x == value).all()


BAD_IMAGES = [
    (np.zeros((4, 5)), r"expected images \(N, H, W, C\).*received shape \(4, 5\)"),
    (np.zeros((1, 2, 3, 4, 5)), r"received shape \(1, 2, 3, 4, 5\)"),
    (np.zeros((0, 5, 6, 1)), "expected at least one image"),
    (np.zeros((4, 5, 0, 1)), "expected at least one image"),
    (np.zeros((4, 3, 8, 8)), "channels last.*transpose"),
    (
        grey(value=255.0, dtype=np.float32),
        r"in \[0, 1\], received 255..255; divide by 255, or give",
    ),
    (grey(value=-0.5, dtype=np.float32), "received -0.5..-0.5"),
    (grey(value=np.nan, dtype=np.float32), "received NaN or infinity"),
    (grey(value=-np.inf, dtype=np.float64), "received NaN or infinity"),
    (grey(value=256, dtype=np.int64), "whole numbers in 0..255, received 256..256"),
    (grey(value=-1, dtype=np.int16), "received -1..-1"),
    (grey(value=True, dtype=bool), "received dtype bool; convert"),
    (grey(value="a", dtype="<U1"), "received dtype <U1"),
    (grey(value=1j, dtype=np.complex64), "received dtype complex64"),
    (grey().astype(object), "received Python objects.*np.stack"),
    ([np.zeros((2, 2)), np.zeros((3, 3))], "received Python objects.*one size"),
]


@pytest.mark.parametrize("x, message", BAD_IMAGES)
def test_refused_images(x, message):
    with pytest.raises(DataError, match=f"^x_train: .*{message}") as error:
        as_images("x_train", x)
    assert "\n" not in str(error.value)


def test_one_bad_pixel_is_found():
    x = np.zeros((50, 8, 8, 3), np.float32)
    x[31, 4, 5, 2] = np.nan
    with pytest.raises(DataError, match="NaN"):
        as_images("x", x)


BAD_LABELS = [
    (np.zeros((2, 1, 1), int), r"received shape \(2, 1, 1\)"),
    (np.int64(3), r"received shape \(\)"),
    (np.array([0.5, 1]), "whole class numbers, received 0.5"),
    (np.array([0, np.nan]), "whole class numbers, received nan"),
    (np.array(["cat", "dog"]), "received <U3"),
    (np.array([[0.4, 0.6], [0, 1]]), r"one-hot rows, received \(0.4, 0.6\).*y.argmax"),
    (np.array([[1, 1], [0, 1]]), r"one-hot rows, received \(1, 1\)"),
    (np.array([[0, 0], [0, 1]]), r"one-hot rows, received \(0, 0\)"),
    (np.array([0, -1, 2]), "count from 0, received -1..2"),
    (np.array([0, 2**40]), "count from 0, received 0..1099511627776"),
    (np.array([0, None]), "received Python objects"),
]


@pytest.mark.parametrize("y, message", BAD_LABELS)
def test_refused_labels(y, message):
    with pytest.raises(DataError, match=f"^y_train: .*{message}"):
        as_labels("y_train", y)


@pytest.mark.parametrize(
    "y",
    [
        Y,
        Y[:, None],
        Y.astype("float64"),
        np.eye(Y.max() + 1)[Y],
        np.eye(Y.max() + 1, dtype=bool)[Y],
    ],
)
def test_labels_in_every_usual_form(y):
    labels = as_labels("y_train", y)
    assert labels.dtype == np.int32
    np.testing.assert_array_equal(labels, Y)


BAD_SPLITS = [
    ({"y_train": None}, "y_train: expected beside x_train"),
    ({"x_train": None, "y_train": None}, "x_train: expected"),
    ({"y_test": None}, "y_test: expected beside x_test, received nothing; add y_test"),
    ({"x_val": grey()}, "y_val: expected beside x_val"),
    ({"y_train": Y[:-1]}, "y_train: expected one label for each.*received 11 labels for 12 images"),
    ({"x_test": grey(0), "y_test": Y[:0]}, "x_test: expected at least one image"),
    (
        {"x_test": np.zeros((4, 5, 6, 3))},
        r"x_test: .*\(5, 6, 1\) as in x_train, received \(5, 6, 3\)",
    ),
    (
        {"y_test": np.array([0, 1, 2, 3])},
        r"y_test: expected labels in 0..2 \(3 classes\), received 3",
    ),
    ({"class_names": ("a", "b")}, r"y_train: expected labels in 0..1 \(2 classes\), received 2"),
    ({"class_names": ("a", "b", "a")}, "class_names: expected two or more different names"),
    (
        {"y_train": np.zeros(12, int), "y_test": np.zeros(4, int)},
        "class_names: expected two or more different names",
    ),
    ({"y_train": Y + 1}, "y_train: expected every class from 0 to 3, received no label 0"),
    ({"y_train": Y * 2}, "y_train: .* from 0 to 4, received no label 1; renumber"),
]


@pytest.mark.parametrize("changes, message", BAD_SPLITS)
def test_refused_splits(changes, message):
    with pytest.raises(DataError, match=f"^mine: {message}") as error:
        prepare(good(**changes), DataSettings(name="mine", val_fraction=0), 0)
    assert "\n" not in str(error.value)
