"""Coupled-L2 SGD against the loop that PyTorch documents."""

import keras
import numpy as np
import pytest

from slr_keras.optimizers import SGD
from slr_keras.settings import registry


def numpy_sgd(w, gradients, rates, momentum, l2, nesterov):
    """``torch.optim.SGD``: g += wd w; v = mu v + g; w -= lr (g + mu v | v)."""
    w, v, path = w.astype("float64"), 0.0, []
    for g, lr in zip(gradients, rates, strict=True):
        g = g + l2 * w
        v = momentum * v + g
        w = w - lr * (g + momentum * v if nesterov else v)
        path.append(w)
    return np.array(path)


def run(optimizer, w, gradients):
    variable, path = keras.Variable(w), []
    for g in gradients:
        optimizer.apply([keras.ops.convert_to_tensor(g)], [variable])
        path.append(np.array(variable))
    return np.array(path)


@pytest.fixture
def case(rng):
    return rng.normal(size=(3, 2)).astype("float32"), rng.normal(size=(12, 3, 2)).astype("float32")


RATES = [0.1] * 6 + [0.01] * 6


def drop():
    return keras.optimizers.schedules.PiecewiseConstantDecay([5], [0.1, 0.01])


@pytest.mark.parametrize("nesterov", [False, True])
@pytest.mark.parametrize("l2", [0.0, 5e-4, 0.3])
@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_follows_the_formula_over_a_drop_of_the_rate(case, momentum, l2, nesterov):
    w, gradients = case
    found = run(SGD(drop(), momentum, l2, nesterov), w, gradients)
    wanted = numpy_sgd(w, gradients, RATES, momentum, l2, nesterov)
    np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-6)


def test_a_changed_rate_acts_on_what_has_been_accumulated(case):
    w, gradients = case
    optimizer = SGD(0.1, 0.9, 5e-4)
    first = run(optimizer, w, gradients[:1])
    assert optimizer.velocities[0].shape == w.shape
    np.testing.assert_allclose(optimizer.velocities[0], gradients[0] + 5e-4 * w, rtol=1e-5)
    np.testing.assert_allclose(first[0], w - 0.1 * (gradients[0] + 5e-4 * w), rtol=1e-5)


@pytest.mark.parametrize("l2", [0.0, 0.1])
def test_keras_own_sgd_is_another_algorithm(case, l2):
    """Its buffer holds the rate, and its decay does not pass through momentum."""
    w, gradients = case
    keras_sgd = keras.optimizers.SGD(drop(), momentum=0.9, weight_decay=l2 or None)
    theirs, ours = run(keras_sgd, w, gradients), run(SGD(drop(), 0.9, l2), w, gradients)
    wanted = numpy_sgd(w, gradients, RATES, 0.9, l2, False)
    if not l2:
        np.testing.assert_allclose(theirs[:6], wanted[:6], rtol=1e-4, atol=1e-6)
    assert np.abs(theirs[-1] - wanted[-1]).max() > 1e-2
    assert np.abs(ours[-1] - wanted[-1]).max() < 1e-5


def test_every_parameter_decays_biases_and_batch_norm_too():
    inputs = keras.Input((2, 2, 3))
    x = keras.layers.BatchNormalization()(keras.layers.Conv2D(4, 1)(inputs))
    net = keras.Model(inputs, x)
    for weight in net.trainable_weights:
        weight.assign(keras.ops.ones(weight.shape))
    zeros = [keras.ops.zeros(weight.shape) for weight in net.trainable_weights]
    SGD(0.5, 0.9, 0.1).apply(zeros, net.trainable_weights)
    for weight in net.trainable_weights:
        np.testing.assert_allclose(weight, np.full(weight.shape, 0.95), rtol=1e-6)


def test_config_round_trip(case):
    w, gradients = case
    one = SGD(drop(), 0.8, 0.01, nesterov=True)
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(one))
    np.testing.assert_array_equal(run(one, w, gradients), run(again, w, gradients))


@pytest.mark.parametrize("options", [{"momentum": 1.0}, {"momentum": -0.1}, {"l2": -1e-4}])
def test_bad_arguments(options):
    with pytest.raises(ValueError, match=f"{next(iter(options))}: expected .* received"):
        SGD(0.1, **options)


@pytest.mark.parametrize("cls", registry.variants("optimizers").values(), ids=lambda c: c.name)
def test_every_registered_optimiser_descends(cls, rng):
    w = keras.Variable(rng.normal(size=4).astype("float32"))
    optimizer, start = cls().build(0.01), float(keras.ops.sum(w * w))
    for _ in range(20):
        optimizer.apply([2 * w], [w])
    assert float(keras.ops.sum(w * w)) < start
    assert float(optimizer.learning_rate) == pytest.approx(0.01)


def test_settings_make_the_papers_optimiser():
    optimizer = registry.get("optimizers", "sgd")(momentum=0.9, l2=5e-4).build(0.1)
    assert type(optimizer) is SGD
    assert (optimizer.momentum, optimizer.l2, optimizer.nesterov) == (0.9, 5e-4, False)
