"""Pictures of frost: those of a folder, or textures that are computed."""

from __future__ import annotations

import functools
from pathlib import Path

import numpy as np
from PIL import Image

from slr_keras.corruptions._base import SMALL
from slr_keras.corruptions._draws import Draws
from slr_keras.errors import DataError

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".webp")
SHRINK = 5  # small images see pictures of a fifth of their size
COLOURS = ((78, 149, 166), (201, 205, 214), (201, 205, 214), (138, 153, 165), (112, 123, 135))
CONTRAST = (20, 22, 22, 29, 43)  # standard deviation of the levels
GRAIN = (0.8, 0.3)  # of small and large pictures, in deviations of the rest
DIRECTIONS, NEEDLE = 7, 6.0  # of the crystals; how many times as long as wide
GREY = np.array([0.299, 0.587, 0.114])


def pieces(
    folder: str, shape: tuple[int, ...], which: np.ndarray, row: np.ndarray, column: np.ndarray
) -> np.ndarray:
    """A piece of a picture for each image, levels (N, H, W, C).

    Args:
        folder: of pictures; empty for computed ones.
        shape: (N, H, W, C) of the images.
        which, row, column: shares (N,).
    """
    known = _sized(folder, shape[1], shape[2])
    found = np.empty(shape)
    for place, chosen in enumerate((which * len(known)).astype(int)):
        picture = known[chosen]
        top = int(row[place] * (len(picture) - shape[1]))
        left = int(column[place] * (picture.shape[1] - shape[2]))
        piece = picture[top : top + shape[1], left : left + shape[2]]
        found[place] = piece if shape[3] == 3 else piece @ GREY[:, None]
    return found


@functools.lru_cache(maxsize=4)
def _sized(folder: str, height: int, width: int) -> list[np.ndarray]:
    """Pictures (H', W', 3) that are larger than the images."""
    small = max(height, width) <= SMALL
    if not folder:
        side = 4 * max(height, width)
        return [_texture(number, side, GRAIN[not small]) for number in range(len(COLOURS))]
    read = _read(folder)
    if small:  # what bilinear interpolation leaves of a fifth
        read = [picture[SHRINK // 2 :: SHRINK, SHRINK // 2 :: SHRINK] for picture in read]
    return [_at_least(picture, height + 1, width + 1) for picture in read]


def _read(folder: str) -> list[np.ndarray]:
    path = Path(folder).expanduser()
    files = sorted(f for f in path.glob("*") if f.suffix.lower() in SUFFIXES)
    if not files:
        raise DataError(
            f"pictures {folder}: expected a folder of {', '.join(SUFFIXES)} files, received none; "
            "name another, or leave it out for computed frost"
        )
    try:
        return [np.asarray(Image.open(file).convert("RGB")) for file in files]
    except (OSError, Image.DecompressionBombError) as error:
        raise DataError(f"pictures {folder}: a file cannot be read ({error})") from None


def _at_least(picture: np.ndarray, height: int, width: int) -> np.ndarray:
    """Goes on mirrored where it is smaller."""
    more = [
        (0, max(0, want - have))
        for want, have in zip((height, width), picture.shape[:2], strict=True)
    ]
    return np.pad(picture, (*more, (0, 0)), "symmetric")


@functools.lru_cache(maxsize=16)
def _texture(number: int, side: int, grain: float) -> np.ndarray:
    """Needles in a few directions over a cloud, and grain, in a colour; float64 levels."""
    draws = Draws(0, "texture of frost", np.array([number]))
    turn = np.pi * draws.uniform()[0]
    cloud = _shaped(draws, side, 1.0, 0.0)
    needles = [
        abs(_shaped(draws, side, NEEDLE, turn + np.pi * k / DIRECTIONS)) for k in range(DIRECTIONS)
    ]
    ice = cloud + np.max(needles, axis=0)
    ice = (ice - ice.mean()) / ice.std() + grain * draws.normal(side, side)[0]
    ice /= ice.std()
    return np.clip(np.array(COLOURS[number]) + CONTRAST[number] * ice[..., None], 0, 255)


def _shaped(draws: Draws, side: int, long: float, angle: float) -> np.ndarray:
    """Noise whose spectrum falls with frequency, stretched along an angle; of deviation 1."""
    y, x = np.fft.fftfreq(side)[:, None], np.fft.rfftfreq(side)
    along, across = x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)
    frequency = np.hypot(along * long, across)
    frequency[0, 0] = np.inf
    spectrum = np.fft.rfft2(draws.normal(side, side)[0]) * frequency**-1.5
    shaped = np.fft.irfft2(spectrum, (side, side))
    return shaped / shaped.std()
