"""Random numbers as a pure function of what they are for: no state, no order of drawing.

Every draw of the data layer is ``bits(seed, purpose, key, ...)``, so it can be repeated for one
sample alone, in any order, on any machine and with any NumPy version (NumPy's own generators
may change their streams between versions, and a resumed run must not).
"""

from __future__ import annotations

import zlib
from typing import Any

import numpy as np

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MASK = 2**64 - 1


def _mix(z: np.ndarray) -> np.ndarray:
    """The output function of splitmix64 (Steele, Lea and Flood 2014)."""
    z = z + _GOLDEN
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


def _word(key: Any) -> np.ndarray:
    """A key as uint64, at least rank 1: NumPy warns of overflow in scalars, not in arrays."""
    if isinstance(key, int):
        key = np.uint64(key & _MASK)
    return np.atleast_1d(np.asarray(key).astype(np.uint64))


def bits(seed: int, purpose: str, *keys: Any) -> np.ndarray:
    """64 random bits for each element of the broadcast keys.

    Args:
        seed: any whole number.
        purpose: what the bits decide; another word gives independent bits.
        keys: whole numbers or integer arrays, such as the epoch and the sample indices.

    Returns:
        uint64, of the broadcast shape of the keys (rank 1 at least).

    Example:
        >>> bits(0, "flip", 3, np.arange(4)).shape
        (4,)
    """
    state = _mix(_word(seed) ^ _mix(_word(zlib.crc32(purpose.encode()))))
    for key in keys:
        state = _mix(state ^ _mix(_word(key)))
    return state


def shuffled(n: int, seed: int, purpose: str, *keys: Any) -> np.ndarray:
    """A permutation of ``range(n)``, int64 (n,), that depends on the other arguments only."""
    return np.argsort(bits(seed, purpose, *keys, np.arange(n)), kind="stable")


def whole(word: np.ndarray, low: Any, high: Any) -> np.ndarray:
    """Whole numbers in [low, high) from random bits; int64, of the broadcast shape."""
    low, high = np.asarray(low, np.int64), np.asarray(high, np.int64)
    return low + (word % (high - low).astype(np.uint64)).astype(np.int64)


def share(word: np.ndarray) -> np.ndarray:
    """Numbers in [0, 1) from random bits, float64."""
    return (word >> np.uint64(11)) * 2.0**-53
