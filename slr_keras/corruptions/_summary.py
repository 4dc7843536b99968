"""What the errors under all corruptions come to: Hendrycks and Dietterich 2019, section 4.2."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np

from slr_keras.corruptions._base import GROUPS, SEVERITIES
from slr_keras.errors import DataError
from slr_keras.settings import registry

Errors = Mapping[str, Sequence[float]]


@dataclasses.dataclass(frozen=True)
class Summary:
    """Errors as shares in [0, 1].

    Attributes:
        by_kind: mean over the severities, by kind.
        by_severity: mean over the kinds, of severity 1 to 5.
        by_group: mean over the kinds of each of ``noise``, ``blur``, ``weather``, ``digital`` that
            is there.
        mean: mean over kinds and severities, which the field calls mCE of CIFAR-10-C.
        corruption_errors: ``CE_c = sum_s E_sc / sum_s B_sc`` by kind, with the errors B of a
            baseline; None without it.
        mce: their mean over the kinds; None without baseline.
        relative_mce: mean over the kinds of ``sum_s (E_sc - E) / sum_s (B_sc - B)`` with the clean
            errors E and B; None without them.
    """

    by_kind: dict[str, float]
    by_severity: list[float]
    by_group: dict[str, float]
    mean: float
    corruption_errors: dict[str, float] | None = None
    mce: float | None = None
    relative_mce: float | None = None


def summary(
    errors: Errors,
    clean: float | None = None,
    baseline: Errors | None = None,
    baseline_clean: float | None = None,
) -> Summary:
    """Means of errors, and their ratios to those of a baseline where it is given.

    Args:
        errors: of each kind, the errors of severity 1 to 5, shares in [0, 1].
        clean: error without corruption.
        baseline: errors of the model to compare with (AlexNet in the paper), of the same kinds.
        baseline_clean: its error without corruption.

    Raises:
        DataError: a kind without its five errors, a baseline that lacks a kind or has no errors.

    Example:
        >>> summary({"fog": [0.1, 0.2, 0.3, 0.4, 0.5]}, baseline={"fog": [0.6] * 5}).mce
        0.5
    """
    ours = _table(errors, errors, "errors")
    found = Summary(
        dict(zip(errors, ours.mean(axis=1).tolist(), strict=True)),
        ours.mean(axis=0).tolist(),
        _by_group(errors, ours),
        float(ours.mean()),
    )
    if baseline is None:
        return found
    theirs = _table(baseline, errors, "baseline")
    ratios = _ratios(ours, theirs, errors)
    relative = None
    if clean is not None and baseline_clean is not None:
        relative = float(_ratios(ours - clean, theirs - baseline_clean, errors).mean())
    return dataclasses.replace(
        found,
        corruption_errors=dict(zip(errors, ratios.tolist(), strict=True)),
        mce=float(ratios.mean()),
        relative_mce=relative,
    )


def _table(errors: Errors, kinds: Errors, what: str) -> np.ndarray:
    """Errors (kinds, severities) in the order of ``kinds``."""
    wanted = len(SEVERITIES)
    for kind in kinds:
        row = errors.get(kind, ())
        if len(row) != wanted or not all(0 <= error <= 1 for error in row):
            raise DataError(f"{what} of {kind}: expected {wanted} in [0, 1], received {list(row)}")
    if not kinds:
        raise DataError("errors: expected those of one kind at least, received none")
    return np.array([errors[kind] for kind in kinds], np.float64)


def _by_group(errors: Errors, table: np.ndarray) -> dict[str, float]:
    known = registry.variants("corruptions")
    groups = np.array([known[kind].group if kind in known else "" for kind in errors])
    return {g: float(table[groups == g].mean()) for g in GROUPS if (groups == g).any()}


def _ratios(ours: np.ndarray, theirs: np.ndarray, kinds: Errors) -> np.ndarray:
    """Of the sums over severities, by kind."""
    sums = theirs.sum(axis=1)
    if (sums == 0).any():
        kind = list(kinds)[int(np.flatnonzero(sums == 0)[0])]
        raise DataError(f"baseline of {kind}: no errors to divide by; choose a weaker baseline")
    return np.asarray(ours.sum(axis=1) / sums)
