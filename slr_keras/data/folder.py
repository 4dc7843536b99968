"""Image files in a folder for each class."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path
from typing import Any

from slr_keras.data._settings import DataSettings
from slr_keras.data._source import Source, Splits
from slr_keras.errors import DataError, did_you_mean

SUFFIXES = (".png", ".jpg", ".jpeg")
GREY = ("1", "L")


@dataclasses.dataclass(frozen=True)
class Folder(Source):
    """``train/<class>/*.png|jpg|jpeg``, ``test/<class>/...``, perhaps ``val/<class>/...``.

    Classes are numbered in the order of their sorted names. All images have one size, or are
    brought to one by ``data.image_size``; they are uint8 with three channels, or with one when
    every file is grey. Transparency is dropped.
    """

    name = "folder"
    rank = 2

    @classmethod
    def matches(cls, name: str) -> bool:
        """An existing folder."""
        return bool(name) and Path(name).expanduser().is_dir()

    @staticmethod
    def load(settings: DataSettings) -> Splits:
        """See the class; every header is read here, the pixels later."""
        root, size = Path(settings.name).expanduser(), settings.image_size
        classes = _classes(root)
        found = {split: _files(root / split, classes) for split in _splits(root)}
        shape = _common_shape([path for files in found.values() for path, _ in files], size)
        arrays: dict[str, Any] = {}
        for split, files in found.items():
            arrays[f"x_{split}"], arrays[f"y_{split}"] = _streamed(root, files, shape, size)
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


def _common_shape(paths: list[Path], image_size: int) -> tuple[int, int, int]:
    """(H, W, C) from the headers alone, so that a wrong file is named before all are read."""
    from slr_keras.data._encoded import RESIZE, header, shown

    (first, _), channels = header(paths[0]), 1
    for path in paths:
        size, mode = header(path)
        if size != first and not image_size:
            raise DataError(
                f"{path}: expected {shown(first)} pixels as in {paths[0]}, "
                f"received {shown(size)}; {RESIZE}"
            )
        channels = channels if mode in GREY else 3
    height, width = (image_size, image_size) if image_size else first
    return height, width, channels


def _streamed(
    root: Path, files: list[tuple[Path, int]], shape: tuple[int, int, int], image_size: int
) -> tuple[Any, Any]:
    """Images, unread, and labels of a split; a name is kept in as few bytes as it has."""
    import numpy as np

    from slr_keras.data._encoded import Encoded
    from slr_keras.data._stream import Streamed

    names = np.array([os.fsencode(path.relative_to(root).as_posix()) for path, _ in files])
    sizes = np.array([path.stat().st_size for path, _ in files], "<i8")

    def path(i: int) -> Path:
        return root / os.fsdecode(names[i])

    images = Encoded(
        lambda i: path(i).read_bytes(),
        lambda i: str(path(i)),
        (names, sizes),
        (len(files), *shape),
        image_size,
    )
    return Streamed(images), np.array([label for _, label in files], np.int32)
