"""Image files in a folder for each class."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from slr_keras.data._source import Source, Splits
from slr_keras.errors import DataError, did_you_mean

SUFFIXES = (".png", ".jpg", ".jpeg")
GREY = ("1", "L")


@dataclasses.dataclass(frozen=True)
class Folder(Source):
    """``train/<class>/*.png|jpg|jpeg``, ``test/<class>/...``, perhaps ``val/<class>/...``.

    Classes are numbered in the order of their sorted names. All images have one size; they are
    uint8 with three channels, or with one when every file is grey. Transparency is dropped.
    """

    name = "folder"
    rank = 2

    @classmethod
    def matches(cls, name: str) -> bool:
        """An existing folder."""
        return bool(name) and Path(name).expanduser().is_dir()

    @staticmethod
    def load(name: str, dir: str) -> Splits:
        """See the class; ``dir`` is ignored."""
        root = Path(name).expanduser()
        classes = _classes(root)
        found = {split: _files(root / split, classes) for split in _splits(root)}
        shape = _common_shape([path for files in found.values() for path, _ in files])
        arrays: dict[str, Any] = {}
        for split, files in found.items():
            arrays[f"x_{split}"], arrays[f"y_{split}"] = _read(files, shape)
        return Splits(**arrays, class_names=classes)


def _splits(root: Path) -> list[str]:
    return [split for split in ("train", "val", "test") if (root / split).is_dir()]


def _folders(root: Path) -> list[str]:
    return sorted(p.name for p in root.iterdir() if p.is_dir() and not p.name.startswith("."))


def _classes(root: Path) -> tuple[str, ...]:
    for split in ("train", "test"):
        if not (root / split).is_dir():
            raise DataError(
                f"{root}: expected the folders train/<class>/ and test/<class>/, "
                f"received {', '.join(_folders(root)) or 'no folder'}; add {split}/"
            )
    classes = _folders(root / "train")
    if len(classes) < 2:
        raise DataError(
            f"{root / 'train'}: expected a folder for each of two or more classes, "
            f"received {len(classes)}"
        )
    return tuple(classes)


def _files(root: Path, classes: tuple[str, ...]) -> list[tuple[Path, int]]:
    """Every image with its label, in the order of the names."""
    for name in _folders(root):
        if name not in classes:
            raise DataError(
                f"{root / name}: expected the classes of train/, received {name!r}."
                + did_you_mean(name, classes)
            )
    found = []
    for label, name in enumerate(classes):
        paths = _images(root / name)
        if not paths and root.name == "train":
            raise DataError(f"{root / name}: expected {', '.join(SUFFIXES)} images, received none")
        found += [(path, label) for path in paths]
    if not found:
        raise DataError(f"{root}: expected {', '.join(SUFFIXES)} images, received none")
    return found


def _images(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    return sorted(
        path
        for path in folder.iterdir()
        if path.suffix.lower() in SUFFIXES and not path.name.startswith(".")
    )


def _common_shape(paths: list[Path]) -> tuple[int, int, int]:
    """(H, W, C) from the headers alone, so that a wrong file is named before all are read."""
    headers = [_opened(path, lambda image: (image.size, image.mode)) for path in paths]
    (width, height), _ = headers[0]
    for path, (size, mode) in zip(paths, headers, strict=True):
        if size != (width, height):
            raise DataError(
                f"{path}: expected {width}x{height} pixels as in {paths[0]}, "
                f"received {size[0]}x{size[1]}; resize all images to one size"
            )
        if mode.startswith(("I", "F")):
            raise DataError(f"{path}: expected 8 bits a channel, received mode {mode}; convert it")
    return height, width, 1 if all(mode in GREY for _, mode in headers) else 3


def _read(files: list[tuple[Path, int]], shape: tuple[int, int, int]) -> tuple[Any, Any]:
    import numpy as np

    mode = "L" if shape[-1] == 1 else "RGB"
    images = np.empty((len(files), *shape), np.uint8)
    for i, (path, _) in enumerate(files):
        images[i] = _opened(path, lambda image: np.asarray(image.convert(mode))).reshape(shape)
    return images, np.array([label for _, label in files], np.int32)


def _opened(path: Path, function: Any) -> Any:
    """``function`` of the open image; a file that Pillow cannot read is named."""
    from PIL import Image

    try:
        with Image.open(path) as image:
            return function(image)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise DataError(
            f"{path}: expected an image, received a file that cannot be read ({error}); "
            "replace or remove it"
        ) from None
