"""The image to attack: from the test set, or from a file."""

from __future__ import annotations

import dataclasses
import pathlib

import numpy as np

from slr_keras.data._image_files import read_image
from slr_keras.errors import UserError
from slr_keras.lab.models import Model, TestSet
from slr_keras.protocol.commands import PickImage

ORIGINS = ("index", "random", "wrong", "file")


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
    test = model.test_set()
    if command.origin == "wrong":
        return _wrong(model, test)
    index = int(np.random.default_rng().integers(len(test.y)))
    return numbered(model, index if command.origin == "random" else command.index, command.origin)


def numbered(model: Model, index: int, origin: str = "index") -> Picture:
    """The test image with this number.

    Raises:
        UserError: there is none.
    """
    test = model.test_set()
    if not isinstance(index, int) or not 0 <= index < len(test.y):
        raise UserError(f"expected a test image from 0 to {len(test.y) - 1}, received {index}.")
    title = f"{test.name}, test image {index}"
    return Picture(test.image(index), int(test.y[index]), origin, index, title)


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
    image, notes = read_image(path, model.engine.input_shape, model.title)
    name = pathlib.Path(path).expanduser().name
    return Picture(image, None, "file", None, name, " ".join(notes))
