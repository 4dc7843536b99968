"""Flakes that move, over a paler image."""

from __future__ import annotations

import numpy as np

from slr_keras.corruptions import _motion, _zoom

GREY = np.array([0.299, 0.587, 0.114], np.float32)


def snowed(
    images: np.ndarray, constants: tuple[float, ...], noise: np.ndarray, angles: np.ndarray
) -> np.ndarray:
    """Levels, float64 (N, H, W, C).

    Args:
        images: uint8 (N, H, W, C).
        constants: see :class:`slr_keras.corruptions.weather.Snow`.
        noise: normal numbers (N, H, W).
        angles: in which it falls, degrees (N,).
    """
    mean, deviation, enlargement, threshold, radius, sigma, kept = constants
    flakes = _enlarged(mean + deviation * noise, enlargement)
    flakes[flakes < threshold] = 0
    levels = (np.clip(flakes, 0, 1) * 255).astype(np.uint8)[..., None]
    falling = _motion.blurred(levels, int(radius), sigma, angles) / 255.0
    x = images / np.float32(255)
    paler = kept * x + (1 - kept) * np.maximum(x, _grey(x) * 1.5 + 0.5)
    return np.clip(paler + falling + falling[:, ::-1, ::-1], 0, 1) * 255


def _enlarged(noise: np.ndarray, factor: float) -> np.ndarray:
    planes = _zoom.zoomed(_zoom.to_planes(noise[..., None]), factor)
    return _zoom.to_images(planes, (*noise.shape, 1))[..., 0]


def _grey(x: np.ndarray) -> np.ndarray:
    """Luma of ITU-R 601; (N, H, W, 1) float32."""
    if x.shape[3] == 1:
        return x
    red, green, blue = (x[..., k, None] * GREY[k] for k in range(3))
    return red + green + blue
