"""Image files, wherever their bytes lie, decoded by Pillow: one decoder for every backend."""

from __future__ import annotations

import contextlib
import io
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from slr_keras.data._stream import Store
from slr_keras.errors import DataError

MODES = {1: "L", 3: "RGB", 4: "RGBA"}
LARGE = 128 * 128  # pixels; threads that decode less wait for each other, for Python's lock
WORKERS = min(8, os.cpu_count() or 1)


class Encoded(Store):
    """A store of encoded images (PNG, JPEG, ...).

    Args:
        read: from the number of an image to its bytes; called from several threads.
        where: from its number to words for an error: a path, or a record of a file.
        marks: arrays (N, ...) that together tell the images from others.
        shape: (N, H, W, C) of the decoded images.
        image_size: 0, or the width and height that each is brought to.
    """

    dtype = np.dtype(np.uint8)

    def __init__(
        self,
        read: Callable[[int], bytes],
        where: Callable[[int], str],
        marks: tuple[np.ndarray, ...],
        shape: tuple[int, int, int, int],
        image_size: int = 0,
    ):
        self.read, self.where, self._marks = read, where, marks
        self.shape, self.image_size = shape, image_size

    def fetch(self, rows: np.ndarray) -> np.ndarray:
        """See :class:`Store`; large images are decoded by several threads."""
        images = np.empty((len(rows), *self.shape[1:]), np.uint8)

        def fill(place: int) -> None:
            images[place] = self._decoded(int(rows[place]))

        small = not self.image_size and self.shape[1] * self.shape[2] < LARGE
        if small or WORKERS == 1:
            for place in range(len(rows)):
                fill(place)
            return images
        with ThreadPoolExecutor(WORKERS) as pool:
            for _ in pool.map(fill, range(len(rows))):  # in order: the first bad one is named
                pass
        return images

    def _decoded(self, number: int) -> np.ndarray:
        where = self.where(number)
        with unreadable(where):
            data = self.read(number)
        image = decode(io.BytesIO(data), where, self.shape[3], self.image_size)
        if image.shape != self.shape[1:]:
            raise DataError(
                f"{where}: expected {shown(self.shape[1:])} pixels, received "
                f"{shown(image.shape)}; {RESIZE}"
            )
        return image

    def marks(self, rows: np.ndarray) -> bytes:
        """See :class:`Store`."""
        return b"".join(array[rows].tobytes() for array in self._marks)


RESIZE = "resize all images to one size, or set data.image_size"


def shown(shape: tuple[int, ...]) -> str:
    """``32x24`` for an image of height 24 and width 32, as image programs write it."""
    return f"{shape[1]}x{shape[0]}"


@contextlib.contextmanager
def unreadable(where: str) -> Iterator[None]:
    """Names the image that Pillow or the file system cannot read."""
    from PIL import Image

    try:
        yield
    except DataError:
        raise
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise DataError(
            f"{where}: expected an image, received a file that cannot be read ({error}); "
            "replace or remove it"
        ) from None


def header(path: Path) -> tuple[tuple[int, int], str]:
    """(H, W) and Pillow's mode of an image file, of which only the header is read."""
    from PIL import Image

    with unreadable(str(path)), Image.open(path) as image:
        check_mode(image, str(path))
        return (image.height, image.width), image.mode


def check_mode(image: Any, where: str) -> None:
    """Raise :class:`DataError` for more than 8 bits a channel."""
    if image.mode.startswith(("I", "F")):
        raise DataError(
            f"{where}: expected 8 bits a channel, received mode {image.mode}; convert it"
        )


def decode(file: Any, where: str, channels: int, image_size: int = 0) -> np.ndarray:
    """Pixels uint8 (H, W, C) of an image file.

    With ``image_size`` the longer side is cut at both ends alike to a square, which is resized
    (bicubic, with antialiasing).
    """
    from PIL import Image, ImageOps

    with unreadable(where), Image.open(file) as opened:
        check_mode(opened, where)
        same = opened.mode == MODES[channels]
        image: Image.Image = opened if same else opened.convert(MODES[channels])
        if image_size:
            image = ImageOps.fit(image, (image_size, image_size), Image.Resampling.BICUBIC)
        pixels = np.frombuffer(image.tobytes(), np.uint8)  # np.asarray takes a fifth longer
        return pixels.reshape(image.height, image.width, channels)
