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
        shape = _common_shape([_Paths(root, names) for names, _ in found.values()], size)
        arrays: dict[str, Any] = {}
        for split, (names, labels) in found.items():
            arrays[f"x_{split}"] = _streamed(_Paths(root, names), shape, size)
            arrays[f"y_{split}"] = labels
        return Splits(**arrays, class_names=classes)


@dataclasses.dataclass(frozen=True)
class _Paths:
    """Files below a folder, whose names (a million of them, perhaps) lie in an array of bytes."""

    root: Path
    names: Any

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, number: int) -> Path:
        return self.root / os.fsdecode(self.names[number])


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


def _files(root: Path, classes: tuple[str, ...]) -> tuple[Any, Any]:
    """Every image, as bytes ``split/class/name``, and its label, in the order of the names."""
    import numpy as np

    for name in _folders(root):
        if name not in classes:
            raise DataError(
                f"{root / name}: expected the classes of train/, received {name!r}."
                + did_you_mean(name, classes)
            )
    found = []
    for name in classes:
        files = _images(root / name)
        if not files and root.name == "train":
            raise DataError(f"{root / name}: expected {', '.join(SUFFIXES)} images, received none")
        found.append(np.array([os.fsencode(f"{root.name}/{name}/{f}") for f in files], "S"))
    if not any(map(len, found)):
        raise DataError(f"{root}: expected {', '.join(SUFFIXES)} images, received none")
    labels = np.repeat(np.arange(len(classes), dtype=np.int32), [len(files) for files in found])
    return np.concatenate(found), labels


def _images(folder: Path) -> list[str]:
    if not folder.is_dir():
        return []
    names = (name for name in os.listdir(folder) if not name.startswith("."))
    return sorted(name for name in names if name.lower().endswith(SUFFIXES))


def _common_shape(splits: list[_Paths], image_size: int) -> tuple[int, int, int]:
    """(H, W, C) from the headers alone, so that a wrong file is named before all are read."""
    from slr_keras.data._encoded import RESIZE, header, shown

    (first, _), channels = header(splits[0][0]), 1
    for path in (paths[i] for paths in splits for i in range(len(paths))):
        size, mode = header(path)
        if size != first and not image_size:
            raise DataError(
                f"{path}: expected {shown(first)} pixels as in {splits[0][0]}, "
                f"received {shown(size)}; {RESIZE}"
            )
        channels = channels if mode in GREY else 3
    height, width = (image_size, image_size) if image_size else first
    return height, width, channels


def _streamed(paths: _Paths, shape: tuple[int, int, int], image_size: int) -> Any:
    """Images, unread; their names and sizes tell them from others."""
    import numpy as np

    from slr_keras.data._encoded import Encoded
    from slr_keras.data._stream import Streamed

    sizes = np.array([paths[i].stat().st_size for i in range(len(paths))], "<i8")
    marks, whole = (paths.names, sizes), (len(paths), *shape)
    return Streamed(
        Encoded(lambda i: paths[i].read_bytes(), lambda i: str(paths[i]), marks, whole, image_size)
    )
