"""Every registered architecture: size, shapes, save and load; iterates the registry."""

import functools

import keras
import numpy as np
import pytest

import slr_keras as slr
from slr_keras.errors import SettingError
from slr_keras.models._base import Architecture
from slr_keras.settings import registry

NAMES = sorted(registry.variants("models"))
PARAMETERS = {
    "preact_resnet18": 11_172_170,
    "resnet18": 11_173_962,
    "resnet34": 21_282_122,
    "vgg16_bn": 14_728_266,
    "wrn16_4": 2_748_890,
    "wrn28_10": 36_479_194,
    "wrn34_10": 46_160_474,
}


@functools.cache
def narrow(name, shape=(8, 8, 1), classes=10):
    """The architecture with few channels."""
    return getattr(slr.models, name)(shape, classes, width=1 if name.startswith("wrn") else 4)


def trainable(net):
    return sum(int(np.prod(weight.shape)) for weight in net.trainable_weights)


def images(shape, count=3):
    return np.random.default_rng(0).random((count, *shape), dtype="float32")


@pytest.mark.parametrize("name", sorted(PARAMETERS))
def test_trainable_parameters_are_those_of_the_literature(name):
    with keras.device("cpu"):
        net = getattr(slr.models, name)((32, 32, 3), 10)
    assert trainable(net) == PARAMETERS[name]


def test_every_name_is_an_attribute_even_after_its_module_was_imported():
    for name in NAMES:
        assert callable(getattr(slr.models, name))


def test_unknown_architecture_is_an_attribute_error():
    with pytest.raises(AttributeError, match="resnet19"):
        slr.models.resnet19  # noqa: B018


@pytest.mark.parametrize(("shape", "classes"), [((8, 8, 1), 10), ((9, 11, 2), 7)])
@pytest.mark.parametrize("name", NAMES)
def test_logits_for_any_size_and_number_of_channels(name, shape, classes):
    logits = narrow(name, shape, classes)(images(shape), training=False)
    assert logits.shape == (3, classes)
    assert np.isfinite(logits).all()
    assert np.abs(np.sum(keras.ops.softmax(logits), axis=1) - 1).max() < 1e-5


@pytest.mark.parametrize("name", NAMES)
def test_last_layer_gives_float32_logits_without_activation(name):
    net = narrow(name)
    assert net.layers[-1].name == "logits"
    assert net.layers[-1].activation is keras.activations.linear
    assert net.layers[-1].compute_dtype == "float32"


@pytest.mark.parametrize("name", NAMES)
def test_saved_and_loaded_it_computes_the_same(name, tmp_path):
    net = narrow(name)
    x = images((8, 8, 1))
    net(x, training=True)
    net.save(tmp_path / "net.keras")
    again = keras.models.load_model(tmp_path / "net.keras")
    np.testing.assert_array_equal(net(x, training=False), again(x, training=False))


@pytest.mark.parametrize("name", NAMES)
def test_every_trainable_weight_gets_a_gradient(name):
    import tensorflow as tf

    net = narrow(name)
    with tf.GradientTape() as tape:
        value = tf.reduce_sum(net(images((8, 8, 1), 4), training=True) ** 2)
    gradients = tape.gradient(value, [weight.value for weight in net.trainable_weights])
    assert all(gradient is not None for gradient in gradients)


@pytest.mark.parametrize("name", NAMES)
def test_width_zero_is_refused(name):
    with pytest.raises(SettingError, match="width"):
        getattr(slr.models, name)((8, 8, 1), 10, width=0)


def test_small_cnn_has_a_convolution_for_each_stride():
    net = slr.models.small_cnn((8, 8, 1), 10, width=2, strides=(2, 1))
    kernels = [layer.kernel.shape for layer in net.layers if isinstance(layer, keras.layers.Conv2D)]
    assert kernels == [(3, 3, 1, 2), (3, 3, 2, 4)]
    for strides in ((), 9 * (1,)):
        with pytest.raises(SettingError, match="expected 1 to 8 numbers"):
            slr.models.small_cnn((8, 8, 1), 10, strides=strides)


def test_base_architecture_cannot_be_built():
    with pytest.raises(TypeError, match="build"):
        Architecture().build((8, 8, 1), 10)


def test_vgg_pools_only_while_there_is_something_to_halve():
    pools = [
        sum(isinstance(layer, keras.layers.MaxPooling2D) for layer in net.layers)
        for net in (narrow("vgg16_bn", (8, 8, 1)), narrow("vgg16_bn", (32, 32, 3)))
    ]
    assert pools == [3, 5]
