"""Augmentations: the same pixels everywhere, and those of Pillow and of loops written by hand."""

import numpy as np
import pytest
from PIL import Image, ImageEnhance, ImageOps

from slr_keras.augmentations import _colour, _erase, _idbh
from slr_keras.augmentations.cutout import Cutout
from slr_keras.settings import registry

AUGMENTATIONS = registry.variants("augmentations")
changing = pytest.mark.parametrize("name", [n for n, cls in AUGMENTATIONS.items() if cls.width])


def images(count, shape=(12, 10, 3)):
    """Smooth pictures with every level somewhere."""
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 256, (count, 4, 4, shape[2])).astype("uint8")
    size = shape[1::-1]
    picture = [np.dstack([np.asarray(Image.fromarray(c[..., k]).resize(size, 3)) for k in range(3)])
               for c in coarse]  # fmt: skip
    return np.stack(picture)


@changing
def test_an_image_does_not_depend_on_its_batch(name):
    augmentation, x, index = AUGMENTATIONS[name](), images(40), np.arange(40)
    numbers = augmentation.draw(3, 2, index, x.shape[1:3])
    assert numbers.shape == (40, augmentation.width) and numbers.dtype == np.int32
    whole = augmentation.on_host(x, numbers)
    assert whole.dtype == x.dtype and whole.shape == x.shape
    order = np.random.default_rng(1).permutation(40)
    again = augmentation.draw(3, 2, index[order], x.shape[1:3])
    np.testing.assert_array_equal(again, numbers[order])
    np.testing.assert_array_equal(augmentation.on_host(x[order], again), whole[order])
    np.testing.assert_array_equal(augmentation.apply(x[7:8], numbers[7:8], np), whole[7:8])


@changing
def test_epochs_and_seeds_differ(name):
    augmentation, index = AUGMENTATIONS[name](), np.arange(200)
    drawn = [augmentation.draw(s, e, index, (32, 32)) for s, e in ((0, 1), (0, 2), (1, 1))]
    for i, a in enumerate(drawn):
        for b in drawn[:i]:
            assert (a == b).all(axis=1).mean() < 0.1


def pillow(operation, image, f):
    picture = Image.fromarray(image)
    kinds = [ImageEnhance.Color, ImageEnhance.Brightness, ImageEnhance.Contrast]
    if operation < 4:
        return np.asarray([*kinds, ImageEnhance.Sharpness][operation](picture).enhance(f))
    return np.asarray([ImageOps.autocontrast, ImageOps.equalize][operation - 4](picture))


@pytest.mark.parametrize("operation", range(6))
@pytest.mark.parametrize("f", [103, 700, 1024, 1900])
def test_colours_are_those_of_pillow(operation, f):
    x = images(6, (32, 28, 3))
    found = _colour.changed(x, np.full(6, operation), np.full(6, f), np)
    wanted = np.stack([pillow(operation, image, f / 1024) for image in x])
    assert np.abs(found.astype(int) - wanted).max() <= 1
    assert (found != x).mean() > 0.3 or (f == 1024 and operation < 4)
    grey = _colour.changed(x[..., :1], np.full(6, operation), np.full(6, f), np)
    assert operation or (grey == x[..., :1]).all()  # nothing to saturate


def test_levels_of_one_colour_survive_what_stretches_them():
    flat = np.full((1, 5, 5, 3), 77, "uint8")
    for operation in (4, 5):
        found = _colour.changed(flat, np.array([operation]), np.array([1024]), np)
        np.testing.assert_array_equal(found, flat)


def crop_shift(image, n):
    """The authors' order: flip, cut a window out, pad it with black, cut out the size again."""
    height, width, _ = image.shape
    flip, to_row, from_row, rows, to_column, from_column, columns = n[:7]
    image = image[:, ::-1] if flip else image
    kept = image[from_row : from_row + height - rows, from_column : from_column + width - columns]
    padded = np.pad(kept, ((rows, rows), (columns, columns), (0, 0)))
    top, left = rows - to_row, columns - to_column
    return padded[top : top + height, left : left + width]


