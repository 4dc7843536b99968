"""The training images, as they are."""

from __future__ import annotations

import dataclasses

from slr_keras.augmentations._base import Augmentation


@dataclasses.dataclass(frozen=True)
class Plain(Augmentation):
    """Nothing is done."""

    name = "none"
