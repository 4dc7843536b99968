"""From settings to a data set: find the source, check, cut, thin, read, look, mislabel."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from slr_keras.data._checks import checked
from slr_keras.data._dataset import Dataset
from slr_keras.data._look import findings
from slr_keras.data._settings import DataSettings
from slr_keras.data._source import Splits
from slr_keras.data._split import balanced, hold_out, mislabel
from slr_keras.data._stream import Images, Streamed, select, wanted
from slr_keras.errors import DataError
from slr_keras.settings import registry

TEST_SHARE = 0.1
TEST_SEED = 0  # never the run's: figures of several seeds must be of the same test images


def load(settings: DataSettings, seed: int, *, read: bool = True) -> Dataset:
    """Reads and prepares a data set.

    Args:
        settings: what to read and what to do to it.
        seed: decides the validation cut, the subset and the label noise; the test split is the
            same for every seed.
        read: False leaves image files and records unread and looks at nothing, for who needs a
            few of them: see :func:`read_images`.

    Raises:
        DataError: not found, unreadable, or outside what models take.

    Example:
        >>> load(DataSettings(name="digits", train_samples=100), seed=0)
        Dataset('digits', 100 train, 144 val, 360 test, 8x8x1, 10 classes)
    """
    splits = find_source(settings.name).load(settings)
    return _finished(_cut(splits, settings, seed), settings, seed, read)


def find_source(name: str) -> Any:
    """The source class that reads ``name``; the order is that of ``rank``.

    Raises:
        DataError: no source reads it.
    """
    known = sorted(registry.variants("data").values(), key=lambda source: source.rank)
    for source in known:
        if source.matches(name):
            return source
    raise DataError(
        f"data.name: expected a file or folder, received {name!r}: not found from {Path.cwd()}; "
        "correct the path"
    )


def prepare(splits: Splits, settings: DataSettings, seed: int) -> Dataset:
    """The same for arrays of your own; ``settings.name`` is only the name then.

    Example:
        >>> import numpy as np
        >>> splits = Splits(np.zeros((90, 4, 4), np.float32), np.arange(90) % 3)
        >>> prepare(splits, DataSettings(name="mine"), seed=0)
        Dataset('mine', 73 train, 8 val, 9 test, 4x4x1, 3 classes)
    """
    return _finished(_cut(splits, settings, seed), settings, seed)


def read_images(x: Images, settings: DataSettings) -> Images:
    """Images in memory, unless ``settings.stream`` leaves so many of them where they are."""
    if isinstance(x, Streamed) and not wanted(settings.stream, x.nbytes):
        return np.asarray(x)
    return x


def _cut(splits: Splits, settings: DataSettings, seed: int) -> Splits:
    try:
        splits = checked(splits)
        _check_size(splits, settings.image_size)
        splits = _with_test(splits)
        splits = _with_val(splits, settings.val_fraction, seed)
        return _thinned(splits, settings.train_samples, seed)
    except DataError as error:
        raise DataError(f"{settings.name}: {error}") from None


def _check_size(splits: Splits, size: int) -> None:
    height, width = splits.x_train.shape[1:3]
    if size and (height, width) != (size, size):
        raise DataError(
            f"data.image_size: expected a set of image files, which it resizes, received arrays "
            f"of {width}x{height} pixels; resize them yourself, or leave data.image_size at 0"
        )


def _read(splits: Splits, stream: str) -> Splits:
    """Loads what is not in memory, unless it is to stay where it is."""
    unread = {name: getattr(splits, name) for name in ("x_train", "x_val", "x_test")}
    unread = {name: x for name, x in unread.items() if isinstance(x, Streamed)}
    size = sum(x.nbytes for x in unread.values())
    if not unread:
        return splits
    if not wanted(stream, size):
        return splits.replace(**{name: np.asarray(x) for name, x in unread.items()})
    if stream == "on":
        return splits
    return splits.noted(
        f"{size / 2**30:.1f} GiB of images stay on disk and are read batch by batch; with memory "
        "for them, data.stream off loads them"
    )


def _with_test(splits: Splits) -> Splits:
    if splits.x_test is not None:
        return splits
    count = max(1, round(TEST_SHARE * len(splits.y_train)))
    note = f"no test split: {count} training images, {TEST_SHARE:.0%} of each class, are held out"
    return hold_out(splits, "test", count, TEST_SEED).noted(note)


def _with_val(splits: Splits, fraction: float, seed: int) -> Splits:
    if splits.x_val is not None:
        return splits
    if not fraction:
        return splits.replace(x_val=splits.x_train[:0], y_val=splits.y_train[:0])
    return hold_out(splits, "val", max(1, round(fraction * len(splits.y_train))), seed)


def _thinned(splits: Splits, count: int, seed: int) -> Splits:
    if not count:
        return splits
    if count > len(splits.y_train):
        raise DataError(
            f"data.train_samples: expected at most {len(splits.y_train)}, the training images "
            f"after the validation cut, received {count}; 0 means all"
        )
    chosen = balanced(splits.y_train, count, seed, "train")
    return splits.replace(x_train=select(splits.x_train, chosen), y_train=splits.y_train[chosen])


def _finished(splits: Splits, settings: DataSettings, seed: int, read: bool = True) -> Dataset:
    splits = _read(splits, settings.stream) if read else splits
    if read and settings.check:
        splits = splits.replace(notes=(*splits.notes, *findings(splits)))
    names = splits.class_names or ()
    clean = splits.y_train
    given, noisy = mislabel(clean, len(names), settings.label_noise, settings.noise_kind, seed)
    values = {field: getattr(splits, field) for field in splits.__dataclass_fields__}
    values |= {"y_train": given, "noisy_index": noisy, "original_labels": clean[noisy]}
    return Dataset(name=settings.name, **values)
