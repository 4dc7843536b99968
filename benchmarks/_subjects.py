"""What the benchmarks measure: networks, batches and training steps of slr_keras."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np

SHAPES = {"resnet18": (32, 32, 3), "small_cnn": (8, 8, 1), "demo_cnn": (32, 32, 3)}
BATCHES = {"resnet18": 32, "small_cnn": 128, "demo_cnn": 100}
CLASSES = 10
DEMO = {"width": 32, "strides": (2, 2, 1, 2)}  # as in the presets cifar10-1k-*


@dataclasses.dataclass(frozen=True)
class Data:
    """One batch of random images with labels and sample numbers."""

    x: np.ndarray
    y: np.ndarray
    index: np.ndarray


def data(model: str, batch: int | None = None) -> Data:
    """A batch for a model; images uniform in [0, 1]."""
    rng = np.random.default_rng(0)
    count = batch or BATCHES[model]
    x = rng.random((count, *SHAPES[model]), dtype=np.float32)
    return Data(x, rng.integers(0, CLASSES, count), np.arange(count, dtype=np.int32))


def network(model: str) -> Any:
    """A Keras network of the library's default width, or the demo's."""
    import slr_keras as slr

    shape = {"input_shape": SHAPES[model], "num_classes": CLASSES}
    if model == "demo_cnn":
        return slr.models.small_cnn(**shape, **DEMO)
    return getattr(slr.models, model)(**shape)


def torch_network(model: str) -> Any:
    """The same network in PyTorch, of the same width."""
    from benchmarks import torch_reference
    from slr_keras.settings import registry

    channels = SHAPES[model][-1]
    if model == "demo_cnn":
        return torch_reference.SmallCNN(channels, CLASSES, **DEMO)
    width = registry.get("models", model)().width
    return torch_reference.NETWORKS[model](channels, CLASSES, width)


def classifier(
    net: Any,
    method: str = "slr",
    samples: int = 1024,
    dtype: str | None = None,
    eps: float = 8 / 255,
    images: np.ndarray | None = None,
) -> Any:
    """The compiled ``RobustClassifier``; SLR refines from its first epoch, ``awp`` is AT with AWP.

    With ``images`` these are the training set and lie on the device.
    """
    import slr_keras as slr

    methods = {
        "slr": lambda: slr.methods.SLR(start_epoch=1),
        "at": slr.methods.AT,
        "awp": slr.methods.AT,
        "trades": slr.methods.TRADES,
        "mart": slr.methods.MART,
    }
    model = slr.RobustClassifier(
        net,
        num_samples=samples if images is None else len(images),
        images=images,
        method=methods[method](),
        attack=slr.attacks.PGD(eps=eps, step_size=2 / 255, steps=10),
        attack_dtype=dtype,
        awp=slr.AWP(gamma=0.01) if method == "awp" else None,
    )
    model.compile(optimizer=slr.optimizers.SGD(learning_rate=0.1, momentum=0.9, l2=5e-4))
    model.begin_epoch(1)
    return model


def training_step(model: Any, batch: Data) -> Callable[[], Any]:
    """One optimisation step on the batch as Keras runs it."""
    import tensorflow as tf

    images = {"image": tf.constant(batch.x), "index": tf.constant(batch.index)}
    labels = tf.constant(batch.y)
    return lambda: model.train_on_batch(images, labels)
