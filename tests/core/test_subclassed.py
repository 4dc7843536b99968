"""Networks that are subclasses of keras.Model go through every door, as functional ones do."""

import keras
import numpy as np
import pytest

import slr_keras as slr
from slr_keras import networks, saving
from slr_keras.attacks.pgd import PGD
from slr_keras.errors import ModelError
from slr_keras.training.robust_classifier import RobustClassifier

SHAPE, CLASSES = (8, 8, 1), 10
ATTACK = PGD(eps=16 / 255, step_size=4 / 255, steps=3, random=False)


@keras.saving.register_keras_serializable("tests")
class Subclassed(keras.Model):
    """A convolution, BatchNorm, a dense layer; ``call`` is code."""

    def __init__(self, filters=4, **options):
        super().__init__(**options)
        self.filters = filters
        self.convolution = keras.layers.Conv2D(filters, 3, activation="relu")
        self.norm = keras.layers.BatchNormalization()
        self.flatten, self.dense = keras.layers.Flatten(), keras.layers.Dense(CLASSES)

    def call(self, x, training=None):
        return self.dense(self.flatten(self.norm(self.convolution(x), training=training)))

    def get_config(self):
        return super().get_config() | {"filters": self.filters}


class Silent(keras.Model):
    """Builds its weights in a ``build`` of its own, on no shape at all."""

    def __init__(self, **options):
        super().__init__(**options)
        self.dense = keras.layers.Dense(CLASSES)

    def build(self, input_shape=None):
        self.dense.build((None, 64))
        self.built = True

    def call(self, x):
        return self.dense(keras.ops.reshape(x, (-1, 64)))


def functional_twin(net):
    """The same layers and weights as a functional model."""
    image = keras.Input(SHAPE)
    x = keras.layers.Conv2D(net.filters, 3, activation="relu")(image)
    x = keras.layers.Flatten()(keras.layers.BatchNormalization()(x))
    twin = keras.Model(image, keras.layers.Dense(CLASSES)(x))
    twin.set_weights(net.get_weights())
    return twin


def called():
    net = Subclassed()
    net(np.zeros((4, *SHAPE), "float32"))
    return net


def built():
    net = Subclassed()
    net.build((None, *SHAPE))
    return net


def silent():
    net = Silent()
    net.build()
    return net


@pytest.mark.parametrize(
    ("make", "options"),
    [
        (called, {}),
        (called, {"input_shape": SHAPE}),
        (built, {}),
        (Subclassed, {"input_shape": SHAPE}),
        (silent, {"input_shape": SHAPE}),
        (lambda: keras.Sequential([keras.layers.Flatten(), keras.layers.Dense(CLASSES)]),
         {"input_shape": SHAPE}),
    ],
    ids=["called", "called and told", "built", "told", "silent", "sequential"],
)  # fmt: skip
def test_every_way_to_build_a_network_is_taken(make, options):
    model = RobustClassifier(make(), num_samples=8, **options)
    assert networks.input_shape(model.net) == (None, *SHAPE)
    assert networks.num_classes(model.net) == CLASSES


@pytest.mark.parametrize(
    ("make", "options", "words"),
    [
        (Subclassed, {}, "call it on a batch first or state the shape"),
        (silent, {}, "state the shape"),
        (called, {"input_shape": (9, 9, 1)}, "the network takes"),
        (called, {"input_shape": (8, 8)}, "expected .H, W, C."),
        (silent, {"input_shape": (9, 9, 1)}, "does not take images"),
    ],
)
def test_networks_that_do_not_say_enough(make, options, words):
    with pytest.raises(ModelError, match=words):
        RobustClassifier(make(), num_samples=8, **options)


@pytest.fixture(scope="module")
def pair(digits):
    """A subclassed network and its functional twin, both trained on the same batches."""
    x, y = digits[0][:96], digits[1][:96]
    keras.utils.set_random_seed(1)
    net = called()
    models = []
    for one in (net, functional_twin(net)):
        method = slr.methods.SLR(start_epoch=2)
        models.append(RobustClassifier(one, num_samples=96, method=method, attack=ATTACK))
        models[-1].compile(keras.optimizers.SGD(0.1))
        models[-1].fit(x, y, batch_size=32, epochs=3, shuffle=False, verbose=0)
    return models


def test_training_does_to_it_what_it_does_to_a_functional_one(pair):
    mine, twin = (model.net.get_weights() for model in pair)
    for a, b in zip(mine, twin, strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=2e-5)
    labels = [keras.ops.convert_to_numpy(model.label_bank.labels) for model in pair]
    np.testing.assert_allclose(*labels, rtol=0, atol=2e-5)


def test_evaluate_predict_and_attack(pair, digits):
    x, y = digits[0][:64], digits[1][:64]
    mine, twin = (model.evaluate(x, y, verbose=0, return_dict=True) for model in pair)
    assert mine == pytest.approx(twin, abs=1e-4)
    np.testing.assert_allclose(*(model.predict(x, verbose=0) for model in pair), atol=1e-4)
    net = pair[0].net
    np.testing.assert_allclose(ATTACK(net, x, y), ATTACK(pair[1].net, x, y), atol=1e-4)
    reports = [
        slr.evaluation.evaluate(model.net, x[:16], y[:16], ("clean", "pgd-3"), eps=16 / 255)
        for model in pair
    ]
    mine, twin = ([row.right for row in report.rows] for report in reports)
    assert mine == twin


def test_saved_and_loaded_it_goes_on(pair, digits, tmp_path):
    model, x = pair[0], digits[0][:8]
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(again.predict(x, verbose=0), model.predict(x, verbose=0))
    labels = [keras.ops.convert_to_numpy(m.label_bank.labels) for m in (model, again)]
    np.testing.assert_array_equal(*labels)
    net = saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(net.predict(x, verbose=0), model.predict(x, verbose=0))


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="needs the class elsewhere")
def test_its_saved_model_is_the_network(pair, tmp_path):
    pair[0].export(tmp_path / "saved")  # read back in a fresh process, which raises if it differs
    assert (tmp_path / "saved" / "saved_model.pb").is_file()


@pytest.mark.parametrize("options", [{"ema_decay": 0.9}, {"swa_start_epoch": 1}])
def test_averages_of_its_weights(digits, options):
    x, y = digits[0][:64], digits[1][:64]
    model = RobustClassifier(called(), num_samples=64, attack=ATTACK, **options)
    model.compile(keras.optimizers.SGD(0.1))
    model.fit(x, y, batch_size=32, epochs=2, verbose=0)
    logits = keras.ops.convert_to_numpy(model.trained_network()(x, training=False))
    np.testing.assert_allclose(logits, model.predict(x, verbose=0), atol=1e-5)
