"""Which classes are taken for which."""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import ArrayLike


@dataclasses.dataclass(frozen=True)
class Mistake:
    """So many images of one class were taken for another."""

    true: int
    predicted: int
    count: int


def confusion(labels: ArrayLike, predicted: ArrayLike, classes: int) -> np.ndarray:
    """``C[i, j]``: images of class i that were classified as j; int (K, K).

    Example:
        >>> confusion([0, 0, 1], [0, 1, 1], 2).tolist()
        [[1, 1], [0, 1]]
    """
    pairs = np.asarray(labels, int) * classes + np.asarray(predicted, int)
    return np.bincount(pairs, minlength=classes**2).reshape(classes, classes)


def per_class(matrix: np.ndarray) -> list[float | None]:
    """Share of each class's images that were classified correctly; None for a class without any.

    Example:
        >>> per_class(np.array([[1, 1], [0, 0]]))
        [0.5, None]
    """
    return [
        float(row[i] / row.sum()) if row.sum() else None for i, row in enumerate(np.asarray(matrix))
    ]


def worst_mistakes(matrix: np.ndarray, most: int = 3) -> list[Mistake]:
    """The most frequent mistakes, largest first, equal ones in the order of the classes.

    Example:
        >>> worst_mistakes(np.array([[5, 2], [3, 1]]), most=1)
        [Mistake(true=1, predicted=0, count=3)]
    """
    wrong = np.array(matrix)
    np.fill_diagonal(wrong, 0)
    order = np.argsort(-wrong, axis=None, kind="stable")[:most]
    found = (Mistake(int(p // len(wrong)), int(p % len(wrong)), int(wrong.flat[p])) for p in order)
    return [mistake for mistake in found if mistake.count]
