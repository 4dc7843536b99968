"""Which images were classified correctly, as a text for files: hexadecimal, eight images a byte."""

from __future__ import annotations

import numpy as np


def bits_of(right: np.ndarray) -> str:
    """(N,) bool as a text.

    Example:
        >>> bits_of(np.array([True, False, True]))
        'a0'
    """
    return np.packbits(right).tobytes().hex()


def images_of(bits: str, count: int) -> np.ndarray:
    """The inverse: (count,) bool.

    Example:
        >>> images_of("a0", 3).tolist()
        [True, False, True]
    """
    packed = np.frombuffer(bytes.fromhex(bits), np.uint8)
    return np.unpackbits(packed, count=count).astype(bool)
