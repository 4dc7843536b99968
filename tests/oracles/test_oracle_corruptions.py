"""Corruptions against the authors' program, SciPy and loops; sets on disk; summaries by hand."""

import pathlib

import numpy as np
import pytest
import scipy.ndimage
from PIL import Image
from scipy.stats import kstest, poisson

from slr_keras.corruptions import _fog, _frost, _glass, _motion, _poisson, _zoom
from slr_keras.corruptions._draws import Draws
from slr_keras.corruptions._on_disk import OnDisk
from slr_keras.corruptions._summary import summary
from slr_keras.errors import DataError
from slr_keras.settings import registry

KINDS = registry.shipped("corruptions")
KEPT = dict(np.load(pathlib.Path(__file__).parents[1] / "kept" / "corruptions.npz"))


# -- the authors' program ----------------------------------------------------------------------


@pytest.mark.parametrize("key", [key for key in KEPT if key != "image"])
def test_results_are_those_of_the_authors(key):
    """Arrays that benchmarks/referees/corruptions.py has kept of their program's results."""
    side, kind, severity = key.split()
    times = int(side) // 32
    image = KEPT["image"].repeat(times, 0).repeat(times, 1)
    made = KINDS[kind](severity=int(severity)).apply(image[None], np.array([7]))[0]
    step = 14 if times > 1 else 1
    apart = np.abs(made[::step, ::step].astype(int) - KEPT[key])
    assert apart.max() <= 1 and (apart > 0).mean() <= 1e-3


def test_every_kind_but_frost_is_kept():
    assert {key.split()[1] for key in KEPT if key != "image"} == set(KINDS) - {"frost"}


# -- parts, by other means ---------------------------------------------------------------------


@pytest.mark.parametrize("reach", [1, 2, 4])
def test_glass_takes_pixel_after_pixel(reach):
    rng = np.random.default_rng(reach)
    x, (height, width) = rng.integers(0, 256, (3, 14, 17, 3)).astype("uint8"), (14, 17)
    rows, columns = (list(_glass.moving(side, reach)) for side in (height, width))
    assert rows == list(range(height - reach, reach, -1))
    offsets = rng.integers(-reach, reach, (3, 2, len(rows), len(columns), 2))
    wanted = x.copy()
    for image, turns in zip(wanted, offsets, strict=True):
        for turn in turns:
            for i, row in enumerate(rows):
                for j, column in enumerate(columns):
                    across, down = turn[i, j]
                    image[row, column] = image[row + down, column + across]
    np.testing.assert_array_equal(_glass.shuffled(x, offsets, reach), wanted)


def test_motion_is_a_sum_of_shifted_images():
    x = np.random.default_rng(0).integers(0, 256, (2, 9, 11, 3)).astype("uint8")
    angles = np.array([0.0, -40.0])
    kernel = np.exp(-(np.arange(7) ** 2) / 8)
    kernel /= kernel.sum()
    found = _motion.blurred(x, 3, 2.0, angles)
    for image, angle, mine in zip(x, np.deg2rad(angles), found, strict=True):
        exact = np.zeros(image.shape)
        for row in range(9):
            for column in range(11):
                for tap in range(7):
                    y = row + round(tap * np.sin(angle))
                    z = column + round(tap * np.cos(angle))
                    exact[row, column] += kernel[tap] * image[min(max(y, 0), 8), min(z, 10)]
        gap = exact - mine
        assert gap.min() > -0.002 and gap.max() < 0.9981  # half a 16-bit step, then cut off


@pytest.mark.parametrize("factor", [1.0, 1.07, 1.25, 1.75, 2.25])
def test_zoom_is_that_of_scipy(factor):
    x = np.random.default_rng(0).random((3, 20, 20, 3)).astype("float32")
    kept = int(np.ceil(20 / factor))
    top = (20 - kept) // 2
    found = _zoom.to_images(_zoom.zoomed(_zoom.to_planes(x), factor), x.shape)
    for image, mine in zip(x, found, strict=True):
        middle = image[top : top + kept, top : top + kept]
        large = scipy.ndimage.zoom(middle, (factor, factor, 1), order=1)
        cut = (len(large) - 20) // 2
        np.testing.assert_array_equal(mine, large[cut : cut + 20, cut : cut + 20])


def test_photons_are_poisson_numbers():
    rng = np.random.default_rng(0)
    levels = rng.integers(0, 256, (4, 9, 9, 3)).astype("uint8")
    shares = rng.random(levels.shape)
    wanted = np.maximum(poisson.ppf(shares, levels / 255 * 60), 0)
    np.testing.assert_array_equal(_poisson.counts(levels, shares, 60), np.minimum(wanted, 60))


