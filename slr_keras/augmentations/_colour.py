"""Six operations on the levels of a byte, in whole numbers: as Pillow's, up to one level.

Images are int32 (B, H, W, C) in 0 to 255 inside, factors f whole numbers in 1/1024; all functions
take NumPy arrays or tensors and compute the same of both.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

ONE = 1024


def changed(images: Any, operation: Any, strength: Any, xp: Any) -> Any:
    """Images of 8 bits after the operation of each, (B,); above the last one as they are."""
    levels = _cast(images, "int32", xp)
    for number, function in enumerate(OPERATIONS):
        chosen = operation == number
        if xp is np:  # the others cost nothing
            some = levels[chosen]
            levels[chosen] = function(some, strength[chosen, None, None, None], xp)
        else:
            new = function(levels, strength[:, None, None, None], xp)
            levels = xp.where(chosen[:, None, None, None], new, levels)
    return _cast(levels, str(images.dtype) if xp is np else images.dtype, xp)


def saturation(levels: Any, f: Any, xp: Any) -> Any:
    """``g + f (v - g)`` with the grey of each pixel; images without colour stay."""
    return levels if levels.shape[-1] != 3 else _blend(_grey(levels, xp), levels, f, xp)


def brightness(levels: Any, f: Any, xp: Any) -> Any:
    """``f v``."""
    return _blend(xp.zeros_like(levels), levels, f, xp)


def contrast(levels: Any, f: Any, xp: Any) -> Any:
    """``m + f (v - m)`` with the mean grey m of the image, rounded."""
    grey = _grey(levels, xp)
    pixels = levels.shape[1] * levels.shape[2]
    mean = (2 * _sum(grey, (1, 2, 3), xp) + pixels) // (2 * pixels)
    return _blend(mean, levels, f, xp)


def sharpness(levels: Any, f: Any, xp: Any) -> Any:
    """``s + f (v - s)``, s smoothed by a 3 x 3 kernel (1 around 5, over 13); the rim stays."""
    _, height, width, _ = levels.shape
    if height < 3 or width < 3:
        return levels
    parts = [levels[:, i : height - 2 + i, j : width - 2 + j] for i in range(3) for j in range(3)]
    inner = (2 * (sum(parts) + 4 * parts[4]) + 13) // 26
    smooth = xp.pad(inner, ((0, 0), (1, 1), (1, 1), (0, 0)))
    rows, columns = (np.isin(np.arange(n), (0, n - 1)) for n in (height, width))
    rim = (rows[:, None] | columns[None, :])[None, :, :, None]
    return _blend(xp.where(rim, levels, smooth), levels, f, xp)


def autocontrast(levels: Any, f: Any, xp: Any) -> Any:
    """Each channel stretched from its smallest and largest level to 0 and 255."""
    low = xp.min(levels, axis=(1, 2), keepdims=True)
    reach = xp.max(levels, axis=(1, 2), keepdims=True) - low
    stretched = 255 * (levels - low) // xp.maximum(reach, xp.ones_like(reach))
    return xp.where(reach > 0, stretched, levels)


def equalize(levels: Any, f: Any, xp: Any) -> Any:
    """Each channel's levels by how many pixels lie below: ``(s // 2 + below) // s``.

    ``s`` is a 255th of the pixels without those of the largest level; where it is 0, nothing.
    """
    _, height, width, channels = levels.shape
    flat = xp.reshape(levels, (-1, height * width, channels))
    counts = _histogram(flat, xp)
    below = xp.cumsum(counts, axis=1) - counts
    largest = xp.max(flat, axis=1, keepdims=True)
    step = (height * width - xp.take_along_axis(counts, largest, axis=1)) // 255
    safe = xp.maximum(step, xp.ones_like(step))
    table = xp.minimum((safe // 2 + below) // safe, 255 * xp.ones_like(below))
    new = xp.where(step > 0, xp.take_along_axis(table, flat, axis=1), flat)
    return xp.reshape(new, (-1, height, width, channels))


OPERATIONS: tuple[Callable[[Any, Any, Any], Any], ...] = (
    saturation,
    brightness,
    contrast,
    sharpness,
    autocontrast,
    equalize,
)


def _blend(low: Any, levels: Any, f: Any, xp: Any) -> Any:
    return xp.clip((ONE * low + f * (levels - low)) // ONE, 0, 255)


def _grey(levels: Any, xp: Any) -> Any:
    """Luma of ITU-R 601-2 as Pillow rounds it, else the mean of the channels; (B, H, W, 1)."""
    if levels.shape[-1] != 3:
        return _sum(levels, -1, xp) // levels.shape[-1]
    red, green, blue = (levels[..., k : k + 1] for k in range(3))
    return (19595 * red + 38470 * green + 7471 * blue + 2**15) // 2**16


def _sum(levels: Any, axis: Any, xp: Any) -> Any:
    """int32 on every backend."""
    return _cast(xp.sum(levels, axis=axis, keepdims=True), "int32", xp)


def _histogram(flat: Any, xp: Any) -> Any:
    """How many of (B, P, C) have each level: int32 (B, 256, C)."""
    channels = flat.shape[2]
    count = xp.shape(flat)[0]
    place = xp.arange(count, dtype="int32")[:, None, None] * channels
    place = 256 * (place + xp.arange(channels, dtype="int32")[None, None, :]) + flat
    place, bins = xp.reshape(place, (-1,)), count * channels * 256
    if xp is np:
        counts = np.bincount(place, minlength=bins).astype("int32")
    else:
        counts = xp.segment_sum(xp.ones_like(place), place, bins)
    return xp.transpose(xp.reshape(counts, (-1, channels, 256)), (0, 2, 1))


def _cast(x: Any, dtype: Any, xp: Any) -> Any:
    return x.astype(dtype) if xp is np else xp.cast(x, dtype)
