"""Stochastic weight averaging: Izmailov et al. 2018 (arXiv 1803.05407), algorithm 1."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from slr_keras.backend import keras, ops
from slr_keras.data import as_float
from slr_keras.training.weight_average import WeightAverage

Tensor = Any


@keras.saving.register_keras_serializable("slr_keras")
class EpochMean(WeightAverage):
    """The mean of a network's weights at the ends of epochs, kept as weights.

    Its BatchNorm statistics are not averaged: they are estimated anew from the training images, as
    the averaged weights see them.

    Args:
        net: built Keras model; its methods want the same one.

    Attributes:
        steps: a weight, the number of epochs in the mean.

    Example:
        >>> mean = EpochMean(net)                        # doctest: +SKIP
        >>> mean.end_epoch(net, 1, [images])             # doctest: +SKIP
        >>> mean.network(net)(images).shape              # doctest: +SKIP
        (128, 10)
    """

    def __init__(self, net: Any):
        super().__init__(net, decay=0.0)

    def update(self, net: Any) -> None:
        """After a step: nothing."""

    def end_epoch(self, net: Any, number: int, batches: Iterable[Any]) -> None:
        """Take the weights at the end of the ``number``-th epoch in, from 1; once, if asked twice.

        Args:
            batches: training images (B, H, W, C) in [0, 1], as many at once as fit, all of them.
        """
        done = int(ops.convert_to_numpy(self.steps))
        if number > done:
            for average, weight in zip(self.averages, net.weights, strict=True):
                moved = average + (ops.cast(weight, average.dtype) - average) / (done + 1)
                average.assign(ops.cast(moved, average.dtype))
            self.steps.assign(done + 1.0)
        copy = self.network(net)
        estimate_statistics(copy, batches)
        for average, weight in zip(self.averages, copy.weights, strict=True):
            average.assign(ops.convert_to_numpy(weight))


def estimate_statistics(net: Any, batches: Iterable[Any]) -> None:
    """Set moving statistics to the mean of those of the batches, in training mode.

    Each batch counts by its size. Layers that are not ``trainable`` keep theirs.
    """
    layers = [layer for layer in net._flatten_layers() if _normalises(layer)]
    if not layers:
        return
    momenta = [layer.momentum for layer in layers]
    kept = [weight for layer in layers for weight in (layer.moving_mean, layer.moving_variance)]
    total, count = [np.zeros(weight.shape) for weight in kept], 0
    for images in batches:
        for layer in layers:
            layer.momentum = 0.0  # what moves then is what the batch says
        net(ops.convert_to_tensor(images), training=True)
        for part, weight in zip(total, kept, strict=True):
            part += len(images) * ops.convert_to_numpy(weight).astype("float64")
        count += len(images)
    for layer, momentum in zip(layers, momenta, strict=True):
        layer.momentum = momentum
    for part, weight in zip(total, kept, strict=True):
        weight.assign((part / count).astype(weight.dtype))


def batched(images: Any, size: int = 250) -> Iterator[np.ndarray]:
    """Images (N, H, W, C), uint8 or float32 in [0, 1], in order, as float32 of ``size`` at most."""
    for start in range(0, len(images), size):
        yield as_float(images[np.arange(start, min(start + size, len(images)))])


def _normalises(layer: Any) -> bool:
    return isinstance(layer, keras.layers.BatchNormalization) and layer.trainable
