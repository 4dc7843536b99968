"""Optimisers: the paper's coupled-L2 SGD and Keras' own.

>>> import slr_keras as slr
>>> slr.optimizers.SGD(learning_rate=0.1, momentum=0.9, l2=5e-4)  # doctest: +SKIP
"""

from __future__ import annotations

import importlib
from typing import Any


def __getattr__(name: str) -> Any:
    if name == "SGD":
        return importlib.import_module("slr_keras.optimizers._coupled_sgd").SGD
    raise AttributeError(f"module 'slr_keras.optimizers' has no attribute {name!r}")
