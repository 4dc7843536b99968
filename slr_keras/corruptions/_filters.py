"""Smoothing and folding of images (N, H, W, C), as scikit-image and OpenCV do it."""

from __future__ import annotations

import functools

import numpy as np
from scipy import ndimage


def smoothed(
    images: np.ndarray, sigma: float, mode: str = "nearest", truncate: float = 4.0
) -> np.ndarray:
    """Folded with a Gaussian of ``sigma`` pixels over height and width, of the same dtype."""
    sigmas = (0, sigma, sigma) + (0,) * (images.ndim - 3)
    return np.asarray(ndimage.gaussian_filter(images, sigmas, mode=mode, truncate=truncate))


def folded(images: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """Folded with a kernel (K, K) that is the same upside down; mirrored about the edge pixels."""
    weights = kernel.astype(np.float64)[None, :, :, None]
    return np.asarray(ndimage.correlate(images, weights, mode="mirror"))


@functools.cache
def disk(radius: float, sigma: float) -> np.ndarray:
    """A disk of sum 1, smoothed by a Gaussian of 3 or 5 taps; float32, without its empty rim.

    Rounded step by step as OpenCV does it, because the sum of a kernel decides whether a white
    area keeps its level.
    """
    reach, around = (8, 1) if radius <= 8 else (int(radius), 2)
    line = np.arange(-reach, reach + 1)
    inside = (line**2 + line[:, None] ** 2 <= radius**2).astype(np.float32)
    inside /= inside.sum()
    taps = np.exp(-(np.arange(around + 1) ** 2) / (2 * sigma**2))
    taps = (taps / (taps[0] + 2 * taps[1:].sum())).astype(np.float32)
    order = list(range(around + 1))
    across = _pass(inside, taps, [1, 0, *order[2:]])
    smooth = _pass(across.T, taps, order).T
    rim = int(np.flatnonzero(smooth.any(axis=0))[0])
    return smooth[rim : len(smooth) - rim, rim : len(smooth) - rim]


def _pass(plane: np.ndarray, taps: np.ndarray, order: list[int]) -> np.ndarray:
    """Smoothed along rows: taps by their distance, added up in an order, float32 after each."""
    reach, width = len(taps) - 1, plane.shape[1]
    padded = np.pad(plane, ((0, 0), (reach, reach)), "reflect")
    moved = [padded[:, start : start + width] for start in range(2 * reach + 1)]
    total = np.zeros_like(plane)
    for distance in order:
        pair = moved[reach - distance] + moved[reach + distance] if distance else moved[reach]
        exact = total + pair.astype(np.float64) * taps[distance]
        total = exact.astype(np.float32)
    return total
