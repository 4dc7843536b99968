"""The image to attack: from the test set, or from a file."""

from __future__ import annotations

import dataclasses
import pathlib
from typing import Any

import numpy as np

from slr_keras.commands import PickImage
from slr_keras.data import as_float
from slr_keras.errors import DataError, UserError
from slr_keras.lab.models import Model, TestSet, shown

FORMATS = ("PNG", "JPEG", "BMP", "WEBP")
ORIGINS = ("index", "random", "wrong", "file")
LARGEST = 224  # longest side for a network that takes any size
PIXELS = 50_000_000  # of a file; beyond it is no picture to attack


@dataclasses.dataclass(frozen=True, eq=False)
class Picture:
    """Pixels (H, W, C) float32 in [0, 1] and where they are from; see ``ImagePicked``."""

    image: np.ndarray
    label: int | None
    origin: str
    index: int | None = None
    title: str = ""
    notice: str = ""


def pick(command: PickImage, model: Model | None) -> Picture:
    """The image a command asks for, as the model takes it.

    Raises:
        UserError: there is none, says why.
    """
    if command.origin not in ORIGINS:
        raise UserError(f"expected one of {', '.join(ORIGINS)}, received {command.origin!r}.")
    if model is None:
        raise UserError("There is no model yet. Load one, then pick an image.")
    if command.origin == "file":
        return read_file(command.path, model)
    if model.test is None:
        raise UserError(f"There are no test images for {model.title}. {model.no_test}")
    if command.origin == "wrong":
        return _wrong(model, model.test)
    count = len(model.test.y)
    index = int(np.random.default_rng().integers(count))
    return _numbered(model.test, index if command.origin == "random" else command.index, command)


def _numbered(test: TestSet, index: int, command: PickImage) -> Picture:
    if not isinstance(index, int) or not 0 <= index < len(test.y):
        raise UserError(f"expected a test image from 0 to {len(test.y) - 1}, received {index}.")
    title = f"{test.name}, test image {index}"
    return Picture(test.image(index), int(test.y[index]), command.origin, index, title)


def _wrong(model: Model, test: TestSet) -> Picture:
    found = model.mistakes
    of = f"{found.checked} of {len(test.y)}" if found.checked < len(test.y) else f"{found.checked}"
    if not len(found.wrong):
        raise UserError(
            f"{model.title} gets none wrong of the {of} test images that were checked. "
            "Take a random one."
        )
    index = int(np.random.default_rng().choice(found.wrong))
    title = f"{test.name}, test image {index}, one of {len(found.wrong)} wrong among {of} checked"
    return Picture(test.image(index), int(test.y[index]), "wrong", index, title)


# -- files ------------------------------------------------------------------------------------


def read_file(path: str, model: Model) -> Picture:
    """An image file in the shape that the model takes.

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
            f"{place} cannot be read as a PNG, JPEG, BMP or WEBP image ({error}). "
            "Open it in an image editor and save it as PNG, or choose another."
        ) from None
    height, width, channels = _shape_for(model, size)
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
    return Picture(image, None, "file", None, place.name, " ".join(notes))


def _upright(opened: Any, place: pathlib.Path) -> tuple[Any, tuple[int, int]]:
    """The picture as it is meant to be seen: turned, over white, 8 bits, grey or RGB."""
    from PIL import Image, ImageOps

    if opened.width * opened.height > PIXELS:
        raise DataError(
            f"{place} has {opened.width} × {opened.height} pixels, expected {PIXELS:,} at most. "
            "Make it smaller first."
        )
    image = ImageOps.exif_transpose(opened)
    if image.mode.startswith(("I", "F")):
        image = _eight_bits(image)
    if image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info:
        grey = image.mode in ("LA", "La")
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(white, image).convert("L" if grey else "RGB")
    image = image.convert("L" if image.mode in ("1", "L") else "RGB")
    return image, image.size


def _eight_bits(image: Any) -> Any:
    """16-bit grey, which Pillow would cut off at 255."""
    from PIL import Image

    values = np.asarray(image, "float64")
    return Image.fromarray(np.round(np.clip(values / 65535, 0, 1) * 255).astype("uint8"))


def _shape_for(model: Model, size: tuple[int, int]) -> tuple[int, int, int]:
    """(H, W, C) of the model; where it takes any size, that of the file or what fits."""
    if len(model.engine.input_shape) != 3:
        raise DataError(
            f"{model.title} takes {shown(model.engine.input_shape)}, expected height, width and "
            "channels. Load another model."
        )
    height, width, channels = model.engine.input_shape
    if channels not in (None, 1, 3):
        raise DataError(
            f"{model.title} takes {channels} channels, and image files have one or three. "
            "Pick an image of the test set."
        )
    scale = min(1.0, LARGEST / max(size))
    free = [max(1, round(scale * side)) for side in size]
    return height or free[1], width or free[0], channels or 3
