"""Several classifiers as one: the mean of their logits, or of their probabilities.

An attack on the ensemble sees the gradient of all members at once. Adversarial images made on it
fool other models more often than those made on one model (Liu et al. 2017, "Delving into
Transferable Adversarial Examples and Black-box Attacks", section 5), and a target whose members
disagree is harder to fool.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from slr_keras import networks
from slr_keras.backend import keras, ops
from slr_keras.checks import check_classifier
from slr_keras.errors import ModelError, UserError

MEANS = ("logits", "probabilities")
Tensor = Any


def ensemble(nets: Sequence[Any], of: str = "logits", name: str = "ensemble") -> Any:
    """A Keras network from images to the mean of the members' logits or probabilities.

    With logits ``z_m`` of M members, ``of="logits"`` gives ``1/M sum_m z_m`` and
    ``of="probabilities"`` gives ``log(1/M sum_m softmax(z_m))``, which are logits too.

    Functional and sequential members are copied layer by layer, with their weights as they are
    now, into one flat graph: it is saved and exported like any network, and attacks fold the
    BatchNorm of every member. A subclassed member stands in the graph as it is.

    Args:
        nets: two or more Keras classifiers with logits, of the same images and classes.
        of: ``"logits"`` or ``"probabilities"``.
        name: of the network.

    Returns:
        A functional ``keras.Model`` from images (B, H, W, C) in [0, 1] to float32 logits (B, K).

    Raises:
        UserError: fewer than two members, or another mean.
        ModelError: a member gives no logits, or takes other images or has other classes than
            the first; it is named.

    Example:
        >>> both = ensemble([first, second], of="probabilities")   # doctest: +SKIP
        >>> both.save("both.keras")                                # doctest: +SKIP
    """
    if of not in MEANS:
        raise UserError(f"of: expected {' or '.join(MEANS)}, received {of!r}")
    nets = [networks.unwrapped(net) for net in nets]
    if len(nets) < 2:
        raise UserError(f"expected two networks or more for an ensemble, received {len(nets)}")
    shape = _common_shape(nets)
    image = keras.Input(shape, name="image")
    logits = [_logits(net, image, f"member{number}") for number, net in enumerate(nets, 1)]
    try:
        return keras.Model(image, _mean(logits, of), name=name)
    except ValueError as error:  # members that stand in it as they are need names of their own
        raise ModelError(f"these networks make no ensemble: {str(error).splitlines()[0]}") from None


def _common_shape(nets: Sequence[Any]) -> tuple[int | None, ...]:
    """(H, W, C) that all members take; a size is None where none of them fixes it."""
    shape: tuple[int | None, ...] = ()
    for number, net in enumerate(nets, 1):
        try:
            check_classifier(net)
        except ModelError as error:
            raise ModelError(f"{_called(number, net)}: {error}") from None
        takes = networks.input_shape(net)[1:]
        shape = shape or takes
        pairs = list(zip(shape, takes, strict=True))
        classes, wanted = networks.num_classes(net), networks.num_classes(nets[0])
        if classes != wanted or any(a != b and None not in (a, b) for a, b in pairs):
            raise ModelError(
                f"{_called(number, net)} takes {takes} and has {classes} classes, those before it "
                f"{shape} and {wanted}: an ensemble needs the same"
            )
        shape = tuple(b if a is None else a for a, b in pairs)
    return shape


def _called(number: int, net: Any) -> str:
    return f"network {number} of the ensemble ({getattr(net, 'name', type(net).__name__)})"


def _mean(logits: list[Tensor], of: str) -> Tensor:
    """In float32, whatever the members compute in."""
    if of == "logits":
        return keras.layers.Average(dtype="float32", name="mean")(logits)
    logs = [ops.log_softmax(ops.cast(z, "float32"), axis=-1) for z in logits]
    return ops.logsumexp(ops.stack(logs), axis=0) - math.log(len(logs))


def _logits(net: Any, image: Tensor, prefix: str) -> Tensor:
    """The member on the ensemble's image: a copy of its graph, or itself where it has none."""
    if not networks.is_graph(net):
        return net(image, training=False)
    graph = keras.Model(net.inputs[0], net.outputs[0])
    try:
        copies = {part.name: _renamed(part, prefix) for part in graph.operations}
    except (NotImplementedError, TypeError, ValueError):  # a layer that cannot be made anew
        return net(image, training=False)
    copy = keras.models.clone_model(
        graph, input_tensors=image, clone_function=lambda part: copies[part.name]
    )
    networks.set_weights(copy, graph.get_weights())
    return copy.outputs[0]


def _renamed(part: Any, prefix: str) -> Any:
    """A layer or operation made anew: names are unique in a graph."""
    return part.__class__.from_config(part.get_config() | {"name": f"{prefix}_{part.name}"})
