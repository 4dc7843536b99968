"""RobustAccuracy in a plain fit: judged by the closed form of a linear classifier."""

import math

import numpy as np
import pytest

from slr_keras import attacks, callbacks, networks
from slr_keras.analysis import onset
from slr_keras.attacks._base import Attack
from slr_keras.attacks.pgd import PGD
from slr_keras.backend import keras, ops
from slr_keras.callbacks import Diagnoses
from slr_keras.errors import DataError, ModelError, UserError
from slr_keras.evaluation.runner import Evaluation
from slr_keras.methods.at import AT
from slr_keras.testing._base import classifier, digits

EPS = 0.05
SHAPE = (4, 4, 1)
RNG = np.random.default_rng(0)
X = (0.3 + 0.4 * RNG.random((120, *SHAPE))).astype("float32")  # far from 0 and 1: no clipping
Y = (X.sum((1, 2, 3)) > np.median(X.sum((1, 2, 3)))).astype("int32")
ATTACK = attacks.PGD(eps=EPS, step_size=EPS / 2, steps=6, random=False)


class Sub(keras.Model):
    """A subclassed network with a layer called ``net``, which is not the network."""

    def __init__(self, activation=None):
        super().__init__()
        self.flat, self.net = keras.layers.Flatten(), keras.layers.Dense(2, activation=activation)

    def call(self, x, training=None):
        return self.net(self.flat(x))


def linear(kind):
    keras.utils.set_random_seed(0)
    layers = keras.layers
    if kind.startswith("subclass"):
        net = Sub("softmax" if "softmax" in kind else None)
        net(np.zeros((1, *SHAPE), "float32"))
        return net
    ends = {
        "logits": [layers.Dense(2)],
        "softmax": [layers.Dense(2, activation="softmax")],
        "activation": [layers.Dense(2), layers.Activation("softmax")],
        "layer": [layers.Dense(2), layers.Softmax()],
        "function": [layers.Dense(2), layers.Lambda(keras.ops.softmax)],
    }
    return keras.Sequential([keras.Input(SHAPE), layers.Flatten(), *ends[kind]])


def closed_form(net, x, y):
    """Shares right when clean, and for every perturbation: margin > eps |w_y - w_other|_1."""
    kernel, bias = (ops.convert_to_numpy(w).astype("float64") for w in net.weights)
    z = x.reshape(len(x), -1) @ kernel + bias
    margin = np.where(y == 1, z[:, 1] - z[:, 0], z[:, 0] - z[:, 1])
    worst = margin - EPS * np.abs(kernel[:, 1] - kernel[:, 0]).sum()
    return float((margin > 0).mean()), float((worst > 0).mean())


class Kept(keras.callbacks.Callback):
    """The closed form after each epoch."""

    def __init__(self):
        super().__init__()
        self.found = []

    def on_epoch_end(self, epoch, logs=None):
        self.found.append(closed_form(self.model, X, Y))


def fitted(net, *watches, epochs=3):
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=_gives_logits(net))
    net.compile(keras.optimizers.SGD(0.5), loss)
    return net.fit(X, Y, epochs=epochs, batch_size=40, verbose=0, callbacks=list(watches))


def _gives_logits(net):
    return not np.allclose(ops.convert_to_numpy(net(X[:4])).sum(-1), 1)


KINDS = ["logits", "softmax", "activation", "layer", "function", "subclass", "subclass softmax"]


@pytest.mark.parametrize("kind", KINDS)
def test_of_any_classifier_the_closed_form(kind):
    net, kept = linear(kind), Kept()
    watch = callbacks.RobustAccuracy(ATTACK, (X, Y), batch_size=50)
    history = fitted(net, watch, kept).history
    clean, robust = np.array(kept.found).T
    np.testing.assert_allclose(history["val_clean_accuracy"], clean)
    np.testing.assert_allclose(history["val_robust_accuracy"], robust)
    assert watch.epochs == [1, 2, 3] and watch.robust == list(robust)
    assert 0.1 < robust[-1] < clean[-1] < 1  # neither says all or nothing


def test_what_a_network_without_its_softmax_gives():
    net = linear("softmax")
    z = ops.convert_to_numpy(networks.with_logits(net)(X))
    np.testing.assert_allclose(np.log(ops.convert_to_numpy(net(X))), z - _lse(z), atol=1e-5)
    sharp = 200 * np.eye(2, 16).T.astype("float32")
    net.set_weights([sharp, np.zeros(2, "float32")])  # a softmax says 1.0 and 0.0
    z = ops.convert_to_numpy(networks.with_logits(net)(X))
    np.testing.assert_allclose(z, X.reshape(120, -1) @ sharp, rtol=1e-5)


def _lse(z):
    return np.log(np.exp(z - z.max(-1, keepdims=True)).sum(-1, keepdims=True)) + z.max(
        -1, keepdims=True
    )


def test_every_other_epoch_and_the_last():
    watch = callbacks.RobustAccuracy(ATTACK, (X, Y), every=2, train=(X[:40], Y[:40]), name="a")
    history = fitted(linear("logits"), watch, epochs=5).history
    missing = [math.isnan(value) for value in history["a_robust_accuracy"]]
    assert missing == [True, False, True, False, False] and watch.epochs == [2, 4, 5]
    assert len(watch.train) == 3 and "a_train_robust_accuracy" in history


