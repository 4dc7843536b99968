"""Attacks: one file each, a settings dataclass with its loop.

    >>> import slr_keras as slr
    >>> x_adv = slr.attacks.PGD(eps=8/255, step_size=2/255, steps=20)(model, x, y)  # doctest: +SKIP

Class names are found by :mod:`slr_keras.settings.registry`, so a new file is a new attribute here.
"""

from __future__ import annotations

from typing import Any


def __getattr__(name: str) -> Any:
    from slr_keras.settings import registry

    return registry.by_class_name("attacks", name)
