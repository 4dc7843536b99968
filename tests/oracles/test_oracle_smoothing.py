"""Randomised smoothing of classifiers whose certificates are known in closed form."""

import dataclasses

import keras
import numpy as np
import pytest
from scipy import stats

from slr_keras import config
from slr_keras.attacks._numbers import seeded
from slr_keras.attacks.gaussian import Gaussian
from slr_keras.backend import ops
from slr_keras.config import RunConfig
from slr_keras.errors import SettingError, UserError
from slr_keras.evaluation import intervals, smoothing
from slr_keras.evaluation.smoothing import Certifier, Smoothing
from slr_keras.evaluation.votes import Votes
from slr_keras.methods.at import AT
from slr_keras.methods.standard import Standard

SHAPE, SIGMA, FAILURE = (3, 3, 1), 0.25, 0.001
NEVER = 1e-6  # tests that count on luck lose once in so many runs


def linear(w, b=0.0):
    """Logits ``x W + b`` of images (B, 3, 3, 1), W (9, K)."""
    w, b = np.asarray(w, "float32"), np.asarray(b, "float32")
    return lambda x: ops.matmul(ops.reshape(x, (-1, 9)), w) + b


def loudest(x):
    """The class is the place of the largest pixel: exact, however many rows there are."""
    return ops.reshape(x, (-1, 9))


def at_most(share, count):
    """No more events of this probability happen in ``count`` tries."""
    return stats.binom.isf(NEVER, count, share)


@pytest.fixture
def images(rng):
    return rng.random((40, *SHAPE), "float32")


def test_two_classes_of_a_linear_model(images, rng):
    """Cohen et al., appendix B: the radius is ``|<w, x> + b| / ||w||``, the distance itself."""
    w, n = rng.normal(size=9), 4000
    score = images.reshape(40, 9) @ w
    b = -np.median(score)
    net, how = linear(np.stack([0 * w, w], 1), [0, b]), Smoothing(SIGMA, 100, n, FAILURE)
    found = Certifier(net, how, batch_size=1000).certify(images)
    distance = abs(score + b) / np.linalg.norm(w)
    said = found.label >= 0
    assert (found.label == (score + b > 0))[said].all()
    assert (found.radius > distance).sum() <= at_most(FAILURE, 40)
    p = stats.norm.cdf(distance / SIGMA)
    spread = np.sqrt(p * (1 - p) / n) / stats.norm.pdf(distance / SIGMA)
    usual = distance < 2 * SIGMA  # beyond, the bound is no normal one
    lost = (distance - found.radius) / (SIGMA * spread)
    assert (lost[usual & said] < 9).all() and 2 < np.median(lost[usual]) < 4.5
    assert (found.radius <= how.largest_radius + 1e-9).all()


def test_three_classes_of_a_linear_model(images, rng):
    """The class's probability is one of a normal distribution in two dimensions."""
    w, n = rng.normal(size=(9, 3)), 4000
    found = Certifier(linear(w), Smoothing(SIGMA, 100, n, FAILURE), batch_size=1000).certify(images)
    for x, label, radius in zip(images.reshape(40, 9), found.label, found.radius, strict=True):
        others = [k for k in range(3) if k != label]
        if label >= 0:
            rows = (w[:, [label]] - w[:, others]).T
            shape = SIGMA**2 * rows @ rows.T
            p = stats.multivariate_normal.cdf(rows @ x, np.zeros(2), shape)
            bound = stats.norm.cdf(radius / SIGMA)
            assert bound <= p + 6 * np.sqrt(p * (1 - p) / n) + 1e-4
            assert bound >= p - 9 * np.sqrt(p * (1 - p) / n) - 0.005


