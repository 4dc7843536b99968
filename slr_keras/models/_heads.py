"""The head of a network: the layer that makes logits of features, and a new one in its place.

It is a dense layer or a 1x1 convolution; layers without weights may follow, a softmax for example.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from slr_keras import networks
from slr_keras.backend import keras
from slr_keras.errors import ModelError

Tensor = Any
OUTPUTS = ("linear", "softmax", "log_softmax", "sigmoid")  # of layers that say which class it is


class _Last(NamedTuple):
    """The last layer that has weights, what it is given, and the layers behind it, last first."""

    layer: Any
    source: Tensor
    behind: list[Any]


def find(net: Any) -> Any:
    """The layer that is the network's head, also where it is inside of a nested model.

    Raises:
        ModelError: the network is subclassed, or none of its layers can be told to be the head.

    Example:
        >>> find(keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Flatten(),
        ...                        keras.layers.Dense(10, name="ten")])).name
        'ten'
    """
    layer = _last(net).layer
    return find(layer) if isinstance(layer, keras.Model) else layer


def renewed(net: Any, num_classes: int) -> Any:
    """The network on the same weights, but for a new head that gives ``num_classes`` logits.

    The head is made as the old one was, without activation and in float32; what made
    probabilities of its logits is left out. ``net`` itself stays as it is.

    Raises:
        ModelError: see :func:`find`.

    Example:
        >>> renewed(net, 5).output_shape        # doctest: +SKIP
        (None, 5)
    """
    last = _last(net)
    if isinstance(last.layer, keras.Model):
        head = renewed(last.layer, num_classes)
    else:
        head = _like(last.layer, num_classes)
    x = head(last.source)
    for layer in reversed(last.behind):
        if not isinstance(layer, (keras.layers.Activation, keras.layers.Softmax)):
            x = _again(layer, num_classes)(x)
    return keras.Model(net.inputs[0], x, name=net.name)


def _last(net: Any) -> _Last:
    if not networks.is_graph(net):
        raise ModelError("the head of a subclassed network cannot be told")
    tensor, behind = net.outputs[0], list[Any]()
    while True:
        layer, sources = _made_by(tensor)
        if _is_head(layer) or isinstance(layer, keras.Model):
            return _Last(layer, sources[0], behind)
        if not _passes(layer) or len(sources) != 1:
            raise ModelError(
                "no head can be told: expected a dense layer or a 1x1 convolution at the end, "
                f"found {type(layer).__name__} {layer.name!r}"
            )
        tensor = sources[0]
        behind.append(layer)


def _made_by(tensor: Tensor) -> tuple[Any, list[Tensor]]:
    """The layer that a symbolic tensor comes from, and what it was called on then."""
    layer, index, _ = tensor._keras_history
    return layer, layer._inbound_nodes[index].input_tensors


def _is_head(layer: Any) -> bool:
    dense = isinstance(layer, keras.layers.Dense)
    pointwise = isinstance(layer, keras.layers.Conv2D) and layer.kernel_size == (1, 1)
    return (dense or pointwise) and layer.activation.__name__ in OUTPUTS


def _passes(layer: Any) -> bool:
    """Whether a layer has no weights and leaves the classes apart."""
    kinds = keras.layers
    return isinstance(
        layer,
        (kinds.Activation, kinds.Softmax, kinds.Flatten, kinds.Reshape)
        + (kinds.GlobalAveragePooling2D, kinds.GlobalMaxPooling2D),
    )


def _like(layer: Any, num_classes: int) -> Any:
    """A new layer as ``layer`` for that many classes, float32 so that softmax is exact."""
    size = "units" if isinstance(layer, keras.layers.Dense) else "filters"
    changes = {size: num_classes, "activation": "linear", "dtype": "float32", "trainable": True}
    return type(layer).from_config(layer.get_config() | changes)


def _again(layer: Any, num_classes: int) -> Any:
    """A layer from behind the head, for other classes."""
    config = layer.get_config() | {"dtype": "float32"}
    if isinstance(layer, keras.layers.Reshape):
        config["target_shape"] = (num_classes,)
    return type(layer).from_config(config)
