"""What every network keeps to."""

from __future__ import annotations

import pathlib
import tempfile
from typing import Any

import numpy as np

from slr_keras import losses, saving
from slr_keras.backend import keras, ops
from slr_keras.checks import check_classifier
from slr_keras.errors import UserError
from slr_keras.testing._base import Failure, array, fill, need, one, rng, same, tensor

SHAPES = ((32, 32, 3), (8, 8, 1))  # one of them has to be taken
CLASSES = 5


def _build(part: Any, seed: int = 0) -> Any:
    """The network of the first shape that it takes."""
    architecture = one(part)
    said = ""
    for shape in SHAPES:
        keras.utils.set_random_seed(seed)
        try:
            return architecture.build(shape, CLASSES)
        except UserError as error:
            said = str(error)
    raise Failure(f"build() takes neither {SHAPES[0]} nor {SHAPES[1]}: {said}")


def _images(net: Any, count: int = 4) -> Any:
    return tensor(rng().random((count, *net.input_shape[1:]), "float32"))


def gives_logits(part: Any) -> None:
    """A Keras model from images (B, H, W, C) to finite logits (B, K), no probabilities."""
    net = _build(part)
    try:
        check_classifier(net)
    except UserError as error:
        raise Failure(str(error)) from None
    z = array(net(_images(net), training=False))
    need(z.shape == (4, CLASSES), f"expected logits of shape (4, {CLASSES}), received {z.shape}")
    need(np.isfinite(z).all(), "a logit is NaN or infinite")
    need(abs(z.sum(1) - 1).max() > 1e-3, "the outputs sum to 1: expected logits, no softmax")


def an_image_does_not_depend_on_its_batch(part: Any) -> None:
    """In inference mode the logits of an image are those it has alone (1e-4)."""
    net = _build(part)
    x = _images(net)
    together, alone = array(net(x, training=False)), array(net(x[:1], training=False))
    need(abs(together[:1] - alone).max() <= 1e-4, "an image's logits depend on its batch")


def equal_seeds_build_equal_networks(part: Any) -> None:
    """The initial weights follow from Keras' seed: a run can be repeated."""
    first, second = _build(part).get_weights(), _build(part).get_weights()
    equal = all(same(a, b) for a, b in zip(first, second, strict=True))
    need(equal, "the same seed gives other weights")


def gradient_reaches_every_weight(part: Any) -> None:
    """No trainable weight is left out of the loss."""
    from slr_keras import backend

    net = _build(part)
    x, y = _images(net, 8), tensor(np.arange(8, dtype="int32") % CLASSES)
    values = [variable.value for variable in net.trainable_variables]
    rest = [variable.value for variable in net.non_trainable_variables]
    for number, variable in enumerate(net.trainable_variables):

        def loss(weight: Any, number: int = number) -> Any:
            weights = [*values[:number], weight, *values[number + 1 :]]
            z, _ = net.stateless_call(weights, rest, x, training=False)
            return ops.mean(losses.cross_entropy(z, y))

        slope = array(backend.input_gradient(loss, values[number]))
        need(np.isfinite(slope).all(), f"the gradient of {variable.path} is NaN or infinite")
        need(slope.any(), f"the weight {variable.path} gets no gradient: it is never trained")


def is_saved_and_loaded(part: Any) -> None:
    """Written to a ``.keras`` file and read back it gives the same logits."""
    net = _build(part)
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "net.keras"
        saving.save_network(net, path)
        try:
            again = saving.load_model(path)
        except UserError as error:
            raise Failure(f"cannot be read back: {str(error).replace(str(path), 'it')}") from None
    x = _images(net)
    difference = abs(array(net(x, training=False)) - array(again(x, training=False))).max()
    need(difference <= 1e-5, f"read back its logits differ by {difference:.2g}")


CHECKS = (
    gives_logits,
    an_image_does_not_depend_on_its_batch,
    equal_seeds_build_equal_networks,
    gradient_reaches_every_weight,
    is_saved_and_loaded,
)


def fingerprint(part: Any) -> np.ndarray:
    """Logits with weights that are the same everywhere."""
    net = _build(part)
    fill(net)
    return array(net(_images(net), training=False))
