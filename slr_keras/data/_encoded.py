"""Image files, wherever their bytes lie, decoded by Pillow: one decoder for every backend."""

from __future__ import annotations

import contextlib
import io
import os
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from slr_keras.data._pictures import Pictures
from slr_keras.data._stream import Store, Streamed
from slr_keras.errors import DataError
from slr_keras.image_formats import FORMATS

MODES = {1: "L", 3: "RGB", 4: "RGBA"}
GREY = ("1", "L")
ORIENTATION = 0x0112  # of EXIF: 5 to 8 swap width and height
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
        upright: turn photographs as their EXIF orientation says.
    """

    dtype = np.dtype(np.uint8)

    def __init__(
        self,
        read: Callable[[int], bytes],
        where: Callable[[int], str],
        marks: tuple[np.ndarray, ...],
        shape: tuple[int, int, int, int],
        image_size: int = 0,
        upright: bool = False,
    ):
        self.read, self.where, self._marks = read, where, marks
        self.shape, self.image_size, self.upright = shape, image_size, upright

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
        image = decode(io.BytesIO(data), where, self.shape[3], self.image_size, self.upright)
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


def streamed(splits: Mapping[str, Pictures], image_size: int) -> dict[str, Streamed]:
    """The images of each split, unread, upright, all of one shape.

    Raises:
        DataError: they have several sizes and ``image_size`` is 0, or one cannot be read.
    """
    shape = _common_shape(list(splits.values()), image_size)
    return {
        split: Streamed(
            Encoded(
                images.read, images.where, images.marks(), (len(images), *shape), image_size, True
            )
        )
        for split, images in splits.items()
    }


def _common_shape(splits: list[Pictures], image_size: int) -> tuple[int, int, int]:
    """(H, W, C) from the headers alone, so that a wrong file is named before all are read."""
    where, channels = splits[0].where(0), 1
    first, _ = header(splits[0].file(0), where)
    for images in splits:
        for number in range(len(images)):
            size, mode = header(images.file(number), images.where(number))
            if size != first and not image_size:
                raise DataError(
                    f"{images.where(number)}: expected {shown(first)} pixels as in {where}, "
                    f"received {shown(size)}; {RESIZE}"
                )
            channels = channels if mode in GREY else 3
    return *((image_size, image_size) if image_size else first), channels


def header(file: Any, where: str) -> tuple[tuple[int, int], str]:
    """(H, W) as it is seen upright, and Pillow's mode, of which 16 bits a pixel become ``L``."""
    from PIL import Image

    with unreadable(where), Image.open(file, formats=FORMATS) as image:
        check_mode(image, where)
        size = image.height, image.width
        if "exif" in image.info and image.getexif().get(ORIENTATION, 1) >= 5:
            size = size[1], size[0]
        return size, "L" if image.mode.startswith("I") else image.mode


def check_mode(image: Any, where: str) -> None:
    """Raise :class:`DataError` for pixels whose range nobody knows."""
    if image.mode.startswith("F"):
        raise DataError(
            f"{where}: expected 8 or 16 bits a channel, received floats (mode {image.mode}); "
            "convert it"
        )


def eight_bits(image: Any, where: str) -> Any:
    """16-bit grey, 0..65535, which Pillow would cut off at 255, as 8-bit grey.

    Raises:
        DataError: it holds more than 16 bits.
    """
    from PIL import Image

    values = np.asarray(image, "float64")
    if values.min() < 0 or values.max() > 65535:
        raise DataError(f"{where}: expected 8 or 16 bits a channel, received more; convert it")
    return Image.fromarray(np.round(values / 257).astype("uint8"))


def decode(
    file: Any, where: str, channels: int, image_size: int = 0, upright: bool = False
) -> np.ndarray:
    """Pixels uint8 (H, W, C) of an image file, of its first picture where it holds several.

    With ``image_size`` the longer side is cut at both ends alike to a square, which is resized
    (bicubic, with antialiasing). Transparency is dropped unless there are four channels.
    """
    from PIL import Image, ImageOps

    with unreadable(where), Image.open(file, formats=FORMATS) as opened:
        check_mode(opened, where)
        if upright and "exif" in opened.info:
            ImageOps.exif_transpose(opened, in_place=True)
        image: Image.Image = eight_bits(opened, where) if opened.mode[0] == "I" else opened
        if image.mode != MODES[channels]:
            image = image.convert(MODES[channels])
        if image_size:
            image = ImageOps.fit(image, (image_size, image_size), Image.Resampling.BICUBIC)
        pixels = np.frombuffer(image.tobytes(), np.uint8)  # np.asarray takes a fifth longer
        return pixels.reshape(image.height, image.width, channels)
