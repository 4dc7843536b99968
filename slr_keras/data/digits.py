"""The 1,797 handwritten digits that scikit-learn brings along; needs no download."""

from __future__ import annotations

import dataclasses

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
        from sklearn.datasets import load_digits

        from slr_keras.data._split import hold_out

        raw = load_digits()
        images = (raw.images / 16).astype(np.float32)[..., None]
        splits = Splits(images, raw.target.astype(np.int32), class_names=tuple("0123456789"))
        return hold_out(splits, "test", count=360, seed=0)
