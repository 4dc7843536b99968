"""Every image and label passes here once; what models cannot use is refused with one line."""

from __future__ import annotations

from typing import Any

import numpy as np

from slr_keras import checks
from slr_keras.data._source import Splits
from slr_keras.data._stream import Streamed
from slr_keras.errors import DataError

SPLITS = ("train", "val", "test")


def checked(splits: Splits) -> Splits:
    """The same data as models take it: images uint8 or float32 NHWC, labels int32 (N,).

    Raises:
        DataError: says which array, what was expected, what came and what to do.
    """
    done: dict[str, Any] = {}
    for split in SPLITS:
        x, y = getattr(splits, f"x_{split}"), getattr(splits, f"y_{split}")
        if x is None and y is None and split != "train":
            continue
        done |= _pair(split, x, y)
    _check_shapes(done)
    done["class_names"] = _class_names(splits.class_names, done)
    return splits.replace(**done)


def _pair(split: str, x: Any, y: Any) -> dict[str, np.ndarray]:
    x_name, y_name = f"x_{split}", f"y_{split}"
    for name, other, array in ((x_name, y_name, x), (y_name, x_name, y)):
        if array is None:
            raise DataError(f"{name}: expected beside {other}, received nothing; add {name}")
    x, y = as_images(x_name, x), as_labels(y_name, y)
    if len(x) != len(y):
        raise DataError(
            f"{y_name}: expected one label for each image of {x_name}, "
            f"received {len(y)} labels for {len(x)} images"
        )
    return {x_name: x, y_name: y}


def as_images(name: str, value: Any) -> Any:
    """uint8 or float32 (N, H, W, C); see :func:`checked`. A stream is checked as it is read."""
    if isinstance(value, Streamed):
        return value
    x = _array(name, value)
    x = x[..., None] if x.ndim == 3 else x
    if x.ndim != 4:
        raise DataError(
            f"{name}: expected images (N, H, W, C) or grey (N, H, W), "
            f"received shape {np.shape(value)}"
        )
    if 0 in x.shape:
        raise DataError(f"{name}: expected at least one image, received shape {x.shape}")
    if x.shape[1] in (1, 3) and x.shape[2] == x.shape[3] > 4:
        raise DataError(
            f"{name}: expected channels last (N, H, W, C), received shape {x.shape}; "
            "use x.transpose(0, 2, 3, 1)"
        )
    if x.dtype.kind in "ui":
        return _from_integers(name, x)
    if x.dtype.kind == "f":
        return _from_floats(name, x)
    raise DataError(
        f"{name}: expected uint8 in 0..255 or float in [0, 1], received dtype {x.dtype}; "
        'convert with x.astype("uint8") or x.astype("float32")'
    )


def _array(name: str, value: Any) -> np.ndarray:
    try:
        array = np.asarray(value)
    except ValueError:  # a list of arrays of several shapes
        array = np.empty(0, dtype=object)
    if array.dtype == object:
        raise DataError(
            f"{name}: expected one array of numbers, received Python objects; "
            "make all images of one size and stack them with np.stack"
        )
    return array


def _from_integers(name: str, x: np.ndarray) -> np.ndarray:
    if x.dtype != np.uint8 and (x.min() < 0 or x.max() > 255):
        raise DataError(
            f"{name}: expected whole numbers in 0..255, received {x.min()}..{x.max()}; "
            "rescale to 0..255, or to float in [0, 1]"
        )
    return x.astype(np.uint8, copy=False)


def _from_floats(name: str, x: np.ndarray) -> np.ndarray:
    low, high = float(x.min()), float(x.max())  # both are nan when any value is
    if not (np.isfinite(low) and np.isfinite(high)):
        raise DataError(
            f"{name}: expected finite values in [0, 1], received NaN or infinity; "
            "remove these images, np.isfinite(x).all((1, 2, 3)) finds the good ones"
        )
    if low < 0 or high > 1:
        raise DataError(
            f"{name}: expected float values in [0, 1], received {low:g}..{high:g}; "
            "divide by 255, or give uint8 in 0..255"
        )
    return x.astype(np.float32, copy=False)


def as_labels(name: str, value: Any) -> np.ndarray:
    """int32 (N,), not negative; see :func:`slr_keras.checks.as_labels`."""
    return checks.as_labels(name, _array(name, value))


def _check_shapes(arrays: dict[str, np.ndarray]) -> None:
    expected = arrays["x_train"].shape[1:]
    for name, array in arrays.items():
        if name.startswith("x_") and array.shape[1:] != expected:
            raise DataError(
                f"{name}: expected images {expected} as in x_train, received "
                f"{array.shape[1:]}; resize them to one shape"
            )


def _class_names(names: Any, arrays: dict[str, np.ndarray]) -> tuple[str, ...]:
    labels = {name: array for name, array in arrays.items() if name.startswith("y_")}
    names = _invented(arrays["y_train"]) if names is None else tuple(str(name) for name in names)
    if len(names) < 2 or len(set(names)) < len(names):
        raise DataError(f"class_names: expected two or more different names, received {names}")
    for name, y in labels.items():
        if y.max() >= len(names):
            raise DataError(
                f"{name}: expected labels in 0..{len(names) - 1} ({len(names)} classes), "
                f"received {y.max()}; correct the label or the class names"
            )
    return names


def _invented(y: np.ndarray) -> tuple[str, ...]:
    """Names for nameless classes, each of which training must then show."""
    present = np.unique(y)
    if len(present) <= present[-1]:
        absent = int(np.flatnonzero(present != np.arange(len(present)))[0])
        raise DataError(
            f"y_train: expected every class from 0 to {present[-1]}, received no label "
            f"{absent}; renumber the classes 0, 1, 2, ... or give class_names"
        )
    return tuple(str(label) for label in present)
