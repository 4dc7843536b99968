"""Image files in a folder for each class."""

from __future__ import annotations

import collections
import dataclasses
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from slr_keras.data._pictures import Pictures
from slr_keras.data._settings import DataSettings
from slr_keras.data._source import Source, Splits
from slr_keras.errors import DataError, did_you_mean
from slr_keras.image_formats import SUFFIXES

SPLITS = {
    "train": "train", "val": "val", "valid": "val", "validation": "val", "test": "test"
}  # fmt: skip
_NONE = f"expected {', '.join(SUFFIXES)} images, received none"


@dataclasses.dataclass(frozen=True)
class Folder(Source):
    """``train/<class>/``, perhaps ``test/<class>/`` and ``val/<class>/``; or ``<class>/`` alone.

    As :func:`keras.utils.image_dataset_from_directory` and torchvision's ``ImageFolder`` have
    it: classes are numbered in the order of their sorted names, and images may lie in folders
    within a class's folder. They are .png, .jpg, .jpeg, .bmp, .gif, .webp, .tif, .tiff, .ppm or
    .pgm; the first picture of an animation, 8 bits of 16, upright as EXIF says, transparency
    dropped. All have one size, or are brought to one by ``data.image_size``; they are uint8
    with three channels, or with one when every file is grey. Without ``test/`` a tenth of
    training is held out.
    """

    name = "folder"
    rank = 3

    @classmethod
    def matches(cls, name: str) -> bool:
        """An existing folder."""
        return bool(name) and Path(name).expanduser().is_dir()

    @staticmethod
    def load(settings: DataSettings) -> Splits:
        """See the class; every header is read here, the pixels later."""
        from slr_keras.data._encoded import streamed

        root = Path(settings.name).expanduser()
        places, unread = _layout(root)
        classes = _classes(places["train"])
        others: collections.Counter[str] = collections.Counter()
        pictures: dict[str, Pictures] = {}
        arrays: dict[str, Any] = {}
        for split, place in places.items():
            names, arrays[f"y_{split}"] = _files(root, place, classes, others)
            pictures[split] = _Paths(root, names)
        for split, images in streamed(pictures, settings.image_size).items():
            arrays[f"x_{split}"] = images
        return Splits(**arrays, class_names=classes, notes=tuple(_notes(unread, others)))


class _Paths(Pictures):
    """Files below a folder, whose names (a million of them, perhaps) lie in an array of bytes."""

    def __init__(self, root: Path, names: Any):
        self.root, self.names = root, names

    def __len__(self) -> int:
        return len(self.names)

    def file(self, number: int) -> Path:
        return self.root / os.fsdecode(self.names[number])

    def read(self, number: int) -> bytes:
        return self.file(number).read_bytes()

    def where(self, number: int) -> str:
        return str(self.file(number))

    def marks(self) -> tuple[Any, ...]:
        import numpy as np

        sizes = (self.file(number).stat().st_size for number in range(len(self)))
        return self.names, np.fromiter(sizes, "<i8", len(self))


def _folders(root: Path) -> list[str]:
    return sorted(p.name for p in root.iterdir() if p.is_dir() and not p.name.startswith("."))


def _layout(root: Path) -> tuple[dict[str, Path], list[str]]:
    """Where each split lies, and folders that belong to none; without splits all is training."""
    places: dict[str, Path] = {}
    others = []
    for name in _folders(root):
        split = SPLITS.get(name.lower())
        if split is None:
            others.append(name)
        elif split in places:
            raise DataError(
                f"{root}: expected one folder for {split}, received {places[split].name}/ and "
                f"{name}/; rename one"
            )
        else:
            places[split] = root / name
    if not places or (places.keys() == {"train"} and others and _holds_images(places["train"])):
        return {"train": root}, []
    if "train" not in places or _holds_images(places["train"]):
        raise DataError(
            f"{root}: expected the folders train/<class>/ and test/<class>/, or a folder for each "
            f"class alone, received {_shown([*(p.name for p in places.values()), *others])}; "
            "put the training images into train/<class>/"
        )
    return places, others


def _shown(names: list[str], most: int = 10) -> str:
    return ", ".join(sorted(names)[:most]) + (", ..." if len(names) > most else "")


def _holds_images(folder: Path) -> bool:
    with os.scandir(folder) as entries:
        return any(_is_image(entry.name) and entry.is_file() for entry in entries)


def _is_image(name: str) -> bool:
    return os.path.splitext(name)[1].lower() in SUFFIXES


def _classes(train: Path) -> tuple[str, ...]:
    classes = _folders(train)
    if len(classes) < 2:
        raise DataError(
            f"{train}: expected a folder for each of two or more classes, received {len(classes)}"
        )
    return tuple(classes)


def _files(
    root: Path, split: Path, classes: tuple[str, ...], others: collections.Counter[str]
) -> tuple[Any, Any]:
    """Every image, as bytes of its path below the root, and its label, in the order of names.

    What is no image is counted in ``others``, by suffix.
    """
    import numpy as np

    for name in _folders(split):
        if name not in classes:
            raise DataError(
                f"{split / name}: expected the classes of train/, received {name!r}."
                + did_you_mean(name, classes)
            )
    found = []
    for name in classes:
        folder = split / name
        files = list(_walk(folder))
        images = sorted(filter(_is_image, files))
        others.update(_kind(file) for file in files if not _is_image(file))
        if not images and SPLITS.get(split.name.lower(), "train") == "train":
            raise DataError(f"{folder}: {_NONE}")
        start = folder.relative_to(root).as_posix()
        found.append(np.array([os.fsencode(f"{start}/{image}") for image in images], "S"))
    if not any(map(len, found)):
        raise DataError(f"{split}: {_NONE}")
    labels = np.repeat(np.arange(len(classes), dtype=np.int32), [len(files) for files in found])
    return np.concatenate(found), labels


def _kind(file: str) -> str:
    return os.path.splitext(file)[1].lower() or os.path.basename(file)


def _walk(folder: Path) -> Iterator[str]:
    """Paths of all files below a folder, hidden ones left out; links are followed, once each."""
    seen = set()
    for place, folders, files in os.walk(folder, followlinks=True):
        real = os.path.realpath(place)
        if real in seen:
            folders.clear()
            continue
        seen.add(real)
        folders[:] = [name for name in folders if not name.startswith(".")]
        inner = os.path.relpath(place, folder).replace(os.sep, "/")
        start = "" if inner == "." else f"{inner}/"
        yield from (f"{start}{name}" for name in files if not name.startswith("."))


def _notes(unread: list[str], others: collections.Counter[str]) -> Iterator[str]:
    if unread:
        yield f"folders that were not read: {_shown(unread)}"
    if others:
        counts = ", ".join(f"{count} {kind}" for kind, count in others.most_common(10))
        yield f"files that are no images and were not read: {counts}"
