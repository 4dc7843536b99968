"""Accuracy of a model under attack."""

from __future__ import annotations

import importlib
from typing import Any


def __getattr__(name: str) -> Any:
    if name in {"autoattack", "attacks_of"}:
        return getattr(importlib.import_module("slr_keras.evaluation.autoattack"), name)
    if name in {"Evaluator", "Evaluation"}:
        return getattr(importlib.import_module("slr_keras.evaluation.runner"), name)
    raise AttributeError(f"module 'slr_keras.evaluation' has no attribute {name!r}")
