"""What every registered training method keeps to; a new file in methods/ is tested here."""

import random

import keras
import numpy as np
import pytest

from slr_keras import backend
from slr_keras.attacks.pgd import PGD
from slr_keras.batch_norm import BatchNorm
from slr_keras.methods.at import AT
from slr_keras.methods.slr import SLR
from slr_keras.optimizers import SGD
from slr_keras.settings import registry
from slr_keras.training.robust_classifier import RobustClassifier

METHODS = registry.variants("methods")
every_method = pytest.mark.parametrize("cls", METHODS.values(), ids=METHODS)
PGD2 = PGD(eps=0.1, step_size=0.05, steps=2)


def distributions(rng, rows, classes):
    return rng.dirichlet(np.ones(classes), rows).astype("float32")


def gradient(function, x):
    return np.array(backend.input_gradient(function, keras.ops.convert_to_tensor(x)))


def small_classifier(method, num_samples, seed=0, attack=PGD2):
    random.seed(seed)
    inputs = x = keras.Input((8, 8, 1))
    x = BatchNorm()(keras.layers.Conv2D(4, 3, strides=2)(x))
    x = keras.layers.GlobalAveragePooling2D()(keras.layers.ReLU()(x))
    net = keras.Model(inputs, keras.layers.Dense(10)(x))
    model = RobustClassifier(net, num_samples=num_samples, method=method, attack=attack)
    model.compile(optimizer=SGD(learning_rate=0.1, momentum=0.9, l2=5e-4))
    return model


@every_method
def test_loss_is_finite_at_extreme_logits(cls, rng):
    logits = rng.choice([-1e4, 0.0, 1e4], size=(50, 5)).astype("float32")
    given = np.eye(5, dtype="float32")[rng.integers(0, 5, 50)]
    for t in (given, cls().target(distributions(rng, 50, 5), given)):
        loss = np.array(cls().loss(logits, t))
        assert loss.shape == (50,)
        assert np.isfinite(loss).all() and (loss >= 0).all()


@every_method
def test_gradient_is_finite_at_extreme_logits(cls, rng):
    z = rng.choice([-1e4, 0.0, 1e4], size=(50, 5)).astype("float32")
    target = distributions(rng, 50, 5)
    assert np.isfinite(gradient(lambda z: cls().loss(z, target), z)).all()


@every_method
def test_gradient_agrees_with_finite_differences(cls, rng):
    logits = rng.normal(0, 2, (6, 5)).astype("float32")
    target, h = distributions(rng, 6, 5), 1e-2
    found, measured = gradient(lambda z: cls().loss(z, target), logits), np.empty((6, 5))
    for k in range(5):
        up, down = logits.copy(), logits.copy()
        up[:, k] += h
        down[:, k] -= h
        rise = np.float64(cls().loss(up, target)) - np.float64(cls().loss(down, target))
        measured[:, k] = rise / (up[:, k] - down[:, k]).astype("float64")
    np.testing.assert_allclose(found, measured, atol=2e-4)


@every_method
def test_soft_labels_stay_distributions(cls, rng):
    row, p, q = (distributions(rng, 20, 5) for _ in range(3))
    given = np.eye(5, dtype="float32")[rng.integers(0, 5, 20)]
    new = np.array(cls().refine(row, p, q))
    for t in (new, np.array(cls().target(new, given))):
        assert (t >= 0).all()
        np.testing.assert_allclose(t.sum(1), 1, atol=1e-6)


@every_method
def test_one_step_trains_and_reports(cls, digits):
    x, y = digits[0][:32], digits[1][:32]
    model = small_classifier(cls(), 32)
    before = [w.copy() for w in model.net.get_weights()]
    model.begin_epoch(200)
    inputs = {"image": x, "index": np.arange(32, dtype="int32")}
    logs = model.train_on_batch(inputs, y, return_dict=True)
    assert np.isfinite(list(logs.values())).all()
    assert all((a != b).any() for a, b in zip(before, model.net.get_weights(), strict=True))
    assert model.method.adversarial == ("robust_accuracy" in logs)


OFF = {
    "starts after the run": SLR(start_epoch=4),
    "keeps every old label": SLR(momentum=1.0, start_epoch=1, clean_pass="inference"),
    "both": SLR(momentum=1.0, start_epoch=4),
}


@pytest.fixture(scope="module")
def at_weights(digits):
    model = small_classifier(AT(), 96)
    model.fit(*digits, batch_size=40, epochs=3, verbose=0, shuffle=False)
    return model.net.get_weights()


@pytest.mark.parametrize("method", OFF.values(), ids=OFF)
def test_slr_with_refinement_off_is_at_bit_for_bit(method, digits, at_weights):
    model = small_classifier(method, 96)
    model.fit(*digits, batch_size=40, epochs=3, verbose=0, shuffle=False)
    rounding = 1e-7 if backend.name() == "jax" else 0  # XLA compiles another graph in another order
    for mine, at in zip(model.net.get_weights(), at_weights, strict=True):
        np.testing.assert_allclose(mine, at, rtol=0, atol=rounding)
    np.testing.assert_array_equal(model.label_bank.labels, np.eye(10)[digits[1]])


def test_slr_with_refinement_on_is_not_at(digits, at_weights):
    model = small_classifier(SLR(start_epoch=3), 96)
    model.fit(*digits, batch_size=40, epochs=3, verbose=0, shuffle=False)
    assert any((a != b).any() for a, b in zip(model.net.get_weights(), at_weights, strict=True))


@pytest.mark.parametrize("start", [1, 2, 3, 90])
def test_refinement_starts_with_its_epoch_counted_from_one(start):
    assert [SLR(start_epoch=start).refining(e) for e in (1, 2, 3, 89, 90, 91)] == [
        e >= start for e in (1, 2, 3, 89, 90, 91)
    ]


def test_fit_enters_refinement_at_the_start_epoch(digits):
    model, banks = small_classifier(SLR(start_epoch=2), 96), []
    watch = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: banks.append(np.array(model.label_bank.labels))
    )
    model.fit(*digits, batch_size=48, epochs=3, verbose=0, callbacks=[watch])
    given = np.eye(10, dtype="float32")[digits[1]]
    np.testing.assert_array_equal(banks[0], given)
    assert (banks[1] != given).any(axis=1).all(), "every sample is refined in epoch 2"
    # once an epoch: at least a^k of the hard label is left after k refinements
    label = np.arange(96), digits[1]
    assert (banks[1][label] >= 0.9 - 1e-6).all() and (banks[1][label] < 1).all()
    assert (banks[2][label] >= 0.81 - 1e-6).all()
    assert (banks[2] != banks[1]).any(axis=1).all()
