"""Weights from elsewhere for a network of ``keras.applications``: all but those of its head."""

from __future__ import annotations

import os
import pathlib
import re
import warnings
from collections.abc import Callable, Sequence
from typing import Any

from slr_keras.backend import keras, np
from slr_keras.errors import ModelError, UserError
from slr_keras.models import _heads

# Keras divides by their roots where it loads EfficientNet's ImageNet weights, and there alone
DEVIATION = (0.229, 0.224, 0.225)


def from_imagenet(net: Any, make: Callable[..., Any]) -> None:
    """Give the weights that Keras has for ``weights="imagenet"``.

    Args:
        net: a network that ``make`` made, for images of any size it takes.
        make: a function of ``keras.applications``.

    Raises:
        UserError: they cannot be downloaded, or are for images of another size.
    """
    try:
        trained = make(weights="imagenet", classifier_activation=None)
    except Exception as error:  # Keras raises Exception itself; a proxy or a disk has more
        raise UserError(f"model.weights: {_why(str(error))}") from error
    _, height, width, _ = trained.input_shape
    _give(net, trained.get_weights(), f"ImageNet's weights, for {height} x {width} pixels")


def _why(text: str) -> str:
    """What to do about weights that cannot be downloaded, in one line."""
    reason = " ".join(text.split())[:200]
    found = re.search(r"failure on (\S+): ", reason)
    if found is None:
        return f"ImageNet's weights cannot be had: {reason}"
    address, file = found[1], found[1].rpartition("/")[2]
    place = os.path.join(os.environ.get("KERAS_HOME", "~/.keras"), "models")
    return (
        f"{address} cannot be downloaded ({reason[found.end() :]}). With that file from elsewhere: "
        f"--model.weights {file}, or put it into {place}"
    )


def from_file(net: Any, name: str) -> None:
    """Give the weights of a ``.keras`` or ``.weights.h5`` file, or of ``.h5``: Keras' downloads.

    Raises:
        ModelError: no such file, it cannot be read, or it is of another network.
    """
    path = pathlib.Path(name)
    if not path.is_file():
        raise ModelError(f"model.weights: no such file: {name}")
    arrays = _of_keras(path) if path.suffix == ".keras" else _of_h5(net, path)
    _give(net, arrays, name)


def _of_keras(path: pathlib.Path) -> list[Any]:
    from slr_keras import saving

    return list(saving.load_model(path, logits=False).get_weights())


def _of_h5(net: Any, path: pathlib.Path) -> list[Any]:
    """What a file holds for each weight, None where it has nothing of that shape."""
    kept = net.get_weights()
    net.set_weights([np.full_like(a, np.nan) if a.dtype.kind == "f" else a for a in kept])
    try:
        with warnings.catch_warnings():  # of each layer that does not fit
            warnings.simplefilter("ignore")
            net.load_weights(path, skip_mismatch=True)
    except Exception as error:  # what Keras and h5py say of another network's or a damaged file
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
        raise ModelError(f"{path} cannot be read as weights of {net.name}: {reason}") from error
    found = net.get_weights()
    net.set_weights(kept)
    return [None if np.isnan(a).any() else a for a in found]


def _give(net: Any, arrays: Sequence[Any], source: str) -> None:
    """Assign arrays in the order of the weights; those of the head only where they fit."""
    if len(arrays) != len(net.weights):
        raise ModelError(
            f"{source}: expected the {len(net.weights)} arrays of {net.name}, received "
            f"{len(arrays)}: it is of another network"
        )
    of_head = set(map(id, _heads.find(net).weights))
    for weight, array in zip(net.weights, arrays, strict=True):
        shape = None if array is None else array.shape
        if shape == tuple(weight.shape):
            weight.assign(array)
        elif id(weight) not in of_head:
            raise ModelError(
                f"{source}: {weight.path} of {net.name} has shape {tuple(weight.shape)} with these "
                f"images, received {shape}"
            )


def settled(net: Any) -> Any:
    """The network with constants where it has a normalisation that somebody adapted.

    Such a layer computes with copies of its weights that ``set_weights`` does not reach, so a
    copy of the network would compute something else.
    """
    layers = [layer for layer in net.layers if isinstance(layer, keras.layers.Normalization)]
    adapted = {layer.name: layer for layer in layers if layer.input_mean is None}
    if not adapted:
        return net
    config = net.get_config()
    for entry in config["layers"]:
        if entry["name"] in adapted:
            entry["config"] |= _constants(adapted[entry["name"]])
            entry["build_config"] = None
    left_out = {id(weight) for layer in adapted.values() for weight in layer.weights}
    copy = keras.Model.from_config(config)
    copy.set_weights([keras.ops.convert_to_numpy(w) for w in net.weights if id(w) not in left_out])
    return copy


def _constants(layer: Any) -> dict[str, Any]:
    mean, variance = map(keras.ops.convert_to_numpy, (layer.adapt_mean, layer.adapt_variance))
    if (variance != 1).any():
        variance = variance * DEVIATION
    return {"mean": mean.tolist(), "variance": variance.tolist()}
