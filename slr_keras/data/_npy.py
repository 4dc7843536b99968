"""Arrays of an .npz file that are read row by row."""

from __future__ import annotations

import struct
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from slr_keras.data._checks import as_images
from slr_keras.data._stream import Store, Streamed
from slr_keras.errors import DataError

_LOCAL = struct.Struct("<26xHH")  # a zip's header before a member: lengths of name and extra


class Rows(Store):
    """Images (N, H, W, C) or (N, H, W) that lie in a file one after the other.

    Args:
        path: the file.
        name: of the array, for errors.
        start: where its first byte lies.
        shape, dtype: as the array says; uint8 or float32.
        mark: tells it from other arrays.
    """

    def __init__(
        self,
        path: Path,
        name: str,
        start: int,
        shape: tuple[int, ...],
        dtype: np.dtype,
        mark: bytes,
    ):
        self.path, self.name, self.start, self.mark = path, name, start, mark
        count, height, width, *channels = shape
        self.shape = (count, height, width, channels[0] if channels else 1)
        self.dtype = dtype

    def fetch(self, rows: np.ndarray) -> np.ndarray:
        """See :class:`Store`."""
        images = np.empty((len(rows), *self.shape[1:]), self.dtype)
        size = images[:1].nbytes
        try:
            with self.path.open("rb") as file:
                for place, row in enumerate(rows):
                    file.seek(self.start + int(row) * size)
                    if file.readinto(images[place].data.cast("B")) < size:
                        raise EOFError("it ends too early")
        except (OSError, EOFError) as error:
            raise DataError(
                f"{self.path}: {self.name} cannot be read any more ({error}); leave the file "
                "where it is while it is used"
            ) from None
        return as_images(f"{self.path}: {self.name}", images) if len(images) else images

    def marks(self, rows: np.ndarray) -> bytes:
        """See :class:`Store`."""
        return self.mark + rows.astype("<i8").tobytes()


def streamed(path: Path, archive: Any, key: str) -> Streamed:
    """An array of an open ``np.load`` archive, unread.

    Raises:
        DataError: it is compressed, or of a kind that models do not take as it is.
    """
    member = archive.zip.getinfo(f"{key}.npy")
    if member.compress_type != zipfile.ZIP_STORED:
        raise _refusal(path, key, "compressed")
    with archive.zip.open(member) as file:
        version = np.lib.format.read_magic(file)
        read = {(1, 0): np.lib.format.read_array_header_1_0}
        read_header = read.get(version, np.lib.format.read_array_header_2_0)
        shape, fortran, dtype = read_header(file)
        header = file.tell()
    if fortran or len(shape) not in (3, 4) or dtype not in (np.uint8, np.float32) or 0 in shape:
        raise _refusal(path, key, f"{'Fortran order ' * fortran}{dtype} {shape}")
    with path.open("rb") as file:
        file.seek(member.header_offset)
        lengths = _LOCAL.unpack(file.read(_LOCAL.size))
    start = member.header_offset + _LOCAL.size + sum(lengths) + header
    mark = struct.pack("<Iq", member.CRC, member.file_size)
    images = Streamed(Rows(path, key, start, shape, dtype, mark))
    images[[0]]  # refuses channels that come first, for example
    return images


def _refusal(path: Path, key: str, received: str) -> DataError:
    return DataError(
        f"{path}: {key}: to be streamed it has to be uint8 or float32 (N, H, W, C) written by "
        f"np.savez, received {received}; write it so, or set data.stream off"
    )
