"""An affine map as OpenCV's ``warpAffine`` makes it, then a field of displacements."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from slr_keras.corruptions._base import SMALL
from slr_keras.corruptions._filters import smoothed

Fold = Callable[[np.ndarray, int], np.ndarray]
PARTS = 32  # of a pixel, to which OpenCV rounds coordinates
FINE = 1024  # of a pixel, in which it adds them up


def moved(
    images: np.ndarray,
    constants: tuple[float, float, float],
    corners: np.ndarray,
    *fields: np.ndarray,
) -> np.ndarray:
    """Both steps; levels, float64 (N, H, W, C).

    Args:
        images: uint8 (N, H, W, C).
        constants: amplitude and sigma of the displacements, reach of the corners, in sides.
        corners: shares (N, 3, 2) by which corners move in x and y.
        fields: shares (N, H, W) of the displacements in x, then in y.
    """
    height, width = images.shape[1:3]
    side = min(height, width) * (1 if max(height, width) <= SMALL else 244 / 224)
    amplitude, sigma, reach = (side * constant for constant in constants)
    inverse = _inverse(_corners(height, width), -reach + 2 * reach * corners)
    warped = _warped(images / np.float32(255), inverse)
    across, down = (
        (smoothed(-1 + 2 * field, sigma, "reflect", 3.0) * amplitude).astype(np.float32)
        for field in fields
    )
    return np.clip(_displaced(warped, down, across), 0, 1) * np.float32(255)


def _corners(height: int, width: int) -> np.ndarray:
    """Three points (x, y) around the middle, float32 (3, 2)."""
    middle = np.array([width // 2, height // 2], np.float32)
    step = min(height, width) // 3
    return np.array([middle + step, middle + (step, -step), middle - step], np.float32)


def _inverse(points: np.ndarray, shifts: np.ndarray) -> np.ndarray:
    """From pixels of the result to those of the image, (N, 2, 3): x and y by (x, y, 1)."""
    there = (points + shifts.astype(np.float32)).astype(np.float64)
    ones = np.ones((*there.shape[:2], 1))
    here = np.concatenate([points.astype(np.float64), ones[0]], axis=1)
    forth = np.linalg.solve(here, there).transpose(0, 2, 1)
    (a, b, p), (c, d, q) = np.moveaxis(forth, 0, -1)
    scale = a * d - b * c
    scale = np.divide(1, scale, out=np.zeros_like(scale), where=scale != 0)
    a, b, c, d = d * scale, -b * scale, -c * scale, a * scale
    back = np.array([[a, b, -a * p - b * q], [c, d, -c * p - d * q]])
    return np.moveaxis(back, -1, 0)


def _warped(images: np.ndarray, inverse: np.ndarray) -> np.ndarray:
    """Interpolated at 32nds of a pixel, mirrored about the edge pixels; float32."""
    height, width = images.shape[1:3]
    x, y = (_fixed_point(inverse[:, k], height, width) for k in (0, 1))
    taps = _Taps(y // PARTS, x // PARTS, _mirrored)
    down, across = ((n % PARTS / PARTS).astype(np.float32) for n in (y, x))
    return taps.sum(images, down, across)


def _fixed_point(row: np.ndarray, height: int, width: int) -> np.ndarray:
    """``row . (x, y, 1)`` for all pixels in 32nds, rounded as OpenCV does it; int64 (N, H, W)."""
    a, b, c = row.T[..., None]
    along = np.rint(FINE * (a * np.arange(width))).astype(np.int64)
    start = np.rint(FINE * (b * np.arange(height) + c)).astype(np.int64)
    step = FINE // PARTS
    return (start[:, :, None] + along[:, None] + step // 2) // step


def _displaced(images: np.ndarray, down: np.ndarray, across: np.ndarray) -> np.ndarray:
    """Each pixel from where its displacement points, reflected at the edge; float32."""
    height, width = images.shape[1:3]
    y = np.arange(height)[:, None] + down.astype(np.float64)
    x = np.arange(width) + across.astype(np.float64)
    top, left = np.floor(y), np.floor(x)
    taps = _Taps(top.astype(np.int64), left.astype(np.int64), _reflected)
    return taps.sum(images, y - top, x - left).astype(np.float32)


def _mirrored(place: np.ndarray, side: int) -> np.ndarray:
    """``d c b | a b c d | c b a``."""
    folded = place % max(1, 2 * side - 2)
    return np.minimum(folded, 2 * side - 2 - folded) if side > 1 else 0 * place


def _reflected(place: np.ndarray, side: int) -> np.ndarray:
    """``c b a | a b c d | d c b``."""
    folded = place % (2 * side)
    return np.minimum(folded, 2 * side - 1 - folded)


class _Taps:
    """The four pixels around each place.

    Args:
        top, left: rows and columns of the first of the four, int64 (N, H, W).
        inside: ``inside(place, side)`` gives the row or column that stands for one outside.
    """

    def __init__(self, top: np.ndarray, left: np.ndarray, inside: Fold):
        self.top, self.left, self.inside = top, left, inside

    def sum(self, images: np.ndarray, down: np.ndarray, across: np.ndarray) -> np.ndarray:
        """Interpolated linearly, by how far below and right of the first (N, H, W) each lies."""
        count, height, width, channels = images.shape
        pixels = images.reshape(-1, channels)
        first = height * width * np.arange(count)[:, None, None]
        total: np.ndarray = np.zeros((), down.dtype)
        for row, high in ((0, 1 - down), (1, down)):
            line = first + width * self.inside(self.top + row, height)
            for column, wide in ((0, 1 - across), (1, across)):
                place = line + self.inside(self.left + column, width)
                total = total + pixels[place] * (high * wide)[..., None]
        return total
