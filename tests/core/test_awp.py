"""Adversarial weight perturbation: where the gradient is taken, and what is left as it was."""

import random

import keras
import numpy as np
import pytest

from slr_keras import backend
from slr_keras.attacks.pgd import PGD
from slr_keras.batch_norm import BatchNorm
from slr_keras.methods.at import AT
from slr_keras.methods.trades import TRADES
from slr_keras.optimizers import SGD
from slr_keras.training.awp import AWP
from slr_keras.training.robust_classifier import RobustClassifier

STILL = PGD(eps=0.0, steps=1, random=False)  # x' = x


def network(seed=0):
    random.seed(seed)
    inputs = x = keras.Input((8, 8, 1))
    x = keras.layers.ReLU()(BatchNorm()(keras.layers.Conv2D(4, 3, strides=2)(x)))
    return keras.Model(inputs, keras.layers.Dense(10)(keras.layers.GlobalAveragePooling2D()(x)))


def classifier(awp=None, rate=0.5, method=None, attack=STILL):
    model = RobustClassifier(network(), method=method or AT(), attack=attack, awp=awp)
    model.compile(optimizer=SGD(rate))
    return model


def arrays(variables):
    return [keras.ops.convert_to_numpy(variable).copy() for variable in variables]


def test_perturbation_by_hand(rng):
    w, g = rng.normal(size=(2, 3, 4)).astype("float32")
    (found,) = AWP(gamma=0.1).perturbed([keras.ops.array(w)], [keras.ops.array(g)])
    expected = w + 0.1 * np.linalg.norm(w) * g / np.linalg.norm(g)
    np.testing.assert_allclose(keras.ops.convert_to_numpy(found), expected, rtol=1e-6)


def test_weights_of_rank_one_stay():
    kernel, bias = np.zeros((3, 4)), np.zeros(4)
    assert AWP.moved([kernel, bias], [1, 2]) == [(kernel, 1)]


def test_one_step_by_hand(digits):
    """Weights, statistics and loss of one step, from passes made one by one."""
    x, y = digits[0][:32], digits[1][:32]
    model, other = classifier(AWP(gamma=0.05)), classifier(rate=1.0)
    before = arrays(model.net.trainable_weights)
    logs = model.train_on_batch(x, y, return_dict=True)
    first = other.train_on_batch(x, y, return_dict=True)
    assert float(logs["loss"]) == pytest.approx(float(first["loss"]), rel=1e-6)
    gradients = [
        w - after for w, after in zip(before, arrays(other.net.trainable_weights), strict=True)
    ]
    there = classifier(rate=1.0)
    for weight, w, g in zip(there.net.trainable_weights, before, gradients, strict=True):
        if w.ndim > 1:
            weight.assign(w + 0.05 * np.linalg.norm(w) * g / np.linalg.norm(g))
    start = arrays(there.net.trainable_weights)
    there.train_on_batch(x, y)
    for weight, w, a, b in zip(
        model.net.trainable_weights, before, start, there.net.trainable_weights, strict=True
    ):
        gradient = a - keras.ops.convert_to_numpy(b)
        found = keras.ops.convert_to_numpy(weight)
        np.testing.assert_allclose(found, w - 0.5 * gradient, atol=2e-6)
    for mine, theirs in zip(
        arrays(model.net.non_trainable_weights),
        arrays(there.net.non_trainable_weights),
        strict=True,
    ):
        np.testing.assert_allclose(mine, theirs, atol=1e-6)  # moved once, at the perturbed weights


@pytest.mark.parametrize("method", [AT(), TRADES()], ids=lambda method: method.name)
def test_a_step_of_no_length_leaves_every_weight_bit_for_bit(digits, method):
    attack = PGD(eps=0.1, step_size=0.05, steps=2)
    model = classifier(AWP(gamma=0.3), rate=0.0, method=method, attack=attack)
    before = arrays(model.net.trainable_weights)
    model.fit(*digits, batch_size=48, epochs=1, verbose=0)
    for old, new in zip(before, arrays(model.net.trainable_weights), strict=True):
        np.testing.assert_array_equal(old, new)


def test_before_its_start_it_is_the_plain_method(digits):
    late, plain = (classifier(awp) for awp in (AWP(gamma=0.3, start_epoch=3), None))
    for model in (late, plain):
        model.fit(*digits, batch_size=48, epochs=2, shuffle=False, verbose=0)
    rounding = 1e-7 if backend.name() == "jax" else 0
    for a, b in zip(late.net.get_weights(), plain.net.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=rounding)
    late.fit(*digits, batch_size=48, epochs=3, initial_epoch=2, shuffle=False, verbose=0)
    plain.fit(*digits, batch_size=48, epochs=3, initial_epoch=2, shuffle=False, verbose=0)
    pairs = zip(late.net.get_weights(), plain.net.get_weights(), strict=True)
    assert any((a != b).any() for a, b in pairs)


def test_it_is_saved_with_the_model(digits, tmp_path):
    model = classifier(AWP(gamma=0.02, start_epoch=2))
    model.save(tmp_path / "m.keras")
    assert keras.models.load_model(tmp_path / "m.keras").awp == AWP(gamma=0.02, start_epoch=2)
