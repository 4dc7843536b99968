"""What a network takes and gives, whatever kind of Keras model it is.

A functional or sequential model says both. A subclassed one was built on a shape, by a call on a
batch or by ``build()``; what it gives is found by passing that shape through it symbolically.
"""

from __future__ import annotations

import weakref
from typing import Any

from slr_keras.backend import keras, np
from slr_keras.errors import ModelError

Shape = tuple[int | None, ...]
Shapes = tuple[Shape, Shape]

_known: weakref.WeakKeyDictionary[Any, Shapes] = weakref.WeakKeyDictionary()
HELP = "Give it an Input, call it on a batch first or state the shape: input_shape=(H, W, C)."


def input_shape(net: Any) -> Shape:
    """(None, H, W, C) of a built classifier; H and W are None where it takes any size.

    Raises:
        ModelError: the network is not built, or takes something else than one batch of images.

    Example:
        >>> input_shape(keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Flatten()]))
        (None, 8, 8, 1)
    """
    return _shapes(net)[0]


def num_classes(net: Any) -> int:
    """K, the length of the network's rows of logits.

    Raises:
        ModelError: the output is not (B, K) with K >= 2.
    """
    return int(_shapes(net)[1][-1] or 0)


def build(net: Any, shape: tuple[int | None, ...]) -> None:
    """Build a network for images (H, W, C), also one that is built and cannot say for what.

    Raises:
        ModelError: it takes other images.
    """
    if not isinstance(net, keras.Model):
        raise ModelError(f"expected a keras.Model, received {type(net).__name__}")
    wanted: Shape = (None, *shape)
    if len(wanted) != 4:
        raise ModelError(f"input_shape: expected (H, W, C), received {tuple(shape)}")
    said = _said(net)
    if said is not None and not fits(said[1:], wanted[1:]):
        raise ModelError(f"input_shape: the network takes {said[1:]}, received {wanted[1:]}")
    if type(net) is keras.Sequential and not net.built:
        net.build(wanted)
    elif not net.built or said is None:
        _call(net, keras.ops.zeros((1, *(32 if size is None else size for size in shape))))
        _known[net] = (wanted, _given(net, wanted))


def fits(takes: Shape, shape: Shape) -> bool:
    """Whether a network that takes ``takes`` accepts ``shape``, both without the batch."""
    return len(takes) == len(shape) and all(
        wanted in (None, size) for wanted, size in zip(takes, shape, strict=True)
    )


def set_weights(net: Any, values: list[Any]) -> None:
    """``net.set_weights``, also for layers that compute with copies: ``Normalization``."""
    net.set_weights(values)
    for layer in net._flatten_layers():
        if hasattr(layer, "finalize_state"):
            layer.finalize_state()


def unwrapped(model: Any) -> Any:
    """The network that a ``RobustClassifier`` trains; any other model or function is itself."""
    return model.net if hasattr(model, "trained_network") else model


def with_logits(net: Any) -> Any:
    """The network itself, or one on the same weights without the softmax at its end.

    Attacks need logits: of a softmax that says 1.0 the gradient is 0. Where the softmax is the
    activation of the last layer or that layer itself, it is left out; any other network that
    gives probabilities p is followed by ``log p``, logits too but for rounding.

    Raises:
        ModelError: the network is no built classifier.
    """
    if not gives_probabilities(net):
        return net
    from slr_keras import _logits

    if not is_graph(net):
        return _logits.Logarithm(net)
    last = net.layers[-1]
    if isinstance(last, keras.layers.Dense) and last.activation is keras.activations.softmax:
        return keras.Model(net.inputs[0], _logits.Linear(last)(last.input), name=net.name)
    if isinstance(last, keras.layers.Softmax) or (
        isinstance(last, keras.layers.Activation) and last.activation is keras.activations.softmax
    ):
        return keras.Model(net.inputs[0], last.input, name=net.name)
    return _logits.Logarithm(net)


def gives_probabilities(net: Any) -> bool:
    """Whether each output row of a few images is >= 0 and sums to 1.

    Raises:
        ModelError: the network is no built classifier of images.
    """
    shape = [32 if size is None else size for size in input_shape(net)[1:]]
    num_classes(net)
    x = np.random.default_rng(0).random((4, *shape)).astype("float32")
    z = keras.ops.convert_to_numpy(keras.ops.cast(net(x, training=False), "float32"))
    return bool(np.all(z >= 0) and np.allclose(z.sum(-1), 1, atol=1e-3))


def _shapes(net: Any) -> Shapes:
    if is_graph(net):  # these may be built anew, so nothing is remembered
        takes, gives = net.input_shape, net.output_shape
        return _checked_input(takes), _checked_output(gives)
    if net not in _known:
        takes = _checked_input(_said(net))
        _known[net] = (takes, _given(net, takes))
    return _known[net]


def is_graph(net: Any) -> bool:
    """Whether the network is a built graph of layers, functional or sequential."""
    return bool(net.built) and isinstance(getattr(net, "input_shape", None), (tuple, list, dict))


def _said(net: Any) -> Any:
    """What a network says that it takes, or None."""
    if is_graph(net):
        return net.input_shape
    built_on = (net.get_build_config() or {}).get("input_shape") if net.built else None
    if not isinstance(built_on, (tuple, list)):
        return built_on
    return (None, *built_on[1:])  # the batch it was called on says nothing


def _checked_input(shape: Any) -> Shape:
    one = isinstance(shape, (tuple, list)) and len(shape) == 4
    if not one or not all(size is None or isinstance(size, int) for size in shape):
        raise ModelError(
            f"expected a built network with one image input (B, H, W, C), received {shape}. {HELP}"
        )
    return tuple(shape)


def _checked_output(shape: Any) -> Shape:
    row = isinstance(shape, (tuple, list)) and len(shape) == 2 and isinstance(shape[1], int)
    if not row or shape[1] < 2:
        raise ModelError(f"expected logits (B, K) of K >= 2 classes, received {shape}")
    return tuple(shape)


def _given(net: Any, takes: Shape) -> Shape:
    spec = _call(net, keras.KerasTensor(takes, "float32"))
    return _checked_output(getattr(spec, "shape", spec))


def _call(net: Any, images: Any) -> Any:
    try:
        return net(images, training=False)
    except Exception as error:
        raise ModelError(
            f"the network does not take images {tuple(images.shape)[1:]}: {_first_line(error)}"
        ) from error


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
