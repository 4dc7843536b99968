"""Classifiers for images in [0, 1] that return logits, with PyTorch's padding and BatchNorm.

Every architecture is a function of its registered name:

    >>> import slr_keras as slr
    >>> net = slr.models.resnet18(input_shape=(32, 32, 3), num_classes=10)   # doctest: +SKIP
    >>> net.count_params()                                                   # doctest: +SKIP

A trained one is taken from a shelf by its name, see :func:`slr_keras.shelves.load`:

    >>> net = slr.models.load("cifar10-1k-slr", shelf="shelf/")              # doctest: +SKIP

One file holds one family; a new architecture is a new settings class there.
"""

from __future__ import annotations

import functools
import importlib
from typing import Any


def __getattr__(name: str) -> Any:
    from slr_keras.settings import registry

    if name.startswith("_"):
        raise AttributeError(name)
    if name == "load":
        return importlib.import_module("slr_keras.shelves").load
    known = registry.variants("models")
    if name not in known:
        raise AttributeError(f"module 'slr_keras.models' has no attribute {name!r}")
    return functools.partial(_build, known[name])


def _build(architecture: Any, input_shape: Any, num_classes: int, **settings: Any) -> Any:
    return architecture(**settings).build(tuple(input_shape), num_classes)
