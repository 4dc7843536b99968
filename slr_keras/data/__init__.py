"""Data: one file a source, checked and split once, then served in batches with sample indices.

    >>> import slr_keras as slr
    >>> data = slr.data.load(slr.data.DataSettings(name="digits"), seed=0)
    >>> data.input_shape, data.num_classes, len(data.x_train)
    ((8, 8, 1), 10, 1293)
    >>> batches = slr.data.Batches(data.x_train, data.y_train, batch_size=128, seed=0)
    >>> inputs, labels = next(batches.stream())
    >>> inputs["image"].shape, inputs["index"].dtype, labels.dtype
    ((128, 8, 8, 1), dtype('int32'), dtype('int32'))

Importing this package loads neither numpy nor a framework. A new source is a new file with a
subclass of ``Source`` (see ``_source.py``); no list names it.
"""

from __future__ import annotations

import importlib
from typing import Any

_NAMES = {
    "DataSettings": "_settings",
    "Dataset": "_dataset",
    "Splits": "_source",
    "Source": "_source",
    "Streamed": "_stream",
    "content": "_stream",
    "Batches": "_batches",
    "as_float": "_batches",
    "crop_flip": ".augmentations._crop",
    "load": "_load",
    "prepare": "_load",
    "read_images": "_load",
}

__all__ = sorted(_NAMES)


def __getattr__(name: str) -> Any:
    if name in _NAMES:
        return getattr(importlib.import_module(f".{_NAMES[name]}", __name__), name)
    from slr_keras.settings import registry

    return registry.by_class_name("data", name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
