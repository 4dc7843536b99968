"""Adversarial training (PGD-AT): Madry et al. 2018 (arXiv 1706.06083), equation 2.1."""

from __future__ import annotations

import dataclasses

from slr_keras.methods._base import Method


@dataclasses.dataclass(frozen=True)
class AT(Method):
    """``min_w mean_i max_{||x'-x_i|| <= eps} CE(f_w(x'), y_i)`` with the given hard labels."""

    name = "at"
