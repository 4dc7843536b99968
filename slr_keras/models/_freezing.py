"""All of a network but its head held still, and let go again."""

from __future__ import annotations

import contextlib
import weakref
from collections.abc import Iterator
from typing import Any

from slr_keras.models import _heads

_before: weakref.WeakKeyDictionary[Any, list[tuple[Any, bool]]] = weakref.WeakKeyDictionary()


def freeze(net: Any) -> None:
    """Hold all layers but the head still: not trainable, BatchNorm in inference mode.

    What was trainable before is remembered until :func:`thaw`; of a frozen network nothing changes.

    Raises:
        ModelError: no head can be told.

    Example:
        >>> freeze(net)                     # doctest: +SKIP
        >>> len(net.trainable_variables)    # kernel and bias of the head    # doctest: +SKIP
        2
        >>> thaw(net)                       # doctest: +SKIP
    """
    head = _heads.find(net)
    if net in _before:
        return
    layers = list(net._flatten_layers(include_self=False))
    _before[net] = [(part, part.trainable) for part in (*layers, *net.variables)]
    for layer in layers:
        if all(part is not head for part in layer._flatten_layers()):
            layer.trainable = False


def thaw(net: Any) -> None:
    """The inverse of :func:`freeze`: what was trainable before is so again, and nothing else is."""
    for part, trainable in _before.pop(net, []):  # models before what is inside of them
        part.trainable = trainable


def is_frozen(net: Any) -> bool:
    """Whether :func:`freeze` holds the network still."""
    return net in _before


@contextlib.contextmanager
def thawed(net: Any) -> Iterator[None]:
    """A context in which a frozen network is as it was, to be copied or written to a file.

    Layers keep in their configuration whether they are trainable: what is made from it would stay
    frozen for good.
    """
    frozen = is_frozen(net)
    thaw(net)
    try:
        yield
    finally:
        if frozen:
            freeze(net)
