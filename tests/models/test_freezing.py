"""All but the head held still: nothing of it moves, and afterwards all is as it was."""

import keras
import numpy as np
import pytest
from keras import layers

import slr_keras as slr
from slr_keras.errors import ModelError
from slr_keras.models import _freezing, _heads


def images():
    return np.random.default_rng(0).random((16, 8, 8, 1), dtype="float32")


def body():
    return [layers.Conv2D(4, 3), layers.BatchNormalization(), layers.GlobalAveragePooling2D()]


def sequential():
    return keras.Sequential([keras.Input((8, 8, 1)), *body(), layers.Dense(10)])


def nested():
    """A head inside of one of two nested models."""
    inner = keras.Sequential([keras.Input((8, 8, 1)), layers.Conv2D(2, 3, padding="same")])
    ending = keras.Sequential([keras.Input((8, 8, 2)), *body(), layers.Dense(10)])
    return keras.Sequential([keras.Input((8, 8, 1)), inner, layers.Dropout(0.5), ending])


def ours():
    return slr.models.small_cnn((8, 8, 1), 10, width=2, strides=(1, 2))


NETWORKS = [sequential, nested, ours]


def flags(net):
    parts = [*net._flatten_layers(), *net.variables]
    return [part.trainable for part in parts]


@pytest.mark.parametrize("make", NETWORKS)
def test_only_the_head_is_trainable(make):
    net = make()
    _freezing.freeze(net)
    assert list(map(id, net.trainable_variables)) == list(map(id, _heads.find(net).weights))
    assert _freezing.is_frozen(net)


@pytest.mark.parametrize("make", NETWORKS)
def test_statistics_stay_where_they_are(make):
    net = make()
    before = net.get_weights()
    _freezing.freeze(net)
    for _ in range(3):
        net(images(), training=True)
    for weight, kept in zip(net.get_weights(), before, strict=True):
        np.testing.assert_array_equal(weight, kept)
    _freezing.thaw(net)
    net(images(), training=True)
    moved = [not np.array_equal(a, b) for a, b in zip(net.get_weights(), before, strict=True)]
    assert any(moved)


def test_the_body_is_in_inference_mode():
    net = sequential()
    _freezing.freeze(net)
    np.testing.assert_array_equal(net(images(), training=True), net(images(), training=False))


@pytest.mark.parametrize("make", NETWORKS)
def test_what_was_frozen_before_stays_so(make):
    net = make()
    first = next(layer for layer in net._flatten_layers() if isinstance(layer, layers.Conv2D))
    first.trainable = False
    next(v for v in net.trainable_variables if v.name == "gamma").trainable = False
    before = flags(net)
    _freezing.freeze(net)
    _freezing.freeze(net)
    assert flags(net) != before
    _freezing.thaw(net)
    assert flags(net) == before and not _freezing.is_frozen(net)
    _freezing.thaw(net)
    assert flags(net) == before


def test_what_is_made_of_a_frozen_network_is_not_frozen(tmp_path):
    net = ours()
    count = len(net.trainable_variables)
    _freezing.freeze(net)
    with _freezing.thawed(net):
        net.save(tmp_path / "net.keras")
    assert _freezing.is_frozen(net) and len(net.trainable_variables) == 2
    again = keras.models.load_model(tmp_path / "net.keras")
    assert len(again.trainable_variables) == count
    with _freezing.thawed(again):
        pass
    assert not _freezing.is_frozen(again)


def test_the_order_of_weights_stays():
    net = ours()
    before = list(map(id, net.weights))
    _freezing.freeze(net)
    assert list(map(id, net.weights)) == before


def test_an_optimiser_that_knows_all_takes_the_head_alone():
    net = ours()
    optimizer = slr.optimizers.SGD(learning_rate=0.1, momentum=0.9, l2=5e-4)
    optimizer.build(net.trainable_variables)
    before = net.get_weights()
    _freezing.freeze(net)
    ones = [np.ones(v.shape, "float32") for v in net.trainable_variables]
    optimizer.apply(ones, net.trainable_variables)
    moved = [not np.array_equal(a, b) for a, b in zip(net.get_weights(), before, strict=True)]
    assert moved == [False] * (len(before) - 2) + [True] * 2


def test_a_network_without_a_head():
    with pytest.raises(ModelError, match="no head can be told"):
        _freezing.freeze(keras.Sequential([keras.Input((8, 8, 1)), *body()]))