@pytest.mark.parametrize("failure", [0.001, 0.05])
def test_the_bound_covers_a_thousand_models(failure, rng):
    """Clopper and Pearson: it exceeds the true probability in at most the share ``failure``."""
    p = rng.uniform(0.5, 1, 1000)
    votes = rng.binomial(1000, p)
    bound = smoothing.lower_bound(votes, 1000, failure)
    wrong = int((bound > p).sum())
    assert wrong <= at_most(failure, 1000)
    assert failure < 0.01 or wrong >= stats.binom.ppf(NEVER, 1000, 0.6 * failure)
    for k in (0, 1, 500, 999, 1000):
        exact = stats.binomtest(k, 1000, alternative="greater").proportion_ci(1 - failure, "exact")
        assert smoothing.lower_bound(k, 1000, failure) == pytest.approx(exact.low, abs=1e-12)


def test_noise_depends_on_seed_and_number_alone(images):
    how = Smoothing(SIGMA, 30, 60, 0.05)
    whole = Certifier(loudest, how, batch_size=250).certify(images)
    for size in (1, 130, 600):
        other, order = Certifier(loudest, how, batch_size=size), np.arange(7, 25)[::-1]
        part = other.certify(images[order], order)
        np.testing.assert_array_equal(part.label, whole.label[order])
        np.testing.assert_array_equal(part.radius, whole.radius[order])
    again = Certifier(loudest, how, seed=1).certify(images)
    assert (again.radius != whole.radius).any()


def test_draws_are_new_for_each_image_and_each_purpose():
    votes, x = Votes(loudest, SIGMA), np.full((3, *SHAPE), 0.5, "float32")
    one = votes.count(x, np.array([4, 4, 5]), 60, "a")
    np.testing.assert_array_equal(one[0], one[1])
    assert (one[0] != one[2]).any() and (one.sum(1) == 60).all()
    assert (votes.count(x[:1], np.array([4]), 60, "b") != one[0]).any()
    fewer = votes.count(x[:1], np.array([4]), 30, "a")
    assert (one[0] >= fewer).all() and fewer.sum() == 30
    uniform = votes.count(x[:1], np.array([0]), 9000, "a")[0]
    assert stats.chisquare(uniform).pvalue > NEVER


def test_one_class_whatever_comes(images):
    how = Smoothing(SIGMA, 10, 100, FAILURE)
    found = Certifier(lambda x: ops.zeros_like(x[:, 0, :2, 0]) + np.float32([0, 1]), how).certify(
        images
    )
    assert (found.label == 1).all() and found.abstained == 0
    np.testing.assert_allclose(found.radius, SIGMA * stats.norm.ppf(FAILURE**0.01))
    assert how.largest_radius == pytest.approx(found.radius[0])


def test_a_coin_is_abstained_from():
    """An image on the boundary: certified with the probability of failure alone."""
    side = linear(np.stack([-np.eye(9)[0], np.eye(9)[0]], 1))
    certifier = Certifier(side, Smoothing(SIGMA, 20, 100, FAILURE), batch_size=1000)
    x = np.zeros((100, *SHAPE), "float32")
    found, said = certifier.certify(x), certifier.predict(x)
    for label in (found.label, said):
        assert (label >= 0).sum() <= at_most(FAILURE, 100)
    assert (found.radius[found.label < 0] == 0).all()


def test_logits_that_are_no_numbers_certify_nothing(images):
    found = Certifier(lambda x: loudest(x) * np.nan, Smoothing(SIGMA, 10, 100)).certify(images)
    assert found.abstained == 1 and (found.radius == 0).all()


def test_prediction_is_the_binomial_test(images):
    certifier = Certifier(loudest, Smoothing(SIGMA, 10, 100, 0.05))
    votes = certifier.votes.count(images, np.arange(40), 100, "predict")
    said = certifier.predict(images)
    for row, label in zip(votes, said, strict=True):
        second, first = np.sort(row)[-2:]
        sure = stats.binomtest(int(first), int(first + second), 0.5).pvalue <= 0.05
        assert label == (row.argmax() if sure else -1)
    assert (said < 0).any() and (said >= 0).any()


