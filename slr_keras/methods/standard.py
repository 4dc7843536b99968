"""Ordinary training on clean images: the baseline without any robustness."""

from __future__ import annotations

import dataclasses

from slr_keras.methods._base import Method


@dataclasses.dataclass(frozen=True)
class Standard(Method):
    """``mean_i CE(f(x_i), y_i)``: no attack, no refinement."""

    name = "standard"
    adversarial = False
