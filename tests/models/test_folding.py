"""The attack's view of a network equals ``net(x, training=False)``, whatever the network."""

import keras
import numpy as np
import pytest
from keras import layers

import slr_keras as slr
from slr_keras.inference import InferenceNetwork
from slr_keras.settings import registry

SHAPE = (8, 8, 1)
# How many of the BatchNorms stand directly behind a convolution, and how many there are.
FOLDED = {
    "preact_resnet18": (8, 17),
    "resnet18": (20, 20),
    "resnet34": (36, 36),
    "small_cnn": (4, 4),
    "vgg16_bn": (13, 13),
    "wrn16_4": (6, 13),
    "wrn28_10": (12, 25),
    "wrn34_10": (15, 31),
}


def with_statistics(net):
    """The network with BatchNorm parameters and statistics as after some training."""
    rng = np.random.default_rng(0)
    for weight in net.weights:
        if "variance" in weight.path:
            weight.assign(rng.uniform(0.5, 2, weight.shape))
        elif len(weight.shape) == 1 and "seed" not in weight.path:
            weight.assign(rng.normal(0.3, 0.5, weight.shape))
    return net


def batch():
    return np.random.default_rng(1).random((4, *SHAPE), dtype="float32")


def difference(net, dtype=None):
    """Largest difference of logits, relative to the largest logit."""
    wanted = np.asarray(net(batch(), training=False))
    logits = InferenceNetwork(net, dtype).snapshot()(batch())
    assert keras.backend.standardize_dtype(logits.dtype) == "float32"
    return np.abs(np.asarray(logits) - wanted).max() / np.abs(wanted).max()


def folded(net):
    return sum(layer._held.bn is not None for layer in InferenceNetwork(net).frozen)


@pytest.mark.parametrize("name", sorted(registry.variants("models")))
def test_architectures(name):
    width = 1 if name.startswith("wrn") else 8
    net = with_statistics(getattr(slr.models, name)(SHAPE, 10, width=width))
    norms = sum(isinstance(layer, layers.BatchNormalization) for layer in net.layers)
    assert difference(net) < 1e-5
    assert difference(net, "bfloat16") < 5e-2
    assert (folded(net), norms) == FOLDED[name]


def head(x):
    return layers.Dense(3)(layers.GlobalAveragePooling2D()(x))


def conv(x, **options):
    return layers.Conv2D(4, 3, padding="same", **options)(x)


def shared_pair(x):
    convolution, norm = layers.Conv2D(4, 3, padding="same"), layers.BatchNormalization()
    x = conv(x)
    for _ in range(2):
        x = layers.ReLU()(norm(convolution(x)))
    return x


def shared_convolution(x):
    convolution = layers.Conv2D(4, 3, padding="same")
    return convolution(layers.BatchNormalization()(convolution(conv(x))))


def shared_norm(x):
    norm = layers.BatchNormalization()
    return layers.Add()([norm(conv(x)), norm(conv(x))])


def two_readers(x):
    x = conv(x)
    return layers.Add()([x, layers.BatchNormalization()(x)])


def activated_convolution(x):
    return layers.BatchNormalization()(conv(x, activation="relu"))


def grouped_convolution(x):
    return layers.BatchNormalization()(layers.Conv2D(4, 3, groups=2)(conv(x)))


def norm_over_rows(x):
    return layers.BatchNormalization(axis=1)(conv(x))


def operations(x):
    x = layers.BatchNormalization()(conv((x - 0.5) * 2))
    return keras.ops.relu(x) + keras.ops.mean(x, axis=(1, 2), keepdims=True)


def options(x):
    x = layers.BatchNormalization(scale=False)(conv(x, use_bias=False, dilation_rate=2))
    return layers.BatchNormalization(center=False)(layers.Conv2D(4, 2, strides=2)(x))


def nested(x):
    inner = keras.Input((8, 8, 4))
    model = keras.Model(inner, layers.ReLU()(layers.BatchNormalization()(conv(inner))))
    return layers.BatchNormalization()(conv(model(conv(x))))