def test_a_keras_model_and_what_is_said_of_a_set(images, rng):
    net = keras.Sequential(
        [
            keras.Input(SHAPE),
            keras.layers.Conv2D(4, 2, activation="relu"),
            keras.layers.BatchNormalization(),
            keras.layers.Flatten(),
            keras.layers.Dense(3),
        ]
    )
    y, told = rng.integers(0, 3, 40), []
    found = smoothing.certify(
        net, images, y, SIGMA, samples=200, samples_select=25, on_progress=lambda *a: told.append(a)
    )
    plain = Certifier(lambda x: net(x, training=False), found.smoothing).certify(images)
    np.testing.assert_array_equal(found.label, plain.label)
    np.testing.assert_allclose(found.radius, plain.radius, atol=0.02)
    assert told[-1] == (40, 40)
    right = found.label == y
    assert found.accuracy() == right.mean() and found.accuracy(0.2) <= found.accuracy(0.1)
    assert found.average_radius == pytest.approx(np.where(right, found.radius, 0).mean())
    points = found.curve([0, 0.1])
    assert [point.accuracy for point in points] == [found.accuracy(0), found.accuracy(0.1)]
    assert points[1].interval == intervals.wilson(40 * points[1].accuracy, 40)
    levels = (255 * images).round().astype("uint8")
    as_levels = smoothing.certify(net, levels, y, SIGMA, samples=200, samples_select=25)
    np.testing.assert_allclose(as_levels.radius, found.radius, atol=0.1)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"sigma": 0}, "sigma: expected a number > 0 .*received 0"),
        ({"samples": 0}, "samples: expected a whole number >= 1, received 0"),
        ({"samples": 9}, "samples: expected 10 or more, received 9: with fewer no image can be"),
        ({"samples_select": 0}, "samples_select: expected a whole number >= 1"),
        ({"failure": 1.0}, "failure: expected a number > 0, < 1, received 1.0"),
        ({"failure": 0}, "failure: expected a number > 0, < 1"),
    ],
)
def test_settings_out_of_range_are_refused(given, says):
    with pytest.raises(SettingError, match=says) as caught:
        Smoothing(**given)
    assert "\n" not in str(caught.value)


def test_images_that_do_not_fit_are_refused(images):
    net = keras.Sequential([keras.Input(SHAPE), keras.layers.Flatten(), keras.layers.Dense(2)])
    certifier = Certifier(net, Smoothing(SIGMA, 10, 20))
    with pytest.raises(
        UserError, match=r"expected images \(N, 3, 3, 1\), received \(40, 2, 3, 1\)"
    ):
        certifier.certify(images[:, :2])
    with pytest.raises(UserError, match=r"expected pixels in \[0, 1\]"):
        certifier.certify(images + 1)
    with pytest.raises(UserError, match="expected a number >= 0 for each of 40 images"):
        certifier.certify(images, np.arange(39))


def test_the_noise_of_training(images):
    """``x' = x + sigma N(0, I)``, not clipped, whatever the model and the radius."""
    attack = Gaussian(sigma=0.5, eps=0.0)
    x = ops.convert_to_tensor(np.repeat(images, 50, axis=0))
    drawn = ops.convert_to_numpy(attack.run(None, x, seeded(3)) - x).ravel() / 0.5
    assert stats.kstest(drawn, "norm").pvalue > NEVER
    noisy = ops.convert_to_numpy(attack.start(x, seeded(3)))
    assert noisy.min() < -0.5 and noisy.max() > 1.5
    with pytest.raises(SettingError, match="targeted: gaussian is noise and has no targets"):
        Gaussian(targeted=True)
    with pytest.raises(SettingError, match="warmup_epochs: gaussian has no radius that grows"):
        Gaussian(warmup_epochs=3)


def test_who_trained_with_noise_is_known():
    preset = config.load(preset="digits-gaussian")
    assert smoothing.trained_with_noise(preset) and preset.gradients == 1
    assert smoothing.trained_with_noise(RunConfig(method=AT())) is False
    assert not smoothing.trained_with_noise(dataclasses.replace(preset, method=Standard()))
    assert smoothing.trained_with_noise(None) is None
