"""What every registered training method keeps to; a new file in methods/ is tested here."""

import random

import keras
import numpy as np
import pytest

from slr_keras import backend
from slr_keras.attacks.pgd import PGD
from slr_keras.batch_norm import BatchNorm
from slr_keras.labels import slr
from slr_keras.methods._base import Outputs
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


tensor = keras.ops.convert_to_tensor


def gradient(function, x):
    return np.array(backend.input_gradient(function, tensor(x)))


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


def both(z, clean):
    return Outputs(tensor(z), tensor(clean))


@every_method
def test_loss_is_finite_at_extreme_logits(cls, rng):
    z, clean = rng.choice([-1e4, 0.0, 1e4], size=(2, 50, 5)).astype("float32")
    label = rng.integers(0, 5, 50)
    for t in (np.eye(5, dtype="float32")[label], distributions(rng, 50, 5)):
        loss = np.array(cls().loss(both(z, clean), t, label))
        assert loss.shape == (50,)
        assert np.isfinite(loss).all() and (loss >= 0).all()


@every_method
def test_gradient_is_finite_at_extreme_logits(cls, rng):
    z, clean = rng.choice([-1e4, 0.0, 1e4], size=(2, 50, 5)).astype("float32")
    target, label = distributions(rng, 50, 5), rng.integers(0, 5, 50)
    for found in (
        gradient(lambda z: cls().loss(both(z, clean), target, label), z),
        gradient(lambda clean: cls().loss(both(z, clean), target, label), clean),
    ):
        assert np.isfinite(found).all()


@every_method
@pytest.mark.parametrize("which", [0, 1], ids=["adversarial", "clean"])
def test_gradient_agrees_with_finite_differences(cls, which, rng):
    """Into both branches: a gradient that is stopped on the way differs."""
    logits = rng.normal(0, 2, (2, 6, 5)).astype("float32")
    target, label, h = distributions(rng, 6, 5), rng.integers(0, 5, 6), 1e-2

    def loss(moved):
        parts = list(logits)
        parts[which] = moved
        return cls().loss(both(*parts), target, label)

    at = logits[which]
    found, measured = gradient(loss, at) if which == 0 or cls.both else 0 * at, np.empty((6, 5))
    for k in range(5):
        up, down = at.copy(), at.copy()
        up[:, k] += h
        down[:, k] -= h
        rise = np.float64(loss(up)) - np.float64(loss(down))
        measured[:, k] = rise / (up[:, k] - down[:, k]).astype("float64")
    np.testing.assert_allclose(found, measured, atol=1e-3)


@every_method
def test_attack_raises_what_the_method_says(cls, rng):
    """Each step of PGD raises the objective on a linear model."""
    weights = tensor(rng.normal(size=(12, 5)).astype("float32"))

    def logits(x):
        return keras.ops.reshape(x, (-1, 12)) @ weights

    x, y = rng.random((20, 2, 2, 3), "float32"), rng.integers(0, 5, 20).astype("int32")
    objective = cls().objective(logits, tensor(x), y)
    start = np.clip(x + 1e-3 * rng.normal(size=x.shape).astype("float32"), 0, 1)
    attack = PGD(eps=0.1, step_size=0.02, steps=5)
    found = attack.perturb(objective, tensor(x), tensor(start))
    before, after = (keras.ops.convert_to_numpy(objective(at)) for at in (tensor(start), found))
    assert (after > before).all()


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
