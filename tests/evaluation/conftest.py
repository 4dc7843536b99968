"""A small network that was trained on the digits, shared; tests do not change it."""

import random

import keras
import numpy as np
import pytest


@pytest.fixture(scope="session")
def net(digits):
    random.seed(0)
    net = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            keras.layers.Conv2D(8, 3, activation="relu"),
            keras.layers.Flatten(),
            keras.layers.Dense(10),
        ]
    )
    net.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    net.fit(*digits, epochs=25, verbose=0)
    return net


@pytest.fixture(scope="session")
def preceded(net):
    """``preceded(function)``: the network with a function of the image before it."""

    def make(function):
        class Before(keras.layers.Layer):
            def call(self, x):
                return function(x)

        inputs = keras.Input((8, 8, 1))
        return keras.Model(inputs, net(Before()(inputs)))

    return make


@pytest.fixture(scope="session")
def forty(digits):
    x, y = digits
    return np.array(x[:40]), np.array(y[:40])
