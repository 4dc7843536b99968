"""Flip, CropShift, shear and rotation as one map from the pixels of the new image to the old."""

from __future__ import annotations

from typing import Any

import numpy as np

from slr_keras.augmentations._colour import ONE
from slr_keras.hashing import bits, share, whole

SHIFT = 11  # CropShift(0, 11) takes 0 to 10 rows and columns away together
UNIT = 2**16  # of the map's coefficients
SHEAR, ROTATE = 6, 7  # operations 0 to 5 are those of _colour
STRENGTHS = ((0.1, 1.9), (0.5, 1.9), (0.5, 1.9), (0.1, 1.9), (1, 1), (1, 1), (1, 1), (1, 1))


def draws(seed: int, epoch: int, index: np.ndarray) -> np.ndarray:
    """Whole numbers, int32 (B, 13).

    0: whether flipped; 1 to 3: where the kept rows come to lie, which is the first of them, how
    many are taken away; 4 to 6: of the columns; 7: operation; 8: strength in 1/1024; 9 to 12: the
    map's coefficients in 1/65536, by row and column.
    """

    def word(purpose: str) -> np.ndarray:
        return bits(seed, f"idbh {purpose}", epoch, index)

    lost = whole(word("strength of shift"), 0, SHIFT)
    columns = whole(word("columns"), 0, lost + 1)
    rows = lost - columns
    operation = whole(word("operation"), 0, len(STRENGTHS))
    low, high = (np.rint(np.array(STRENGTHS) * ONE).astype(int)[operation, k] for k in (0, 1))
    return np.stack(
        [
            whole(word("flip"), 0, 2),
            whole(word("row to"), 0, rows + 1),
            whole(word("row from"), 0, rows + 1),
            rows,
            whole(word("column to"), 0, columns + 1),
            whole(word("column from"), 0, columns + 1),
            columns,
            operation,
            whole(word("factor"), low, high + 1),
            *_map(operation, word("amount"), word("sign"), word("axis")),
        ],
        axis=1,
    ).astype(np.int32)


def _map(
    operation: np.ndarray, amount: np.ndarray, sign: np.ndarray, axis: np.ndarray
) -> list[np.ndarray]:
    """Coefficients (row of row, row of column, column of row, column of column), each (B,)."""
    signs = np.where(sign & np.uint64(1), -1, 1)
    slope = signs * np.tan(0.05 + 0.1 * share(amount)) * (operation == SHEAR)
    along = (axis & np.uint64(1)).astype(bool)
    angle = signs * np.deg2rad(whole(amount, 1, 11)) * (operation == ROTATE)
    sine, cosine = np.sin(angle), np.cos(angle)
    found = cosine, sine + slope * along, slope * ~along - sine, cosine
    return [np.rint(UNIT * coefficient) for coefficient in found]


def moved(images: Any, numbers: Any, xp: Any) -> Any:
    """Each pixel from where the map says, nearest; black where that is outside.

    Twice the distance from the centre is a whole number, so nothing is rounded but the end.
    """
    _, height, width, channels = images.shape
    n = numbers[:, :, None, None]
    down = xp.arange(height, dtype="int32")[None, :, None]
    across = xp.arange(width, dtype="int32")[None, None, :]
    twice_down, twice_across = 2 * down - (height - 1), 2 * across - (width - 1)
    row = (n[:, 9] * twice_down + n[:, 10] * twice_across + UNIT * height) // (2 * UNIT)
    column = (n[:, 11] * twice_down + n[:, 12] * twice_across + UNIT * width) // (2 * UNIT)
    there = (row >= n[:, 1]) & (row < n[:, 1] + height - n[:, 3])
    there = there & (column >= n[:, 4]) & (column < n[:, 4] + width - n[:, 6])
    row, column = row - n[:, 1] + n[:, 2], column - n[:, 4] + n[:, 5]
    column = xp.where(n[:, 0] > 0, width - 1 - column, column)
    place = xp.where(there, row * width + column, xp.zeros_like(row))
    flat = xp.reshape(images, (-1, height * width, channels))
    found = xp.take_along_axis(flat, xp.reshape(place, (-1, height * width, 1)), axis=1)
    found = xp.reshape(found, (-1, height, width, channels))
    return xp.where(there[..., None], found, xp.zeros_like(found))
