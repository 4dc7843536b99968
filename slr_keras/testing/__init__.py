"""The contracts that every part keeps to, as functions that anyone can call.

    >>> from slr_keras import testing
    >>> from slr_keras.attacks.pgd import PGD
    >>> testing.check_attack(PGD(steps=3))                      # doctest: +SKIP

A check raises :class:`Failure` with a sentence. For pytest, each check is a test of its own:

    >>> @testing.parametrize_with_checks([PGD(steps=3)])         # doctest: +SKIP
    ... def test_my_parts(part, check):
    ...     check(part)

``python -m slr_keras.check my_parts.py`` runs all checks of all parts of a file on every backend
that is installed, and compares what the backends compute.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable
from typing import Any

from slr_keras.settings import registry
from slr_keras.testing._base import Failure, one

__all__ = [
    "Failure",
    "check_all",
    "check_analysis",
    "check_attack",
    "check_augmentation",
    "check_corruption",
    "check_data",
    "check_diagnosis",
    "check_labels",
    "check_method",
    "check_model",
    "check_optimizer",
    "check_schedule",
    "checks_of",
    "fingerprint",
    "parametrize_with_checks",
]

Check = Callable[[Any], None]


def checks_of(part: Any) -> list[Check]:
    """The checks of a part, in order; ``check.__name__`` and its docstring say what each asks.

    Args:
        part: an instance of a variant, or its class, which stands for its default settings.
    """
    from slr_keras.testing import _common

    return [*_common.CHECKS, *_module(part).CHECKS]


def fingerprint(part: Any) -> Any:
    """Numbers that every backend must agree on to 1e-4, as an array; None where there are none."""
    make = getattr(_module(part), "fingerprint", None)
    return None if make is None else make(one(part))


def check_all(part: Any) -> None:
    """All checks of a part of any kind.

    Raises:
        Failure: the first that does not hold.
    """
    for check in checks_of(part):
        check(part)


check_analysis = check_attack = check_augmentation = check_corruption = check_all
check_data = check_diagnosis = check_all
check_labels = check_method = check_model = check_optimizer = check_schedule = check_all


def parametrize_with_checks(parts: Iterable[Any]) -> Any:
    """Decorates a test ``def test(part, check): check(part)``: one test for each part and check."""
    import pytest

    pairs = [
        pytest.param(part, check, id=f"{part.name}-{check.__name__}")
        for part in parts
        for check in checks_of(part)
    ]
    return pytest.mark.parametrize(("part", "check"), pairs)


def _module(part: Any) -> Any:
    kind = one(part).of_kind
    if kind not in registry.KINDS:
        raise Failure(f"expected a part of slr_keras.plugin, received {part!r}")
    return importlib.import_module(f"slr_keras.testing._{kind}")
