"""What every source of data keeps to."""

from __future__ import annotations

from typing import Any

import numpy as np

from slr_keras.data._load import prepare
from slr_keras.data._settings import DataSettings
from slr_keras.data._source import Splits
from slr_keras.errors import UserError
from slr_keras.testing._base import Failure, kind_of, need, same


def _loaded(part: Any) -> Splits:
    source = kind_of(part)
    try:
        found = source.load(DataSettings(name=source.name))
    except UserError as error:
        raise Failure(f"load() of --data.name {source.name} says: {error}") from None
    need(isinstance(found, Splits), f"load() gave no Splits, but {type(found).__name__}")
    return found


def reads_its_own_name(part: Any) -> None:
    """``matches`` says yes to the name of the source."""
    source = kind_of(part)
    need(source.matches(source.name), f"matches({source.name!r}) is false")


def images_and_labels_are_as_models_take_them(part: Any) -> None:
    """What it reads passes the checks that all data pass: ranges, shapes, class numbers."""
    splits = _loaded(part)
    try:
        prepare(splits, DataSettings(name="checked"), seed=0)
    except UserError as error:
        raise Failure(str(error)) from None


def reads_the_same_twice(part: Any) -> None:
    """Sample 17 is the same image today and tomorrow: labels in the bank hang on it."""
    first, second = _loaded(part), _loaded(part)
    equal = same(np.asarray(first.x_train), np.asarray(second.x_train))
    need(
        equal and same(first.y_train, second.y_train), "read twice the images come in another order"
    )


CHECKS = (reads_its_own_name, images_and_labels_are_as_models_take_them, reads_the_same_twice)
