"""Arrays of your own in one NumPy file."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from slr_keras.data._settings import DataSettings
from slr_keras.data._source import Source, Splits
from slr_keras.errors import DataError, did_you_mean

_NEEDED = ("x_train", "y_train")
_OPTIONAL = ("x_val", "y_val", "x_test", "y_test", "class_names")
_UNREADABLE = (OSError, EOFError, ValueError, AttributeError, TypeError)


@dataclasses.dataclass(frozen=True)
class Npz(Source):
    """A file made by ``np.savez(path, x_train=..., y_train=..., x_test=..., y_test=...)``.

    Images uint8 in 0..255 or float in [0, 1], labels whole numbers from 0. ``x_val``, ``y_val``
    and ``class_names`` may be there too. Without ``x_test`` a tenth of training is held out.
    Arrays of uint8 or float32 that are not compressed can be streamed.
    """

    name = "npz"
    rank = 1

    @classmethod
    def matches(cls, name: str) -> bool:
        """An existing file that ends in .npz."""
        return name.lower().endswith(".npz") and Path(name).expanduser().is_file()

    @staticmethod
    def load(settings: DataSettings) -> Splits:
        """See the class."""
        name = settings.name
        arrays = _read(Path(name).expanduser(), settings.stream)
        for key in _NEEDED:
            if key not in arrays:
                raise DataError(f"{name}: expected an array {key!r}.{did_you_mean(key, arrays)}")
        unused = sorted(set(arrays) - {*_NEEDED, *_OPTIONAL})
        notes = (f"arrays that were not read: {', '.join(unused)}",) if unused else ()
        known = {key: arrays[key] for key in (*_NEEDED, *_OPTIONAL) if key in arrays}
        if "class_names" in known:
            known["class_names"] = _names(known["class_names"])
        return Splits(**known, notes=notes)


def _read(path: Path, stream: str) -> dict[str, Any]:
    import zipfile
    import zlib

    import numpy as np

    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            unread = _streamed(path, archive, stream)
            _check_memory(path, archive, unread)
            return unread | {
                key: _member(path, archive, key) for key in archive.files if key not in unread
            }
    except DataError:
        raise
    except (*_UNREADABLE, zipfile.BadZipFile, zlib.error) as error:
        raise DataError(
            f"{path}: expected a file of np.savez, received one that cannot be read "
            f"({type(error).__name__}: {error}); write it again"
        ) from None


def _check_memory(path: Path, archive: Any, unread: dict[str, Any]) -> None:
    """Refuse what would not fit, a few MB perhaps that become as many GB."""
    import psutil

    members = archive.zip.infolist()
    size = sum(m.file_size for m in members if m.filename.removesuffix(".npy") not in unread)
    free = psutil.virtual_memory().available
    if size > free:
        raise DataError(
            f"{path}: {size / 2**30:.1f} GiB of arrays do not fit into {free / 2**30:.1f} GiB of "
            "memory; np.savez, which does not compress, writes what data.stream can leave on disk"
        )


def _streamed(path: Path, archive: Any, stream: str) -> dict[str, Any]:
    """The arrays of images, unread, if they are to be streamed and can be."""
    from slr_keras.data._npy import streamed
    from slr_keras.data._stream import wanted

    keys = [key for key in archive.files if key in ("x_train", "x_val", "x_test")]
    if not wanted(stream, sum(archive.zip.getinfo(f"{key}.npy").file_size for key in keys)):
        return {}
    try:
        return {key: streamed(path, archive, key) for key in keys}
    except DataError:
        if stream == "on":
            raise
        return {}


def _member(path: Path, archive: Any, key: str) -> Any:
    try:
        return archive[key]
    except ValueError as error:
        if "allow_pickle" not in str(error):
            raise
        raise DataError(
            f"{path}: {key}: expected an array of numbers, received Python objects, which are "
            "not read because they can run code; make all images of one size and stack them "
            "with np.stack"
        ) from None


def _names(array: Any) -> tuple[str, ...]:
    if array.ndim != 1:
        raise DataError(f"class_names: expected shape (K,), received {array.shape}")
    names = array.tolist()
    return tuple(n.decode() if isinstance(n, bytes) else str(n) for n in names)
