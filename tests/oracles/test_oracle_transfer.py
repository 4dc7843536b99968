"""Transfer between models whose answers are known."""

import keras
import numpy as np
import pytest

from slr_keras.attacks.fgsm import FGSM
from slr_keras.errors import DataError, UserError
from slr_keras.evaluation.transfer import transfer

SHAPE = (3, 3, 1)


def linear(w, b=0.0):
    """Logits (0, <w, x> + b) as a Keras model."""
    inputs = keras.Input(SHAPE)
    dense = keras.layers.Dense(2)
    net = keras.Model(inputs, dense(keras.layers.Flatten()(inputs)))
    dense.set_weights([np.stack([0 * w, w], 1).astype("float32"), np.array([0, b], "float32")])
    return net


@pytest.fixture
def images(rng):
    return (0.5 + 0.05 * rng.normal(size=(40, *SHAPE))).astype("float32")


def test_from_a_model_to_itself_and_to_one_that_looks_elsewhere(images):
    """The attack moves the pixels that the source looks at; the other model sees other pixels."""
    mine = np.array([1, -1, 1, -1, 0, 0, 0, 0, 0.0])
    other = np.array([0, 0, 0, 0, 0, 1, -1, 1, -1.0])
    y = (images.reshape(40, -1) @ mine > 0).astype("int32")
    attack = FGSM(eps=0.03)
    to_itself = transfer(attack, linear(mine), linear(mine), images, y)
    margin = abs(images.reshape(40, -1) @ mine)
    np.testing.assert_array_equal(to_itself.robust, margin > 0.03 * 4)
    np.testing.assert_array_equal(to_itself.source_fooled, ~to_itself.robust)
    assert to_itself.accuracy == 1 and 0 < to_itself.robust_accuracy < 1

    elsewhere = transfer(attack, linear(mine), linear(other), images, y)
    np.testing.assert_array_equal(elsewhere.robust, elsewhere.clean)
    np.testing.assert_array_equal(elsewhere.source_fooled, to_itself.source_fooled)


def test_what_cannot_be_transferred_is_refused(images):
    w, y = np.ones(9), np.zeros(40, "int32")
    net = linear(w)
    three = keras.Sequential([keras.Input(SHAPE), keras.layers.Flatten(), keras.layers.Dense(3)])
    with pytest.raises(DataError, match="same classes"):
        transfer(FGSM(), net, three, images, y)
    with pytest.raises(UserError, match="untargeted"):
        transfer(FGSM(targeted=True), net, net, images, y)
