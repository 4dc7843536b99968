"""Eight steps, the same on every backend from the same weights, images and starts.

The figures in ``golden.json`` (SLR) and ``golden_methods.json`` (each method and each label scheme)
were written by the TensorFlow backend (``python -m tests.contracts.test_contracts_golden``); that a
single step is right is shown by the oracles.
"""

import dataclasses
import json
import pathlib

import keras
import numpy as np
import pytest

from slr_keras.attacks.pgd import PGD
from slr_keras.batch_norm import BatchNorm
from slr_keras.labels import slr
from slr_keras.labels.adr import ADR
from slr_keras.labels.smoothing import Smoothing
from slr_keras.labels.temporal import TemporalEnsembling
from slr_keras.methods.slr import SLR
from slr_keras.optimizers import SGD
from slr_keras.settings import registry
from slr_keras.training.awp import AWP
from slr_keras.training.robust_classifier import RobustClassifier

GOLDEN = pathlib.Path(__file__).with_name("golden.json")
OTHERS = GOLDEN.with_name("golden_methods.json")
STEPS, BATCH, CLASSES = 8, 24, 5
PARTS = {name: {"method": cls()} for name, cls in registry.variants("methods").items()} | {
    "slr": {"method": SLR(start_epoch=1)},
    "at + smoothing": {"labels": Smoothing(amount=0.2)},
    "at + temporal": {"labels": TemporalEnsembling(start_epoch=1, full_epoch=4)},
    "trades + temporal": {
        "method": registry.get("methods", "trades")(),
        "labels": TemporalEnsembling(start_epoch=1, full_epoch=4),
    },
    "at + adr": {"labels": ADR(teacher_decay=0.5, anneal_epochs=4)},
    "trades + slr": {
        "method": registry.get("methods", "trades")(),
        "labels": slr.SLR(start_epoch=1),
    },
    "mart + slr": {"method": registry.get("methods", "mart")(), "labels": slr.SLR(start_epoch=1)},
    "at + awp": {"awp": AWP(gamma=0.05)},
    "trades + slr + awp": {
        "method": registry.get("methods", "trades")(),
        "labels": slr.SLR(start_epoch=1),
        "awp": AWP(gamma=0.05),
    },
}


@dataclasses.dataclass(frozen=True)
class FromBeside(PGD):
    """PGD from a point beside the image, which every backend has the same."""

    def start(self, x, seed):
        return keras.ops.clip(0.98 * x + 0.01, 0.0, 1.0)


def trajectory(**parts):
    """Losses of the steps, soft labels and weights after them."""
    rng = np.random.RandomState(7)  # its numbers are the same in all versions of NumPy
    model = classifier(rng, **parts)
    x = rng.random_sample((2 * BATCH, 8, 8, 1)).astype("float32")
    y = rng.randint(0, CLASSES, 2 * BATCH).astype("int32")
    losses = []
    for number in range(STEPS):
        if model.labels.timed:
            model.begin_epoch(1 + number // 2)
        index = rng.permutation(len(x))[:BATCH].astype("int32")
        model.reset_metrics()
        logs = model.train_on_batch({"image": x[index], "index": index}, y[index], return_dict=True)
        losses.append(float(logs["loss"]))
    bank = model.label_bank
    labels = np.zeros(0) if bank is None else keras.ops.convert_to_numpy(bank.labels)
    weights = np.concatenate([weight.ravel() for weight in model.net.get_weights()])
    return {"losses": losses, "labels": labels.ravel().tolist(), "weights": weights.tolist()}


def classifier(rng, **parts):
    inputs = x = keras.Input((8, 8, 1))
    x = BatchNorm()(keras.layers.Conv2D(4, 3, strides=2)(x))
    x = keras.ops.softplus(x)  # no kink: a rounding error on its other side would grow
    x = keras.layers.GlobalAveragePooling2D()(x)
    net = keras.Model(inputs, keras.layers.Dense(CLASSES)(x))
    net.set_weights([start(weight.shape, rng) for weight in net.get_weights()])
    kind, method = (FromBeside, registry.get("methods", "at")()) if parts else (PGD, None)
    attack = kind(norm="l2", eps=0.5, step_size=0.2, steps=4, random=False)  # no sign: it may jump
    parts = {"method": method or SLR(start_epoch=1)} | parts
    model = RobustClassifier(net, num_samples=2 * BATCH, attack=attack, **parts)
    rate = 0.02 if parts["method"].both else 0.1
    eager = method is not None  # nothing to compile for each
    model.compile(optimizer=SGD(rate, momentum=0.9, l2=5e-4), run_eagerly=eager)
    return model


def start(shape, rng):
    """Weights drawn, what belongs to BatchNorm and biases near one."""
    if len(shape) > 1:
        return rng.normal(0, 0.5, shape).astype("float32")
    return (1 + 0.1 * rng.random_sample(shape)).astype("float32")


@pytest.fixture(scope="module")
def found():
    return trajectory()


@pytest.mark.parametrize("part", ["losses", "labels", "weights"])
def test_eight_steps_agree_with_the_other_backends(found, part):
    want = json.loads(GOLDEN.read_text())[part]
    np.testing.assert_allclose(found[part], want, atol=1e-5)


def test_the_trajectory_moves(found):
    assert np.ptp(found["losses"]) > 0.05
    labels = np.array(found["labels"]).reshape(-1, CLASSES)
    assert ((labels.max(-1) < 0.99) & (labels.max(-1) > 0)).mean() > 0.8


@pytest.mark.parametrize("name", PARTS)
def test_each_method_and_each_label_scheme(name):
    found, want = trajectory(**PARTS[name]), json.loads(OTHERS.read_text())[name]
    for part, values in want.items():
        np.testing.assert_allclose(found[part], values, rtol=1e-5, atol=1e-5, err_msg=part)
    assert np.isfinite(found["losses"]).all() and np.ptp(found["losses"]) > 0.01


if __name__ == "__main__":
    GOLDEN.write_text(json.dumps(trajectory()) + "\n")
    OTHERS.write_text(json.dumps({name: trajectory(**kind) for name, kind in PARTS.items()}) + "\n")
