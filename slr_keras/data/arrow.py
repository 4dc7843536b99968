"""Parquet and Arrow files with images and labels, as Hugging Face's libraries write them."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from typing import Any

from slr_keras.data._settings import DataSettings
from slr_keras.data._source import Source, Splits
from slr_keras.errors import DataError

WORDS = {
    "train": "train", "training": "train",
    "validation": "val", "valid": "val", "val": "val", "dev": "val",
    "test": "test", "testing": "test", "eval": "test", "evaluation": "test",
}  # fmt: skip
SHARE = 0.5  # of the free memory that encoded images of Parquet files may take


@dataclasses.dataclass(frozen=True)
class Arrow(Source):
    """A ``.parquet`` or ``.arrow`` file, or a folder of them (of one, or within one more).

    What ``datasets.Dataset.save_to_disk``, ``to_parquet`` and the Hub write: a column of image
    files (bytes in a struct, or alone) and one of labels, class numbers or names; where there
    are several, ``data.label_column`` tells. Files belong to the split that their name or
    folder says, to training if it says none; without test a tenth of training is held out.
    Arrow files are mapped, of Parquet files the encoded images are held in memory. Pixels are
    what :class:`~slr_keras.data.folder.Folder` makes of image files.
    """

    name = "arrow"
    rank = 2

    @classmethod
    def matches(cls, name: str) -> bool:
        """An existing file of these kinds, or a folder with some."""
        return bool(name) and bool(_files(Path(name).expanduser()))

    @staticmethod
    def load(settings: DataSettings) -> Splits:
        """See the class; headers of images are read here, pixels later."""
        try:
            from slr_keras.data._arrow_table import read
        except ImportError as error:  # not there, or made for another NumPy
            raise DataError(
                f"{settings.name}: Parquet and Arrow files need pyarrow ({error}); "
                "pip install --upgrade pyarrow numpy"
            ) from None
        from slr_keras.data._encoded import streamed

        root = Path(settings.name).expanduser()
        files = _by_split(root)
        if "train" not in files:
            raise DataError(f"{root}: expected files for train, received {', '.join(files)}")
        _check_memory(root, [file for some in files.values() for file in some])
        tables = {split: read(some, settings.label_column) for split, some in files.items()}
        names = tables["train"].names
        arrays: dict[str, Any] = {}
        for split, table in tables.items():
            arrays[f"y_{split}"] = table.numbers(names)
        for split, images in streamed(tables, settings.image_size).items():
            arrays[f"x_{split}"] = images
        return Splits(**arrays, class_names=names or None)


# -- which files ------------------------------------------------------------------------------


def _files(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path] if _is_table(path) and path.is_file() else []
    found = [file for pattern in ("*", "*/*") for file in path.glob(pattern) if _is_table(file)]
    return sorted(found)


def _is_table(path: Path) -> bool:
    """By its name; ``cache-*`` are what Hugging Face computed on the way."""
    return path.suffix.lower() in (".parquet", ".arrow") and not path.name.startswith("cache-")


def _by_split(root: Path) -> dict[str, list[Path]]:
    files = _files(root)
    folders = {file.parent for file in files}
    others = sorted(f.name for f in folders if f != root and f.name.lower() not in WORDS)
    if len(others) > 1:
        raise DataError(
            f"{root}: expected files of one set, received folders of several: "
            f"{', '.join(others)}; name one of them"
        )
    found: dict[str, list[Path]] = {}
    for file in files:
        found.setdefault(_split(file) if root.is_dir() else "train", []).append(file)
    return found


def _split(file: Path) -> str:
    words = re.split(r"[^a-z]+", file.stem.lower())
    said = [WORDS[word] for word in (file.parent.name.lower(), *words) if word in WORDS]
    return said[0] if said else "train"


def _check_memory(root: Path, files: list[Path]) -> None:
    import psutil

    size = sum(file.stat().st_size for file in files if file.suffix.lower() == ".parquet")
    if size > SHARE * psutil.virtual_memory().available:
        raise DataError(
            f"{root}: {size / 2**30:.1f} GiB of Parquet files do not fit into memory, expected "
            "Arrow files, which are mapped: datasets.load_dataset(...).save_to_disk(folder)"
        )
