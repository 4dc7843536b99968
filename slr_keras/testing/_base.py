"""What the checks share: a failure with a sentence, a small network, a few images."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from slr_keras.backend import keras, ops
from slr_keras.batch_norm import BatchNorm

SHAPE, CLASSES = (6, 6, 2), 4
Tensor = Any


class Failure(AssertionError):  # noqa: N818 - pytest and people read it as one
    """A contract that does not hold, in a sentence."""


def need(holds: Any, sentence: str) -> None:
    """Raise :class:`Failure` with the sentence unless it holds."""
    if not holds:
        raise Failure(sentence)


def one(part: Any) -> Any:
    """A part with its settings; a class stands for its defaults."""
    return part() if isinstance(part, type) else part


def kind_of(part: Any) -> Any:
    """The class of a part."""
    return part if isinstance(part, type) else type(part)


def same(a: Any, b: Any) -> bool:
    """Whether two arrays are equal, bit for bit."""
    return bool(np.array_equal(array(a), array(b)))


def array(tensor: Any) -> np.ndarray:
    """A NumPy array of a tensor or an array."""
    return np.asarray(ops.convert_to_numpy(tensor))


def tensor(value: Any) -> Tensor:
    """A tensor of an array."""
    return ops.convert_to_tensor(value)


def rng(seed: int = 0) -> np.random.Generator:
    """Random numbers, the same each time."""
    return np.random.default_rng(seed)


def distributions(rows: int, classes: int, seed: int = 0) -> np.ndarray:
    """Random rows that sum to 1, float32."""
    return rng(seed).dirichlet(np.ones(classes), rows).astype("float32")


@functools.cache
def net() -> Any:
    """Convolution, BatchNorm with statistics that are not the initial ones, dense; 4 classes."""
    image = x = keras.Input(SHAPE)
    x = BatchNorm()(keras.layers.Conv2D(6, 3, activation="tanh")(x))
    net = keras.Model(image, keras.layers.Dense(CLASSES)(keras.layers.Flatten()(x)))
    fill(net)
    for _ in range(5):
        net(tensor(rng().random((32, *SHAPE), "float32")), training=True)
    return net


def fill(net: Any) -> None:
    """Weights that are the same on every backend, of the size that initialisers give."""
    draw = rng(1)
    weights = []
    for variable in net.weights:
        shape = tuple(variable.shape)
        drawn = draw.normal(0, 1 / np.sqrt(max(1, np.prod(shape[:-1]))), shape)
        weights.append(drawn if len(shape) > 1 else array(variable))
    net.set_weights([np.asarray(weight, "float32") for weight in weights])


@functools.cache
def runner() -> Any:
    """``runner()(attack, x, y)`` attacks :func:`net`; each attack is compiled once."""
    from slr_keras.attacks._arrays import Runner

    return Runner(net())


@functools.cache
def batch() -> tuple[np.ndarray, np.ndarray]:
    """Eight images (6, 6, 2), the corners of the pixel cube among them, and labels.

    The network classifies two of them wrong.
    """
    x = rng(2).random((8, *SHAPE), "float32")
    x[0], x[1] = 0, 1
    y = array(net()(tensor(x), training=False)).argmax(-1)
    y[::4] = (y[::4] + 1) % CLASSES
    return x, y.astype("int32")


def classifier(samples: int, **parts: Any) -> Any:
    """A small ``RobustClassifier``, compiled; always with the same weights."""
    from slr_keras.attacks.pgd import PGD
    from slr_keras.optimizers import SGD
    from slr_keras.training.robust_classifier import RobustClassifier

    image = x = keras.Input((8, 8, 1))
    x = BatchNorm()(keras.layers.Conv2D(4, 3, strides=2)(x))
    x = keras.layers.GlobalAveragePooling2D()(keras.layers.ReLU()(x))
    net = keras.Model(image, keras.layers.Dense(10)(x))
    fill(net)
    attack = PGD(eps=0.1, step_size=0.05, steps=2)
    given: dict[str, Any] = {"attack": attack, "num_samples": samples} | parts
    model = RobustClassifier(net, **given)
    optimizer = SGD(learning_rate=0.1, momentum=0.9, l2=5e-4)
    model.compile(optimizer, run_eagerly=True, jit_compile=False)  # for a step or two
    return model


def digits(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Images (N, 8, 8, 1) and labels that can be told from them."""
    draw, y = rng(4), np.arange(count, dtype="int32") % 10
    prints = draw.random((10, 8, 8, 1))
    x = np.clip(prints[y] + 0.1 * draw.normal(size=(count, 8, 8, 1)), 0, 1)
    return x.astype("float32"), y


def train_once(model: Any, epoch: int, count: int = 32) -> dict[str, float]:
    """One step of an epoch on :func:`digits`."""
    x, y = digits(count)
    model.begin_epoch(epoch)
    inputs = {"image": x, "index": np.arange(count, dtype="int32")}
    logs: dict[str, float] = model.train_on_batch(inputs, y, return_dict=True)
    return logs


def gradient(function: Callable[[Tensor], Tensor], x: np.ndarray) -> np.ndarray:
    """The gradient of ``sum(function(x))``."""
    from slr_keras import backend

    return array(backend.input_gradient(function, tensor(x)))
