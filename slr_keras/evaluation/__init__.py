"""Accuracy of a model under attack.

>>> import slr_keras as slr
>>> slr.evaluation.autoattack(model, x, y, eps=8/255).robust_accuracy    # doctest: +SKIP
>>> slr.evaluation.evaluate(model, x, y, ["pgd-20", "cw-linf"]).rows     # doctest: +SKIP
"""

from __future__ import annotations

import importlib
from typing import Any

_NAMES = {
    "autoattack": "_autoattack",
    "attacks_of": "versions",
    "Result": "_autoattack",
    "evaluate": "suite",
    "Report": "suite",
    "Row": "suite",
    "Evaluator": "runner",
    "Evaluation": "runner",
    "Check": "checks",
    "certify": "smoothing",
    "certified_accuracy": "smoothing",
    "Certified": "smoothing",
    "Certificates": "smoothing",
    "Certifier": "smoothing",
    "Smoothing": "smoothing",
    "transfer_matrix": "_transfer_matrix",
    "TransferMatrix": "_transfer_matrix",
}

__all__ = sorted(_NAMES)


def __getattr__(name: str) -> Any:
    if name in _NAMES:
        return getattr(importlib.import_module(f"{__name__}.{_NAMES[name]}"), name)
    raise AttributeError(f"module 'slr_keras.evaluation' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
