"""TFRecord files without TensorFlow: where in a file each image lies, and its label.

A file is a row of records: length (8 bytes, little endian), its checksum (4), the record, its
checksum (4). A record is a ``tf.train.Example``, a protocol buffer:

    Example {1: Features}   Features {1: entry, repeated}   entry {1: key, 2: Feature}
    Feature {1: BytesList | 3: Int64List}   BytesList {1: bytes}   Int64List {1: packed varints}

It is walked by hand, for a parser would read every image to find its label.
"""

from __future__ import annotations

import mmap
import os
import struct
from collections.abc import Iterator
from typing import Any, NamedTuple

from slr_keras.errors import DataError

_LENGTH, _CHECKSUM = struct.Struct("<Q"), struct.Struct("<I")


class Place(NamedTuple):
    """Of one image: where its bytes lie in the file, its label, the checksum of its record."""

    start: int
    size: int
    label: int
    checksum: int


def places(path: str, image: str, label: str) -> Iterator[Place]:
    """Each record of a file; touches little more than the first bytes of each.

    Args:
        path: a TFRecord file.
        image, label: the names of the two features.

    Raises:
        DataError: the file is damaged, cut short or of another kind.
    """
    begin = 0
    try:
        if not os.path.getsize(path):
            return  # it cannot be mapped
        with (
            open(path, "rb") as file,
            mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data,
        ):
            while begin < len(data):
                first = begin + 12
                last = first + _LENGTH.unpack_from(data, begin)[0]
                (checksum,) = _CHECKSUM.unpack_from(data, last)
                yield Place(*example(data, first, last, image, label), checksum)
                begin = last + 4
    except (struct.error, IndexError, KeyError, ValueError, OverflowError) as error:
        raise DataError(
            f"{path}: expected records with {image!r} and {label!r}, received a file that "
            f"cannot be read at byte {begin} ({type(error).__name__}: {error}); prepare the set "
            "again"
        ) from None


def example(data: Any, begin: int, end: int, image: str, label: str) -> tuple[int, int, int]:
    """Start and size of the image's bytes, and the label, of the Example at ``data[begin:end]``.

    Raises:
        KeyError, ValueError, IndexError: there are no such features, or it is no Example.
    """
    found = {}
    for _, *features in _fields(data, begin, end):
        for _, *entry in _fields(data, *features):
            parts = {number: place for number, *place in _fields(data, *entry)}
            first, last = parts[1]
            found[bytes(data[first:last])] = parts[2]
    ((_, *pixels),) = _fields(data, *_one(data, found[image.encode()]))
    return pixels[0], pixels[1] - pixels[0], _whole(data, _one(data, found[label.encode()])[0])


def _one(data: Any, feature: list[int]) -> list[int]:
    ((_, *place),) = _fields(data, *feature)
    return place


def _whole(data: Any, at: int) -> int:
    """The first of an Int64List, packed or not."""
    packed = data[at] & 7 == 2
    value, at = _varint(data, at + 1)
    if packed:
        value, at = _varint(data, at)
    return value - (1 << 64) if value >> 63 else value


def _fields(data: Any, at: int, end: int) -> Iterator[tuple[int, int, int]]:
    """Number, begin and end of each field of a message whose fields all carry a length."""
    while at < end:
        tag, at = _varint(data, at)
        if tag & 7 != 2:
            raise ValueError("not a tf.train.Example")
        size, at = _varint(data, at)
        if at + size > end:
            raise ValueError("a field is longer than its record")
        yield tag >> 3, at, at + size
        at += size


def _varint(data: Any, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if byte < 128:
            return value, at
        if shift > 63:
            raise ValueError("not a tf.train.Example")
