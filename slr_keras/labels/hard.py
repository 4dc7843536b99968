"""The given labels, as they are."""

from __future__ import annotations

import dataclasses

from slr_keras.labels._base import Labels


@dataclasses.dataclass(frozen=True)
class Hard(Labels):
    """``t_i = y_i``, one-hot."""

    name = "hard"
