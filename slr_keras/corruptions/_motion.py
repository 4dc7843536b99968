"""ImageMagick's motion blur (``MotionBlurImage`` of version 6 with 16 bits a value)."""

from __future__ import annotations

import numpy as np


def blurred(images: np.ndarray, radius: int, sigma: float, angles: np.ndarray) -> np.ndarray:
    """``sum_i k_i x(p + o_i)``: a Gaussian's half ``k`` along a line of rounded offsets ``o``.

    Args:
        images: uint8 (N, H, W, C); beyond its edge an image goes on with its edge pixels.
        radius: of the kernel, which has ``2 radius + 1`` taps, in pixels.
        sigma: of the Gaussian, in pixels.
        angles: of the lines, degrees (N,), clockwise from the right.

    Returns:
        uint8; sums are rounded to 16 bits, of which 8 are kept, as ImageMagick writes them.
    """
    count, height, width, _ = images.shape
    taps = 2 * radius + 1
    kernel = np.exp(-(np.arange(taps) ** 2) / (2 * sigma**2))
    kernel /= kernel.sum()
    planes = np.pad(
        images.transpose(0, 3, 1, 2), ((0, 0), (0, 0), (taps, taps), (taps, taps)), "edge"
    )
    windows = np.lib.stride_tricks.sliding_window_view(planes, (height, width), axis=(2, 3))
    down, across = (_offsets(taps, function(np.deg2rad(angles))) for function in (np.sin, np.cos))
    every = np.arange(count)
    total = np.zeros((count, images.shape[3], height, width))
    for tap in range(taps):
        total += 257 * kernel[tap] * windows[every, :, taps + down[tap], taps + across[tap]]
    levels = np.floor(total + 0.5).astype(np.uint16) // 257
    return levels.astype(np.uint8).transpose(0, 2, 3, 1)


def _offsets(taps: int, slopes: np.ndarray) -> np.ndarray:
    """Whole numbers (taps, N)."""
    return np.ceil(np.arange(taps)[:, None] * slopes - 0.5).astype(np.int64)
