"""The 1,797 handwritten digits that scikit-learn brings along; needs no download."""

from __future__ import annotations

import dataclasses
import importlib.util
import pathlib
from typing import Any

from slr_keras.data._settings import DataSettings
from slr_keras.data._source import Source, Splits


@dataclasses.dataclass(frozen=True)
class Digits(Source):
    """8 x 8 x 1, ten classes, 1,437 training and 360 test images, always the same ones.

    The files hold whole numbers 0..16, here divided by 16 to float32 in [0, 1].
    """

    name = "digits"

    @staticmethod
    def load(settings: DataSettings) -> Splits:
        """See the class; the settings change nothing."""
        import numpy as np

        from slr_keras.data._split import hold_out

        rows = _rows()
        images = (rows[:, :-1].reshape(-1, 8, 8, 1) / 16).astype(np.float32)
        splits = Splits(images, rows[:, -1].astype(np.int32), class_names=tuple("0123456789"))
        return hold_out(splits, "test", count=360, seed=0)


def _rows() -> Any:
    """64 pixels and the class of every digit: from scikit-learn's file, whose import takes 1 s."""
    import numpy as np

    spec = importlib.util.find_spec("sklearn")
    for folder in (spec and spec.submodule_search_locations) or ():
        file = pathlib.Path(folder, "datasets", "data", "digits.csv.gz")
        if file.is_file():
            return np.loadtxt(file, delimiter=",")
    from sklearn.datasets import load_digits

    return np.column_stack(load_digits(return_X_y=True))