def test_draws_are_uniform_normal_and_each_their_own():
    draws = Draws(0, "x", np.arange(40))
    uniform, normal = draws.uniform(500), draws.normal(500)
    assert kstest(uniform.ravel(), "uniform").pvalue > 1e-3
    assert kstest(normal.ravel(), "norm").pvalue > 1e-3
    assert abs(np.corrcoef(uniform.ravel(), normal.ravel())[0, 1]) < 0.03
    np.testing.assert_array_equal(Draws(0, "x", np.array([7])).uniform(500)[0], uniform[7])
    for other in (Draws(1, "x", np.arange(40)), Draws(0, "y", np.arange(40))):
        assert not (other.uniform(500) == uniform).any()


def test_noise_of_grey_has_the_deviation_of_its_severity():
    grey = np.full((40, 16, 16, 3), 128, "uint8")
    for severity, wanted in enumerate(KINDS["gaussian_noise"].small, 1):
        made = KINDS["gaussian_noise"](severity=severity).apply(grey, np.arange(40)) / 255
        assert made.std() == pytest.approx(wanted, rel=0.03)
    for severity, wanted in enumerate(KINDS["impulse_noise"].small, 1):
        made = KINDS["impulse_noise"](severity=severity).apply(grey, np.arange(40))
        spread = np.sqrt(wanted / 2 / grey.size)
        for level in (0, 255):
            assert (made == level).mean() == pytest.approx(wanted / 2, abs=4 * spread)


def test_clouds_are_smooth_and_fill_their_range():
    assert _fog.points(32) == [1, 2, 4, 8, 16] and _fog.points(28) == _fog.points(32)
    draws = Draws(0, "cloud", np.arange(5))
    shares = [draws.uniform(n, n) for n in _fog.points(32) for _ in range(3)]
    clouds = {decay: _fog.cloud(shares, decay) for decay in (1.4, 3)}
    for cloud in clouds.values():
        assert cloud.shape == (5, 32, 32)
        assert (cloud.min(axis=(1, 2)) == 0).all() and (cloud.max(axis=(1, 2)) == 1).all()
    rough = [np.abs(np.diff(cloud)).mean() for cloud in clouds.values()]
    assert rough[0] > 2 * rough[1]


# -- pictures of frost -------------------------------------------------------------------------


def test_frost_of_own_pictures(tmp_path):
    picture = np.random.default_rng(0).integers(0, 256, (200, 300, 3)).astype("uint8")
    Image.fromarray(picture).save(tmp_path / "a.png")
    frost = KINDS["frost"](severity=3, pictures=str(tmp_path))
    x = np.full((4, 32, 32, 3), 100, "uint8")
    made = frost.apply(x, np.arange(4))
    seen = picture[2::5, 2::5]
    _, rows, columns = frost.draw(Draws(0, "frost 3", np.arange(4)), (32, 32, 3))
    for mine, row, column in zip(made, rows, columns, strict=True):
        top, left = int(row * (40 - 32)), int(column * (60 - 32))
        piece = seen[top : top + 32, left : left + 32]
        np.testing.assert_array_equal(
            mine, np.clip(0.9 * 100 + 0.4 * piece, 0, 255).astype("uint8")
        )
    large = np.zeros((1, 250, 96, 1), "uint8")  # higher than the picture, and grey
    assert frost.apply(large, np.arange(1)).shape == large.shape


def test_computed_frost_has_colours_and_neighbours_of_photographs():
    for number, colour in enumerate(_frost.COLOURS):
        texture = _frost._texture(number, 64, _frost.GRAIN[0])
        np.testing.assert_allclose(texture.mean(axis=(0, 1)), colour, atol=4)
        grey = texture.mean(axis=-1)
        assert 0.4 < np.corrcoef(grey[:, 1:].ravel(), grey[:, :-1].ravel())[0, 1] < 0.8


def test_a_folder_without_pictures(tmp_path):
    (tmp_path / "b.png").write_bytes(b"no picture")
    x = np.zeros((1, 8, 8, 3), "uint8")
    for folder, words in ((tmp_path / "none", "received none"), (tmp_path, "cannot be read")):
        with pytest.raises(DataError, match=words):
            KINDS["frost"](pictures=str(folder)).apply(x, np.arange(1))


# -- sets on disk ------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path):
    """Four images in five severities."""
    rng = np.random.default_rng(0)
    np.save(tmp_path / "labels.npy", np.tile(np.array([3, 1, 0, 2], "uint8"), 5))
    for name in ("fog", "snow", "speckle_noise"):
        np.save(tmp_path / f"{name}.npy", rng.integers(0, 256, (20, 6, 6, 3)).astype("uint8"))
    return tmp_path


