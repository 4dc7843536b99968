"""Cutting, thinning and mislabelling the training split: pure functions of labels and a seed."""

from __future__ import annotations

import numpy as np

from slr_keras.data._source import Splits
from slr_keras.data._stream import select
from slr_keras.errors import DataError
from slr_keras.hashing import bits, shuffled


def stratified(labels: np.ndarray, count: int, seed: int, purpose: str) -> np.ndarray:
    """Indices of ``count`` samples that hold each class in the proportion of ``labels``.

    Args:
        labels: int32 (N,).
        count: 0..N.
        seed, purpose: decide which samples.

    Returns:
        int64 (count,), ascending; each class is off its exact share by less than one sample.
    """
    _, ranks = _ranks(labels, seed, purpose)
    quotas = _quotas(np.bincount(labels), count, seed, purpose)
    return np.flatnonzero(ranks < quotas[labels])


def balanced(labels: np.ndarray, count: int, seed: int, purpose: str) -> np.ndarray:
    """As :func:`stratified`, but as many of each class as possible.

    A class that has too few gives all of them, and the others share what is left.
    """
    order, ranks = _ranks(labels, seed, purpose)
    lowest = order[np.argsort(ranks[order], kind="stable")]
    return np.sort(lowest[:count])


def _ranks(labels: np.ndarray, seed: int, purpose: str) -> tuple[np.ndarray, np.ndarray]:
    """A random order of all samples, and each sample's place in it within its class."""
    order = shuffled(len(labels), seed, purpose)
    by_class = order[np.argsort(labels[order], kind="stable")]
    sizes = np.bincount(labels)
    starts = np.cumsum(sizes) - sizes
    ranks = np.empty(len(labels), np.int64)
    ranks[by_class] = np.arange(len(labels)) - np.repeat(starts, sizes)
    return order, ranks


def _quotas(sizes: np.ndarray, count: int, seed: int, purpose: str) -> np.ndarray:
    """``count`` shared out in the proportion of ``sizes``, by largest remainder."""
    quotas, remainders = np.divmod(sizes * count, sizes.sum())
    ties = shuffled(len(sizes), seed, purpose, -1)
    largest = ties[np.argsort(-remainders[ties], kind="stable")]
    quotas[largest[: count - quotas.sum()]] += 1
    return quotas


def hold_out(splits: Splits, split: str, count: int, seed: int) -> Splits:
    """Moves ``count`` training samples, stratified, into the split ``"val"`` or ``"test"``.

    Raises:
        DataError: a class would have no image left in training.
    """
    x, y = splits.x_train, splits.y_train
    chosen = stratified(y, count, seed, split)
    rest = np.delete(np.arange(len(y)), chosen)
    lost = np.setdiff1d(y[chosen], y[rest])
    if len(lost) or not len(rest):
        name = splits.class_names[lost[0]] if splits.class_names else lost[0]
        raise DataError(
            f"cutting {count} of {len(y)} training images for {split} leaves none of class "
            f"{name!r}; give more images, or a {split} split of your own, or cut less"
        )
    return splits.replace(
        **{f"x_{split}": select(x, chosen), f"y_{split}": y[chosen]},
        x_train=select(x, rest),
        y_train=y[rest],
    )


def mislabel(
    labels: np.ndarray, num_classes: int, rate: float, kind: str, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Label noise on ``round(rate * N)`` samples, chosen without regard to their class.

    Args:
        labels: int32 (N,).
        num_classes: K.
        rate: share of labels drawn anew, in [0, 1].
        kind: ``"symmetric"``, uniform over all K classes, so that ``rate * (K - 1) / K`` of
            the labels are wrong; or ``"pair"``, y becomes (y + 1) mod K, so ``rate`` are wrong.

    Returns:
        the new labels, int32 (N,), and the indices at which they differ, int32 (M,) ascending.

    Example:
        >>> mislabel(np.array([0, 1, 2], np.int32), 3, 1.0, "pair", seed=0)[0].tolist()
        [1, 2, 0]
    """
    chosen = shuffled(len(labels), seed, "noisy samples")[: round(rate * len(labels))]
    given = labels.copy()
    if kind == "symmetric":
        given[chosen] = bits(seed, "noisy labels", chosen) % np.uint64(num_classes)
    else:
        given[chosen] = (labels[chosen] + 1) % num_classes
    return given, np.flatnonzero(given != labels).astype(np.int32)
