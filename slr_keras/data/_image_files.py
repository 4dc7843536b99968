"""Image files as models take them: read, turned upright, resized, grey or in colour."""

from __future__ import annotations

import pathlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from slr_keras.data import as_float
from slr_keras.data._encoded import eight_bits
from slr_keras.errors import DataError
from slr_keras.image_formats import FORMATS

LARGEST = 224  # longest side for a network that takes any size
PIXELS = 50_000_000  # of a file; beyond it is no picture to attack


def read_image(
    path: str, input_shape: Sequence[int | None], title: str
) -> tuple[np.ndarray, list[str]]:
    """An image file as a model takes it.

    Args:
        input_shape: (H, W, C) of the model, None for any size.
        title: the model's, for messages.

    Returns:
        Pixels (H, W, C) float32 in [0, 1], and sentences on what was changed.

    Raises:
        DataError: it cannot be read.
    """
    from PIL import Image

    place = pathlib.Path(path).expanduser()
    try:
        with Image.open(place, formats=FORMATS) as opened:
            upright, size = _upright(opened, place)
    except FileNotFoundError:
        raise DataError(f"no such file: {place}. Choose another image.") from None
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise DataError(
            f"{place} cannot be read as an image of {', '.join(FORMATS)} ({error}). "
            "Open it in an image editor and save it as PNG, or choose another."
        ) from None
    height, width, channels = _shape_for(input_shape, title, size)
    notes = []
    grey = upright.mode == "L"
    if grey != (channels == 1):
        notes.append("It is grey and was given three equal channels." if grey else "")
        notes[-1] = notes[-1] or "Its colours were turned into grey."
    converted = upright.convert("L" if channels == 1 else "RGB")
    if converted.size != (width, height):
        converted = converted.resize((width, height), Image.Resampling.BICUBIC)
        notes.insert(
            0,
            f"The file is {size[0]} × {size[1]}; it was resized to {width} × {height}.",
        )
    image = as_float(np.asarray(converted, "uint8").reshape(height, width, -1))
    return image, notes


def _upright(opened: Any, place: pathlib.Path) -> tuple[Any, tuple[int, int]]:
    """The picture as it is meant to be seen: turned, over white, 8 bits, grey or RGB."""
    from PIL import Image, ImageOps

    if opened.width * opened.height > PIXELS:
        raise DataError(
            f"{place} has {opened.width} × {opened.height} pixels, expected {PIXELS:,} at most. "
            "Make it smaller first."
        )
    image = ImageOps.exif_transpose(opened)
    if image.mode.startswith("F"):
        raise DataError(f"{place} holds floats, expected 8 or 16 bits a channel. Convert it.")
    if image.mode.startswith("I"):
        image = eight_bits(image, str(place))
    if image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info:
        grey = image.mode in ("LA", "La")
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(white, image).convert("L" if grey else "RGB")
    image = image.convert("L" if image.mode in ("1", "L") else "RGB")
    return image, image.size


def _shape_for(
    input_shape: Sequence[int | None], title: str, size: tuple[int, int]
) -> tuple[int, int, int]:
    """(H, W, C) of the model; where it takes any size, that of the file or what fits."""
    if len(input_shape) != 3:
        shown = " × ".join("any" if size is None else str(size) for size in input_shape)
        raise DataError(
            f"{title} takes {shown}, expected height, width and channels. Load another model."
        )
    height, width, channels = input_shape
    if channels not in (None, 1, 3):
        raise DataError(
            f"{title} takes {channels} channels, and image files have one or three. "
            "Pick an image of the test set."
        )
    scale = min(1.0, LARGEST / max(size))
    free = [max(1, round(scale * side)) for side in size]
    return height or free[1], width or free[0], channels or 3
