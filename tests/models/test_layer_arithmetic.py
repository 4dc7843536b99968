"""The layers against NumPy, by hand: padding, BatchNorm, initial weights, shortcuts."""

import keras
import numpy as np
import pytest

from slr_keras.batch_norm import BatchNorm
from slr_keras.models import _layers

RNG = np.random.default_rng(3)


def numpy_conv(x, kernel, bias, stride):
    """Zero padding of ``k // 2`` on every side, then a plain sum over each window."""
    k = kernel.shape[0]
    x = np.pad(x, ((0, 0), (k // 2, k // 2), (k // 2, k // 2), (0, 0)))
    rows = range(0, x.shape[1] - k + 1, stride)
    columns = range(0, x.shape[2] - k + 1, stride)
    patches = [[x[:, r : r + k, c : c + k, :] for c in columns] for r in rows]
    windows = np.array(patches).transpose(2, 0, 1, 3, 4, 5)
    return np.tensordot(windows, kernel, axes=3) + bias


def built(function, shape):
    """A model of one helper and its first layer that has weights."""
    inputs = keras.Input(shape)
    net = keras.Model(inputs, function(inputs))
    return net, next(layer for layer in net.layers if layer.weights)


@pytest.mark.parametrize("shape", [(8, 8, 2), (7, 9, 1)])
@pytest.mark.parametrize(("kernel", "stride"), [(3, 1), (3, 2), (1, 1), (1, 2)])
def test_convolution_pads_like_pytorch(shape, kernel, stride):
    net, layer = built(lambda x: _layers.conv(x, 3, kernel, stride, bias=True), shape)
    x = RNG.normal(size=(2, *shape)).astype("float32")
    weights, bias = (np.asarray(weight) for weight in layer.weights)
    wanted = numpy_conv(x.astype("float64"), weights.astype("float64"), bias, stride)
    np.testing.assert_allclose(net(x), wanted, atol=1e-5)


def test_batch_norm_in_training_mode_normalises_by_the_batch_and_keeps_the_unbiased_variance():
    layer = BatchNorm()
    x = RNG.normal(2.0, 3.0, size=(3, 4, 5, 6)).astype("float32")
    layer.build(x.shape)
    gamma, beta = (RNG.normal(size=6).astype("float32") for _ in range(2))
    layer.gamma.assign(gamma)
    layer.beta.assign(beta)
    mean, var = x.mean((0, 1, 2), dtype="float64"), x.var((0, 1, 2), dtype="float64")
    n = 3 * 4 * 5
    y = layer(x, training=True)
    np.testing.assert_allclose(y, (x - mean) / np.sqrt(var + 1e-5) * gamma + beta, atol=1e-5)
    np.testing.assert_allclose(layer.moving_mean, 0.1 * mean, rtol=1e-5)
    np.testing.assert_allclose(layer.moving_variance, 0.9 + 0.1 * var * n / (n - 1), rtol=1e-5)


def test_batch_norm_in_inference_mode_uses_and_keeps_the_moving_statistics():
    layer = BatchNorm()
    x = RNG.normal(size=(2, 3, 3, 4)).astype("float32")
    layer.build(x.shape)
    mean, variance = RNG.normal(size=4), RNG.uniform(0.5, 2, size=4)
    layer.moving_mean.assign(mean)
    layer.moving_variance.assign(variance)
    y = layer(x, training=False)
    np.testing.assert_allclose(y, (x - mean) / np.sqrt(variance + 1e-5), atol=1e-5)
    np.testing.assert_allclose(layer.moving_mean, mean, rtol=1e-6)


def test_frozen_batch_norm_does_not_move_in_training_mode():
    layer = BatchNorm(trainable=False)
    x = RNG.normal(5.0, size=(2, 3, 3, 4)).astype("float32")
    layer(x, training=True)
    np.testing.assert_array_equal(layer.moving_mean, np.zeros(4))


def test_initial_weights_are_uniform_in_one_over_root_fan_in():
    keras.utils.set_random_seed(1)
    _, layer = built(lambda x: _layers.conv(x, 64, bias=True), (8, 8, 16))
    bound = (3 * 3 * 16) ** -0.5
    kernel, bias = (np.asarray(weight) for weight in layer.weights)
    for values in (kernel, bias):
        assert np.abs(values).max() <= bound
        assert np.abs(values).max() > 0.9 * bound
    assert abs(kernel.std() - bound / np.sqrt(3)) < 0.01 * bound


def test_the_same_seed_gives_the_same_network():
    nets = []
    for _ in range(2):
        keras.utils.set_random_seed(4)
        nets.append(built(lambda x: _layers.classifier(_layers.conv(x, 3), 5), (8, 8, 1))[0])
    for a, b in zip(nets[0].weights, nets[1].weights, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(("channels", "stride", "layers"), [(3, 1, 0), (3, 2, 1), (4, 1, 1)])
def test_shortcut_is_a_convolution_only_where_the_shape_changes(channels, stride, layers):
    inputs = keras.Input((8, 8, 3))
    outputs = _layers.shortcut(inputs, channels, stride)
    if not layers:
        assert outputs is inputs
        return
    net = keras.Model(inputs, outputs)
    assert len(net.weights) == layers
    assert net.output_shape == (None, 8 // stride, 8 // stride, channels)
