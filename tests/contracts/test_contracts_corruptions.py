"""Every corruption: bytes of the same form, a pure function of seed, number and image."""

import dataclasses
import pathlib

import numpy as np
import pytest

from slr_keras.corruptions._base import GROUPS, SEVERITIES
from slr_keras.corruptions._draws import Draws
from slr_keras.errors import DataError, SettingError
from slr_keras.settings import registry

ALL = registry.shipped("corruptions")
EITHER_WAY = {"elastic_transform", "frost", "glass_blur"}  # the authors' constants do not rise
KEPT = pathlib.Path(__file__).parents[1] / "kept" / "corruptions.npz"
every = pytest.mark.parametrize("name", ALL)


def images(count, shape, seed=0):
    """Smooth colours with some grain."""
    rng = np.random.default_rng(seed)
    height, width, channels = shape
    coarse = rng.integers(40, 216, (count, 3, 3, channels))
    grown = coarse.repeat(-(-height // 3), 1).repeat(-(-width // 3), 2)[:, :height, :width]
    return np.clip(grown + rng.normal(0, 6, grown.shape), 0, 255).astype("uint8")


def test_the_names_are_the_fields():
    assert set(ALL) == {
        "gaussian_noise", "shot_noise", "impulse_noise", "defocus_blur", "glass_blur",
        "motion_blur", "zoom_blur", "snow", "frost", "fog", "brightness", "contrast",
        "elastic_transform", "pixelate", "jpeg_compression",
    }  # fmt: skip
    groups = [cls.group for cls in ALL.values()]
    assert [groups.count(group) for group in GROUPS] == [3, 4, 4, 4]


@every
@pytest.mark.parametrize("shape", [(28, 28, 1), (96, 96, 3), (7, 10, 3)])
def test_sizes_and_channels(name, shape):
    x = images(2, shape)
    made = ALL[name](severity=5).apply(x, np.array([3, 9]))
    assert made.shape == x.shape and made.dtype == np.uint8
    assert (made != x).any(axis=(1, 2, 3)).all()


@every
def test_an_image_does_not_depend_on_its_batch(name):
    x, numbers = images(100, (32, 32, 3)), np.arange(1000, 1100)  # 85 are computed at once
    corruption = ALL[name](severity=4)
    made = corruption.apply(x, numbers, seed=2)
    order = np.array([93, 7, 40])
    np.testing.assert_array_equal(corruption.apply(x[order], numbers[order], 2), made[order])
    for place in order:
        one = slice(place, place + 1)
        np.testing.assert_array_equal(corruption.apply(x[one], numbers[one], 2), made[one])


@every
def test_chance_hangs_on_seed_number_and_severity(name):
    corruption, x = ALL[name](), np.repeat(images(1, (16, 16, 3)), 2, axis=0)
    if not corruption.draw(Draws(0, "", np.arange(1)), (16, 16, 3)):
        a, b = corruption.apply(x, np.arange(2), seed=1)
        np.testing.assert_array_equal(a, b)
        return
    a, b = corruption.apply(x, np.arange(2), seed=1)
    assert (a != b).any() and (corruption.apply(x, np.arange(2), seed=8)[0] != a).any()
    drawn = [
        np.concatenate([part.ravel() for part in c.draw(Draws(0, p, np.arange(1)), (16, 16, 3))])
        for c, p in ((corruption, f"{name} 3"), (corruption, f"{name} 4"))
    ]
    assert (drawn[0] != drawn[1]).all()


@every
def test_severity_raises_the_distance(name):
    photograph = np.load(KEPT)["image"]
    x = np.stack([np.rot90(photograph, k % 4) for k in range(24)])
    distances = []
    for severity in SEVERITIES:
        made = ALL[name](severity=severity).apply(x, np.arange(24))
        distances.append(np.abs(made.astype(int) - x).mean())
    rises = np.diff(distances) > 0
    assert rises.all() or name in EITHER_WAY, distances
    assert min(distances) > 0.1


@every
@pytest.mark.parametrize("severity", [0, 6, 2.5, "3", True])
def test_severities_out_of_range_are_refused(name, severity):
    with pytest.raises(SettingError, match="severity: expected a whole number"):
        ALL[name](severity=severity)


def test_floats_are_rounded_to_levels():
    x = images(3, (12, 12, 3))
    for cls in (ALL["contrast"], ALL["shot_noise"]):
        exact = cls().apply(x, np.arange(3))
        for kind in ("float32", "float64"):
            np.testing.assert_array_equal(cls().apply((x / 255).astype(kind), np.arange(3)), exact)


@pytest.mark.parametrize(
    ("x", "numbers", "words"),
    [
        (np.zeros((2, 8, 8), "uint8"), [0, 1], r"received \(2, 8, 8\); put channels last"),
        (np.zeros((2, 3, 8, 8), "uint8"), [0, 1], "put channels last"),
        (np.zeros((2, 8, 8, 3), "int64"), [0, 1], "expected uint8 or floats .* received int64"),
        (np.full((2, 8, 8, 3), 1.5), [0, 1], r"received \[1.5, 1.5\]; scale"),
        (np.full((2, 8, 8, 3), np.nan), [0, 1], "scale them"),
        (np.zeros((2, 8, 8, 3), "uint8"), [0], r"expected 2 whole numbers, received int64 \(1,\)"),
        (np.zeros((2, 8, 8, 3), "uint8"), [0.0, 1.0], "expected 2 whole numbers, received float64"),
    ],
)
def test_what_is_no_set_of_images(x, numbers, words):
    with pytest.raises(DataError, match=words) as raised:
        ALL["fog"]().apply(x, np.array(numbers))
    assert "\n" not in str(raised.value)


def test_settings_are_stated():
    for cls in ALL.values():
        assert [f.name for f in dataclasses.fields(cls)][0] == "severity"
        assert len(cls.small) == len(cls.large) == len(SEVERITIES)