def test_crop_and_shift_by_the_authors_steps():
    x, index = images(200, (16, 14, 3)), np.arange(200)
    numbers = _idbh.draws(0, 1, index)
    still = numbers.copy()
    still[:, 9:] = _idbh.UNIT * np.array([1, 0, 0, 1])
    found = _idbh.moved(x, still, np)
    for image, n, mine in zip(x, numbers, found, strict=True):
        np.testing.assert_array_equal(mine, crop_shift(image, n))
    lost = numbers[:, 3] + numbers[:, 6]
    assert set(lost) == set(range(11)) and (numbers[:, 1] <= numbers[:, 3]).all()
    assert set(numbers[:, 7]) == set(range(8))


@pytest.mark.parametrize("operation", [_idbh.SHEAR, _idbh.ROTATE])
def test_shear_and_rotation_are_those_of_pillow(operation):
    x, index = images(300, (32, 28, 3)), np.arange(300)
    numbers = _idbh.draws(5, 3, index)
    chosen = np.flatnonzero(numbers[:, 7] == operation)
    numbers = numbers[chosen]
    numbers[:, :7] = 0
    height, width = x.shape[1:3]
    for image, n, mine in zip(x[chosen], numbers, _idbh.moved(x[chosen], numbers, np), strict=True):
        rr, rc, cr, cc = n[9:13] / _idbh.UNIT
        middle = np.array([height, width]) / 2
        shift = middle - np.array([[rr, rc], [cr, cc]]) @ middle
        map_ = (cc, cr, shift[1], rc, rr, shift[0])
        wanted = Image.fromarray(image).transform((width, height), 0, map_, 0)
        differs = (np.asarray(wanted) != mine).any(axis=-1)
        assert differs.mean() < 0.02  # ties alone
        angle = np.rad2deg(np.arctan2(cr, cc))
        if operation == _idbh.ROTATE:
            assert abs(angle - round(angle)) < 1e-3 and 1 <= abs(round(angle)) <= 10
            assert rr * cc - rc * cr == pytest.approx(1, abs=1e-3)
        else:
            assert rr == cc == 1 and rc * cr == 0
            assert 0.05 <= np.arctan(max(abs(rc), abs(cr))) <= 0.15 + 1e-4


def test_erasing_is_that_of_torchvision_in_distribution():
    box = _erase.rectangles(0, 1, np.arange(20_000), (32, 32), 0.5, (0.02, 0.33))
    top, left, height, width = box.T
    drawn = height > 0
    assert drawn.mean() == pytest.approx(0.5, abs=0.02)
    assert (top + height <= 32).all() and (left + width <= 32).all() and (top >= 0).all()
    share = (height * width / 1024)[drawn]
    assert share.min() > 0.01 and share.max() < 0.36
    # hardly one of these is turned away, so it is the uniform mean of the share
    assert share.mean() == pytest.approx(0.172, abs=0.01)
    ratio = np.log(height[drawn] / width[drawn])
    assert abs(ratio.mean()) < 0.02 and np.exp(np.abs(ratio).max()) < 4
    always = _erase.rectangles(0, 1, np.arange(1000), (32, 32), 1.0, (0.02, 0.33))
    assert (always[:, 2] > 0).mean() > 0.99


def test_cutout_blackens_a_square_around_any_pixel():
    augmentation, size = Cutout(), (32, 32)
    x = np.ones((500, *size, 1), "float32")
    numbers = augmentation.draw(0, 1, np.arange(500), size)
    numbers[:, :2], numbers[:, 2] = 4, 0  # no crop, no flip
    found = augmentation.on_host(x, numbers)[..., 0]
    for image, (top, left, height, width) in zip(found, numbers[:, 3:], strict=True):
        wanted = np.ones(size)
        wanted[max(top, 0) : top + height, max(left, 0) : left + width] = 0
        np.testing.assert_array_equal(image, wanted)
    black = (found == 0).sum(axis=(1, 2))
    assert black.max() == 256 and black.min() == 64  # a corner: a quarter of the square
