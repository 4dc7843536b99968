"""Methods by hand and against each other; what each keeps to: test_contracts_parts.py."""

import random

import keras
import numpy as np
import pytest

from slr_keras import backend
from slr_keras.attacks.pgd import PGD
from slr_keras.batch_norm import BatchNorm
from slr_keras.labels import slr
from slr_keras.methods.at import AT
from slr_keras.methods.slr import SLR
from slr_keras.optimizers import SGD
from slr_keras.training.robust_classifier import RobustClassifier

PGD2 = PGD(eps=0.1, step_size=0.05, steps=2)


def small_classifier(method, num_samples, seed=0, attack=PGD2, **options):
    random.seed(seed)
    inputs = x = keras.Input((8, 8, 1))
    x = BatchNorm()(keras.layers.Conv2D(4, 3, strides=2)(x))
    x = keras.layers.GlobalAveragePooling2D()(keras.layers.ReLU()(x))
    net = keras.Model(inputs, keras.layers.Dense(10)(x))
    options |= {"method": method, "attack": attack}
    model = RobustClassifier(net, num_samples=num_samples, **options)
    model.compile(optimizer=SGD(learning_rate=0.1, momentum=0.9, l2=5e-4))
    return model


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


def test_slr_is_at_with_its_labels_bit_for_bit(digits):
    parts = [(SLR(start_epoch=2), None), (AT(), slr.SLR(start_epoch=2))]
    models = [small_classifier(method, 96, labels=labels) for method, labels in parts]
    for model in models:
        model.fit(*digits, batch_size=48, epochs=2, verbose=0, shuffle=False)
    for one, other in zip(models[0].weights, models[1].weights, strict=True):
        np.testing.assert_array_equal(*map(keras.ops.convert_to_numpy, (one, other)))


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