def test_callbacks_after_it_see_it():
    watch = callbacks.RobustAccuracy(ATTACK, (X, Y))
    stop = keras.callbacks.EarlyStopping("val_robust_accuracy", mode="min", patience=0, baseline=-1)
    assert len(fitted(linear("logits"), watch, stop, epochs=4).epoch) == 2


def test_batches_are_data_too():
    batches = [({"image": X[i : i + 50], "index": None}, Y[i : i + 50]) for i in (0, 50, 100)]
    watch, other = (callbacks.RobustAccuracy(ATTACK, data) for data in (batches, (X, Y)))
    other.name = "other"
    fitted(linear("logits"), watch, other, epochs=1)
    assert watch.robust == other.robust


def test_overfitting_is_told_once_and_stops(monkeypatch, capsys):
    falls = iter([0.5] * 12 + [0.2] * 28)

    class Scripted:
        def __init__(self, *_, **__):
            pass

        def run(self, x, y):
            return Evaluation(np.ones(len(x), bool), np.arange(len(x)) < next(falls) * len(x))

    monkeypatch.setattr(callbacks, "Evaluator", Scripted)
    watch = callbacks.RobustAccuracy(ATTACK, (X, Y), stop=True)
    history = fitted(linear("logits"), watch, epochs=40)
    said = capsys.readouterr().out
    assert watch.onset.state == onset.SINCE and watch.onset.best_epoch == 1
    assert 13 < len(history.epoch) < 25 and said.count("Overfitting since epoch") == 1


@pytest.mark.parametrize(
    "make, error, message",
    [
        (
            lambda: callbacks.RobustAccuracy("pgd", (X, Y)),
            UserError,
            "attack: expected slr",
        ),
        (lambda: callbacks.RobustAccuracy(ATTACK, (X, Y), every=0), UserError, "every: expected 1"),
        (lambda: callbacks.RobustAccuracy(ATTACK, (X, Y[:9])), DataError, "a label for each image"),
        (
            lambda: callbacks.RobustAccuracy(ATTACK, (X * 3, Y)),
            DataError,
            "float values",
        ),
        (lambda: callbacks.RobustAccuracy(ATTACK, 7), UserError, "expected .x, y. or batches"),
        (lambda: callbacks.RobustAccuracy(ATTACK, []), UserError, "received none"),
        (
            lambda: callbacks.RobustAccuracy(attacks.PGD(targeted=True), (X, Y)),
            UserError,
            "untargeted",
        ),
    ],
)
def test_what_is_refused_before_training(make, error, message):
    with pytest.raises(error, match=message):
        make()


def test_what_is_refused_at_the_first_epoch():
    twice = [callbacks.RobustAccuracy(ATTACK, (X, Y)) for _ in range(2)]
    with pytest.raises(UserError, match="name: 'val' is taken"):
        fitted(linear("logits"), *twice, epochs=1)
    with pytest.raises(DataError, match="expected labels 0 to 1, received"):
        fitted(linear("logits"), callbacks.RobustAccuracy(ATTACK, (X, Y + 1)), epochs=1)
    one = keras.Sequential([keras.Input(SHAPE), keras.layers.Flatten(), keras.layers.Dense(1)])
    one.compile("sgd", "mse")
    with pytest.raises(ModelError, match="K >= 2 classes"):
        one.fit(X, Y, verbose=0, callbacks=[callbacks.RobustAccuracy(ATTACK, (X, Y))])


def test_the_network_of_a_subclass_is_the_whole_of_it():
    """A layer that is called ``net`` is not taken for the network."""
    net = linear("subclass")
    assert networks.unwrapped(net) is net and isinstance(ATTACK, Attack)
    found = ops.convert_to_numpy(ATTACK(net, X, Y))
    assert np.abs(found - X).max() == pytest.approx(EPS, rel=1e-4)


def test_diagnoses_speak_in_fit(capsys):
    x, y = digits(40)
    attack = PGD(norm="l2", eps=8 / 255, step_size=0.01, steps=1)
    model = classifier(40, method=AT(), attack=attack)
    model.optimizer.learning_rate = 50.0
    watch = Diagnoses(samples=40)
    model.fit(x, y, batch_size=10, epochs=4, verbose=0, callbacks=[watch])
    assert "radius" in watch.told and "exploding_loss" in watch.told
    out = capsys.readouterr().out
    assert "unusual radius: attack.eps" in out and "loss explodes: the loss is" in out
    assert "--optimizer.learning_rate 0.1" in watch.told["exploding_loss"]


def test_diagnoses_are_of_our_classifier():
    image = keras.Input((8, 8, 1))
    net = keras.Model(image, keras.layers.Dense(10)(keras.layers.Flatten()(image)))
    net.compile("sgd", "mse")
    with pytest.raises(UserError, match="expected a RobustClassifier"):
        net.fit(np.zeros((4, 8, 8, 1)), np.zeros((4, 10)), callbacks=[Diagnoses()], verbose=0)
