"""The splits of a prepared TFDS directory, read without TensorFlow.

TFRecord files are read by :mod:`_tfrecord`, ArrayRecord files by the library of that name, which
TensorFlow Datasets brings along on Linux; the records in both are the same.
"""

from __future__ import annotations

import itertools
import os
import threading
import zlib
from typing import Any

import numpy as np

from slr_keras.data._encoded import Encoded
from slr_keras.data._stream import Streamed
from slr_keras.data._tfrecord import example, places
from slr_keras.errors import DataError

Pair = tuple[Streamed, np.ndarray]


def read(builder: Any, split: str, image_size: int = 0) -> Pair:
    """Images, unread, and labels int64 (N,) of one split, in the order of the files.

    Args:
        builder: of TensorFlow Datasets; the set is prepared.
        split: ``"train"``, ``"train[:100]"``, ...
        image_size: 0, or the width and height that each image is brought to.

    Raises:
        DataError: a file is missing or damaged.
    """
    info = builder.info
    keys = info.supervised_keys
    shape = info.features[keys[0]].shape
    if image_size:
        shape = (image_size, image_size, shape[2])
    form = info.file_format.value
    if form == "tfrecord":
        return _from_tfrecords(info.splits[split].file_instructions, keys, shape, image_size)
    if form == "array_record":
        return _from_array_records(builder, split, keys, shape, image_size)
    raise DataError(
        f"{builder.data_path}: expected tfrecord or array_record files, received {form}; prepare "
        "the set in another folder and format, or point --data.dir to one that is"
    )


def _from_tfrecords(instructions: Any, keys: Any, shape: Any, image_size: int) -> Pair:
    files = [os.fspath(item.filename) for item in instructions]
    table = np.concatenate([_table(item, number, keys) for number, item in enumerate(instructions)])
    start, size, label, checksum, file = table.T

    def where(i: int) -> str:
        return f"{files[file[i]]}, the image at byte {start[i]}"

    def record(i: int) -> bytes:
        with open(files[file[i]], "rb") as opened:
            opened.seek(start[i])
            return opened.read(size[i])

    marks = checksum.astype("<u4"), size.astype("<i8")
    images = Encoded(record, where, marks, (len(table), *shape), image_size)
    return Streamed(images), label.copy()


def _table(item: Any, number: int, keys: Any) -> np.ndarray:
    """int64 (N, 5): the places of one file, and its number."""
    try:
        found = list(itertools.islice(places(item.filename, *keys), item.skip + item.take))
    except OSError as error:
        raise DataError(
            f"{item.filename}: cannot be read ({error.strerror}); prepare the set again"
        ) from None
    found = found[item.skip :]
    if len(found) < item.take:
        raise DataError(
            f"{item.filename}: expected {item.skip + item.take} records, received "
            f"{item.skip + len(found)}; the file was cut short, prepare the set again"
        )
    return np.array([(*place, number) for place in found], np.int64).reshape(-1, 5)


def _from_array_records(builder: Any, split: str, keys: Any, shape: Any, image_size: int) -> Pair:
    import tensorflow_datasets as tfds

    lock = threading.Lock()  # one reader for all threads
    try:
        raw = tfds.core.decode.DeserializeMethod.RAW_BYTES
        source = builder.as_data_source(split=split, deserialize_method=raw)
        labels, checksums = np.empty(len(source), np.int64), np.empty(len(source), "<u4")
        for i, data in enumerate(source):
            labels[i] = example(data, 0, len(data), *keys)[2]
            checksums[i] = zlib.crc32(data)
    except Exception as error:  # array_record and its absence raise what they like
        raise DataError(
            f"{builder.data_path}: expected records with {' and '.join(keys)}, received files "
            f"that cannot be read ({type(error).__name__}: {' '.join(str(error).split())[:200]})"
        ) from None

    def record(i: int) -> bytes:
        with lock:
            data = source[i]
        start, size, _ = example(data, 0, len(data), *keys)
        return data[start : start + size]

    def where(i: int) -> str:
        return f"{builder.data_path}, split {split}, record {i}"

    images = Encoded(record, where, (checksums,), (len(labels), *shape), image_size)
    return Streamed(images), labels