def test_a_set_on_disk(folder):
    found = OnDisk(folder)
    assert found.names == ["fog", "snow", "speckle_noise"]
    assert len(found.missing) == 13 and "frost" in found.missing and "fog" not in found.missing
    np.testing.assert_array_equal(found.labels, [3, 1, 0, 2])
    fog = np.load(folder / "fog.npy")
    for severity in range(1, 6):
        images = found.images("fog", severity)
        assert isinstance(images.base, np.memmap) or isinstance(images, np.memmap)
        np.testing.assert_array_equal(images, fog[4 * severity - 4 : 4 * severity])


def _without(name):
    return lambda folder: (folder / name).unlink()


def _with(name, array):
    return lambda folder: np.save(folder / name, array)


def _without_kinds(folder):
    for name in ("fog", "snow", "speckle_noise"):
        (folder / f"{name}.npy").unlink()


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (_without("labels.npy"), "labels.npy: no such file"),
        (_without_kinds, "holds no corruption"),
        (_with("labels.npy", np.zeros(20)), "labels.npy: expected integers"),
        (_with("labels.npy", np.arange(20)), "the same N five times"),
        (_with("labels.npy", np.zeros(4, int)), "expected integers"),
        (_with("labels.npy", np.zeros(21, int)), "expected integers"),
        (_with("labels.npy", np.array([{}] * 20)), "cannot be read as an array"),
        (_with("fog.npy", np.zeros((20, 6, 6, 3))), r"expected uint8 \(20, H, W, C\).*float64"),
        (_with("fog.npy", np.zeros((19, 6, 6, 3), "uint8")), r"received uint8 \(19, 6, 6, 3\)"),
        (_with("fog.npy", np.zeros((20, 3, 6, 6), "uint8")), r"\(20, 3, 6, 6\)"),
        (lambda folder: (folder / "fog.npy").write_bytes(b"x"), "fog.npy: cannot be read"),
    ],
)
def test_a_set_of_another_form(folder, damage, words):
    damage(folder)
    with pytest.raises(DataError, match=words) as raised:
        OnDisk(folder)
    assert "\n" not in str(raised.value)


def test_what_a_set_does_not_hold(folder):
    with pytest.raises(DataError, match="no such folder"):
        OnDisk(folder / "none")
    with pytest.raises(DataError, match="holds no frost.npy"):
        OnDisk(folder).images("frost", 1)
    with pytest.raises(DataError, match="expected 1 to 5, received 6"):
        OnDisk(folder).images("fog", 6)


# -- summaries ---------------------------------------------------------------------------------


def test_a_summary_by_hand():
    errors = {"fog": [0.1, 0.2, 0.3, 0.4, 0.5], "snow": [0.2] * 5, "contrast": [0.6] * 5}
    base = {"contrast": [0.8] * 5, "fog": [0.5] * 5, "snow": [0.4] * 5}
    found = summary(errors, 0.1, base, 0.3)
    assert found.by_kind == pytest.approx({"fog": 0.3, "snow": 0.2, "contrast": 0.6})
    assert found.by_severity == pytest.approx([0.3, 1 / 3, 1.1 / 3, 0.4, 1.3 / 3])
    assert found.by_group == pytest.approx({"weather": 0.25, "digital": 0.6})
    assert found.mean == pytest.approx(1.1 / 3)
    assert found.corruption_errors == pytest.approx({"fog": 0.6, "snow": 0.5, "contrast": 0.75})
    assert found.mce == pytest.approx(1.85 / 3)
    assert found.relative_mce == pytest.approx((1.0 / 1.0 + 0.5 / 0.5 + 2.5 / 2.5) / 3)
    alone = summary(errors)
    assert alone.mean == found.mean and alone.mce is None and alone.relative_mce is None


@pytest.mark.parametrize(
    ("errors", "base", "words"),
    [
        ({}, None, "received none"),
        ({"fog": [0.1] * 4}, None, "errors of fog: expected 5"),
        ({"fog": [1.1] * 5}, None, "errors of fog"),
        ({"fog": [float("nan")] * 5}, None, "errors of fog"),
        ({"fog": [0.1] * 5}, {"snow": [0.1] * 5}, "baseline of fog"),
        ({"fog": [0.1] * 5}, {"fog": [0.0] * 5}, "no errors to divide by"),
    ],
)
def test_what_cannot_be_summed_up(errors, base, words):
    with pytest.raises(DataError, match=words):
        summary(errors, baseline=base)