@pytest.mark.parametrize(
    ("body", "count"),
    [
        (shared_pair, 0),
        (shared_convolution, 0),
        (shared_norm, 0),
        (two_readers, 0),
        (activated_convolution, 0),
        (grouped_convolution, 0),
        (norm_over_rows, 0),
        (operations, 1),
        (options, 2),
        (nested, 1),
    ],
)
def test_users_functional_model(body, count):
    inputs = keras.Input(SHAPE)
    net = with_statistics(keras.Model(inputs, head(body(inputs))))
    assert difference(net) < 1e-5
    assert difference(net, "bfloat16") < 5e-2
    assert folded(net) == count


def stack():
    return [
        layers.Rescaling(2.0, -1.0),
        layers.Conv2D(4, 3, strides=2),
        layers.BatchNormalization(),
        layers.Activation("gelu"),
        layers.BatchNormalization(),
        layers.DepthwiseConv2D(2),
        layers.Dropout(0.5),
        layers.Flatten(),
        layers.Dense(6, activation="tanh"),
        layers.Dense(3),
    ]


@pytest.mark.parametrize("build", ["input", "build", "call"])
def test_users_sequential_model(build):
    net = keras.Sequential(([keras.Input(SHAPE)] if build == "input" else []) + stack())
    if build == "build":
        net.build((None, *SHAPE))
    if build == "call":
        net(batch())
    with_statistics(net)
    assert difference(net) < 1e-5
    assert difference(net, "bfloat16") < 5e-2
    assert folded(net) == 1


class Shift(layers.Layer):
    """A layer without ``get_config`` whose argument cannot be serialised."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def call(self, x):
        return self.function(x)


@pytest.mark.parametrize("layer", [Shift, layers.Lambda])
def test_layers_that_cannot_be_serialised(layer):
    inputs = keras.Input(SHAPE)
    net = keras.Model(inputs, head(layer(lambda x: 2 * x - 1)(conv(inputs))))
    assert difference(with_statistics(net)) < 1e-5
    assert difference(net, "bfloat16") < 5e-2


class Subclassed(keras.Model):
    def __init__(self):
        super().__init__()
        self.convolution, self.norm = layers.Conv2D(4, 3), layers.BatchNormalization()
        self.dense = layers.Dense(3)

    def call(self, x, training=None):
        return self.dense(keras.ops.mean(self.norm(self.convolution(x), training=training), (1, 2)))


def test_subclassed_model_runs_as_it_is():
    net = Subclassed()
    net(batch())
    assert difference(with_statistics(net)) == 0


@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16"])
def test_what_does_not_compute_in_float32_is_folded_on_demand_only(policy):
    inner = keras.Input(SHAPE)
    inner = keras.Model(inner, conv(inner, dtype=policy))
    net = keras.Sequential([keras.Input(SHAPE), inner, layers.Flatten(), layers.Dense(3)])
    assert bool(InferenceNetwork(net).frozen) is (policy == "float32")
    assert InferenceNetwork(net, "bfloat16").frozen


def test_compiled_model():
    net = keras.Sequential([keras.Input(SHAPE), layers.Flatten(), layers.Dense(3)])
    net.compile("sgd", loss=lambda y, z: keras.ops.mean(z))
    assert difference(net) < 1e-6


def test_snapshot_follows_the_weights_and_leaves_them_alone():
    net = with_statistics(slr.models.small_cnn(SHAPE, 10, width=4))
    twin = InferenceNetwork(net)
    before = [weight.numpy().copy() for weight in net.weights]
    twin.snapshot()(batch())
    for weight, value in zip(net.weights, before, strict=True):
        np.testing.assert_array_equal(weight, value)
    for weight in net.weights:
        weight.assign(weight * 1.5)
    np.testing.assert_allclose(
        twin.snapshot()(batch()), net(batch(), training=False), rtol=1e-4, atol=1e-4
    )
    assert len(net.weights) == len(before)


def test_folded_weights_kept_from_before_give_the_logits_from_before():
    net = with_statistics(slr.models.small_cnn(SHAPE, 10, width=4))
    twin = InferenceNetwork(net)
    old = twin.fold()
    wanted = np.asarray(twin.on(old)(batch()))
    for weight in net.weights:
        weight.assign(weight * 1.5)
    new = np.asarray(twin.snapshot()(batch()))
    np.testing.assert_array_equal(twin.on(old)(batch()), wanted)
    np.testing.assert_array_equal(twin.on(twin.fold())(batch()), new)
    assert np.abs(new - wanted).max() > 0.1
