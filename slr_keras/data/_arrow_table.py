"""The two columns that matter of Parquet and Arrow files: images and labels."""

from __future__ import annotations

import contextlib
import os
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from slr_keras import texts
from slr_keras.data._pictures import Pictures
from slr_keras.errors import DataError, did_you_mean

LABELS = ("label", "labels", "fine_label", "class", "target")  # of several columns the first
TAIL = 64  # last bytes of an image file: a PNG's hold a checksum of it, a JPEG's its last pixels


class Table(Pictures):
    """Images and labels of one split.

    Attributes:
        names: of the classes, in the order of their numbers; empty if the file names none.
    """

    def __init__(self, files: list[Path], images: list[Any], labels: Any, names: tuple[str, ...]):
        self.files, self.images, self.labels, self.names = files, images, labels, names
        self.starts = np.cumsum([0, *map(len, images)])

    def __len__(self) -> int:
        return int(self.starts[-1])

    def _chunk(self, number: int) -> tuple[int, int]:
        chunk = int(np.searchsorted(self.starts, number, side="right")) - 1
        return chunk, number - int(self.starts[chunk])

    def read(self, number: int) -> bytes:
        chunk, row = self._chunk(number)
        data: bytes | None = self.images[chunk][row].as_py()
        if data is None:
            raise DataError(
                f"{self.where(number)}: expected the bytes of an image, received none (a link to "
                "a file, perhaps); write the set with its images embedded"
            )
        return data

    def where(self, number: int) -> str:
        return f"{self.files[self._chunk(number)[0]]}, image {number}"

    def marks(self) -> tuple[Any, ...]:
        sizes, sums = np.empty(len(self), "<i8"), np.empty(len(self), "<u4")
        for number in range(len(self)):
            data = self.read(number)
            sizes[number], sums[number] = len(data), zlib.crc32(data[-TAIL:])
        return sizes, sums

    def numbers(self, names: tuple[str, ...]) -> Any:
        """Labels as numbers of these classes."""
        if self.labels.dtype.kind != "U":
            return self.labels
        known = {name: number for number, name in enumerate(names)}
        for label in np.unique(self.labels).tolist():
            if label not in known:
                raise DataError(
                    f"{self.files[0]}: expected labels of training, received {label!r}."
                    + did_you_mean(label, names)
                )
        return np.array([known[label] for label in self.labels.tolist()], np.int64)


def read(files: list[Path], label_column: str) -> Table:
    """The images, mapped or still encoded, and the labels of some files, in their order.

    Raises:
        DataError: a file cannot be read, or it is not clear which columns are meant.
    """
    images, of, labels = [], [], []
    names: tuple[str, ...] = ()
    for file in files:
        with _readable(file):
            table = _open(file, label_column)
            features = _features(table.schema)
            picture, label = _columns(file, table.schema, features, label_column)
            for chunk in table.column(picture).chunks:
                if len(chunk):
                    images.append(_bytes(chunk))
                    of.append(file)
            labels.append(_labels(file, table.column(label)))
            names = names or tuple(features.get(label, {}).get("names", ()))
    if not images:
        raise DataError(f"{files[0]}: expected images, received none")
    all_labels = np.concatenate(labels)
    if all_labels.dtype.kind == "U":
        names = tuple(np.unique(all_labels).tolist())
    return Table(of, images, all_labels, names)


@contextlib.contextmanager
def _readable(file: Path) -> Iterator[None]:
    """Names the file that pyarrow cannot read."""
    try:
        yield
    except DataError:
        raise
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        kind = "a Parquet" if file.suffix.lower() == ".parquet" else "an Arrow"
        raise DataError(
            f"{file}: expected {kind} file, received one that cannot be read "
            f"({' '.join(str(error).split())[:200]}); write it again"
        ) from None


def _open(file: Path, label_column: str) -> Any:
    """The table; of a Parquet file the two columns alone."""
    if file.suffix.lower() == ".parquet":
        opened = pq.ParquetFile(file)
        schema = opened.schema_arrow
        columns = _columns(file, schema, _features(schema), label_column)
        return opened.read(columns=list(columns))
    source = pa.memory_map(os.fspath(file))
    try:
        table = pa.ipc.open_stream(source).read_all()  # what Hugging Face writes
    except pa.ArrowInvalid:
        source.seek(0)
        table = pa.ipc.open_file(source).read_all()
    table.validate(full=True)  # a flipped byte in what is mapped could end the process later
    return table


def _features(schema: Any) -> Mapping[str, Any]:
    """What Hugging Face says of the columns; nothing where others wrote the file."""
    try:
        told = texts.from_json((schema.metadata or {}).get(b"huggingface", b"{}"))
        features = told.get("info", {}).get("features", {})
        return {name: one for name, one in features.items() if isinstance(one, dict)}
    except (ValueError, AttributeError, RecursionError):
        return {}


def _columns(
    file: Path, schema: Any, features: Mapping[str, Any], label_column: str
) -> tuple[str, str]:
    """The names of the columns of images and of labels."""
    pictures = [n for n in schema.names if features.get(n, {}).get("_type") == "Image"]
    pictures = pictures or [n for n in schema.names if _may_be_image(schema.field(n).type)]
    labels = [n for n in schema.names if features.get(n, {}).get("_type") == "ClassLabel"]
    labels = labels or [n for n in schema.names if _may_be_label(schema.field(n).type)]
    if len(pictures) != 1:
        raise DataError(
            f"{file}: expected one column of images, received {', '.join(pictures) or 'none'} of "
            f"{', '.join(schema.names)}"
        )
    return pictures[0], _label_column(file, schema.names, labels, label_column)


def _label_column(file: Path, names: list[str], labels: list[str], wanted: str) -> str:
    if wanted:
        if wanted not in names:
            raise DataError(
                f"data.label_column: {file} has no column {wanted!r}." + did_you_mean(wanted, names)
            )
        return wanted
    known = labels if len(labels) == 1 else [name for name in LABELS if name in labels]
    if not known:
        raise DataError(
            f"{file}: expected one column of labels, received {', '.join(labels) or 'none'} of "
            f"{', '.join(names)}; choose one with data.label_column"
        )
    return known[0]


def _may_be_image(kind: Any) -> bool:
    if pa.types.is_struct(kind):
        return bool(kind.get_field_index("bytes") >= 0)
    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind))


def _may_be_label(kind: Any) -> bool:
    checks = pa.types.is_integer, pa.types.is_string, pa.types.is_large_string
    return any(check(kind) for check in checks)


def _bytes(chunk: Any) -> Any:

    return pc.struct_field(chunk, "bytes") if pa.types.is_struct(chunk.type) else chunk


def _labels(file: Path, column: Any) -> Any:
    """Whole numbers or names, (N,)."""
    import pyarrow as pa

    if column.null_count:
        raise DataError(
            f"{file}: expected a label for each image, received {column.null_count} without"
        )
    if not _may_be_label(column.type):
        raise DataError(
            f"{file}: expected labels as whole numbers or words, received {column.type}"
        )
    if pa.types.is_integer(column.type):
        return column.to_numpy()
    return np.array(column.to_pylist(), "U")
