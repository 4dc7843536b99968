"""Losses and label arithmetic against float64 NumPy."""

import numpy as np
import pytest

from slr_keras import losses

SCALES = [0.1, 1.0, 30.0, 1e4]


def log_softmax(z):
    z = z.astype("float64")
    z = z - z.max(1, keepdims=True)
    return z - np.log(np.exp(z).sum(1, keepdims=True))


@pytest.fixture(params=SCALES)
def logits(request, rng):
    return (request.param * rng.normal(size=(40, 6))).astype("float32")


def test_cross_entropy(logits, rng):
    y = rng.integers(0, 6, 40)
    wanted = -log_softmax(logits)[np.arange(40), y]
    np.testing.assert_allclose(losses.cross_entropy(logits, y), wanted, rtol=1e-5, atol=1e-6)


def test_soft_cross_entropy(logits, rng):
    t = rng.dirichlet(np.full(6, 0.5), 40).astype("float32")
    wanted = -(t.astype("float64") * log_softmax(logits)).sum(1)
    np.testing.assert_allclose(losses.soft_cross_entropy(logits, t), wanted, rtol=1e-5, atol=1e-6)


def test_hard_targets_give_the_same_as_class_numbers(logits, rng):
    y = rng.integers(0, 6, 40)
    soft = losses.soft_cross_entropy(logits, losses.one_hot(y, 6))
    np.testing.assert_allclose(soft, losses.cross_entropy(logits, y), rtol=1e-6, atol=1e-6)


def test_soft_cross_entropy_at_the_extremes():
    z = np.array([[1e4, -1e4, 0], [-1e4, -1e4, -1e4], [0, 1e4, 1e4]], "float32")
    t = np.array([[1, 0, 0], [0.5, 0.25, 0.25], [1, 0, 0]], "float32")
    wanted = [0, np.log(3), 1e4 + np.log(2)]
    np.testing.assert_allclose(losses.soft_cross_entropy(z, t), wanted, rtol=1e-6)


def test_probabilities(logits):
    p = np.array(losses.probabilities(logits))
    assert p.dtype == np.float32
    np.testing.assert_allclose(p, np.exp(log_softmax(logits)), atol=1e-6)


def test_probabilities_carry_no_gradient():
    import tensorflow as tf

    z = tf.Variable([[1.0, 2.0]])
    with tf.GradientTape() as tape:
        p = tf.reduce_sum(losses.probabilities(z)[0, 0])
    assert tape.gradient(p, z) is None


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_low_precision_logits_are_computed_in_float32(dtype, rng):
    import keras

    z = keras.ops.cast(rng.normal(size=(5, 3)), dtype)
    exact = np.array(keras.ops.cast(z, "float32"))
    y = np.arange(5) % 3
    found = np.array(losses.cross_entropy(z, y))
    assert found.dtype == np.float32
    expected = -log_softmax(exact)[np.arange(5), y]
    np.testing.assert_allclose(found, expected, rtol=0, atol=4e-6)  # ulps of the largest logit


def test_correct_is_the_largest_logit():
    z = np.array([[1, 2, 3], [3, 2, 1], [0, 5, 0], [0, 5, 0]], "float32")
    found = np.array(losses.correct(z, np.array([2, 1, 1, 0])))
    np.testing.assert_array_equal(found, [1, 0, 1, 0])


def test_one_hot(rng):
    y = rng.integers(0, 6, 40)
    np.testing.assert_array_equal(losses.one_hot(y, 6), np.eye(6)[y])


def test_losses_of_the_methods_by_hand(rng):
    z, other = rng.normal(0, 3, (2, 7, 4)).astype("float32")
    y, t = rng.integers(0, 4, 7), rng.dirichlet(np.ones(4), 7).astype("float32")
    p, q = (np.exp(log_softmax(logits)) for logits in (z, other))
    rows = np.arange(7)
    rival = np.where(np.eye(4)[y] > 0, -1, p).max(1)
    np.testing.assert_allclose(losses.divergence(z, other), (p * np.log(p / q)).sum(1), rtol=1e-5)
    np.testing.assert_allclose(losses.against_rival(z, y), -np.log(1 - rival), rtol=1e-5)
    np.testing.assert_allclose(losses.probability_of(z, y), p[rows, y], rtol=1e-5)
    hard = np.eye(4, dtype="float32")[y]
    np.testing.assert_allclose(
        losses.reverse_cross_entropy(z, hard), 4 * (1 - p[rows, y]), atol=1e-6
    )  # log 0 counts as -4
    soft = -(p * np.log(np.maximum(t, np.exp(-4)))).sum(1)
    np.testing.assert_allclose(losses.reverse_cross_entropy(z, t), soft, rtol=1e-5)


def test_a_sure_rival_costs_what_it_costs():
    """In float32 ``1 - p`` would be 0 here, and its logarithm minus infinity."""
    z = np.array([[0.0, 40.0, 0.0]], "float32")
    np.testing.assert_allclose(losses.against_rival(z, [0]), 40 - np.log(2), rtol=1e-6)
