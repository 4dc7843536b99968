"""Self-Guided Label Refinement for Keras: adversarial training that does not overfit.

    >>> import slr_keras as slr
    >>> net = slr.models.resnet18(input_shape=(32, 32, 3), num_classes=10)   # doctest: +SKIP
    >>> model = slr.RobustClassifier(net, num_samples=len(x_train),          # doctest: +SKIP
    ...                              method=slr.methods.SLR(start_epoch=90),
    ...                              attack=slr.attacks.PGD(eps=8/255))

Importing this package loads no framework: names below are resolved on first use.
"""

from __future__ import annotations

import importlib
import sys
from typing import Any

__version__ = "0.1.0"

_SUBPACKAGES = (
    "attacks",
    "callbacks",
    "corruptions",
    "data",
    "evaluation",
    "labels",
    "methods",
    "metrics",
    "models",
    "optimizers",
    "schedules",
)
_NAMES = {
    "AWP": "slr_keras.training.awp",
    "RobustClassifier": "slr_keras.training.robust_classifier",
    "load_model": "slr_keras.saving",
}

__all__ = [*_NAMES, *_SUBPACKAGES]


def __getattr__(name: str) -> Any:
    if name in _SUBPACKAGES:
        return importlib.import_module(f"slr_keras.{name}")
    if name in _NAMES:
        return getattr(importlib.import_module(_NAMES[name]), name)
    raise AttributeError(f"module 'slr_keras' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])


if (
    "keras" in sys.modules
):  # already paid for: make saved models loadable by keras.models.load_model
    importlib.import_module("slr_keras.training.robust_classifier")
