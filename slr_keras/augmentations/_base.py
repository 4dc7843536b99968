"""What the batches ask of an augmentation."""

from __future__ import annotations

import dataclasses
from typing import Any, ClassVar

from slr_keras.settings.schema import Variant

Tensor = Any


@dataclasses.dataclass(frozen=True)
class Augmentation(Variant):
    """Changes training images by numbers that are drawn for each.

    Attributes:
        width: how many whole numbers an image gets; 0: nothing is done.
        levels: works on the 256 levels of a byte; images of other types are rounded to them.
    """

    of_kind: ClassVar[str] = "augmentations"
    gives: ClassVar[tuple[str, ...]] = ("draw",)
    width: ClassVar[int] = 0
    levels: ClassVar[bool] = False

    def draw(self, seed: int, epoch: int, index: Any, size: tuple[int, int]) -> Any:
        """The numbers of each image, int32 (B, width).

        Args:
            seed: the run's.
            epoch: counts from 1.
            index: sample indices, integer (B,); nothing else of a batch matters.
            size: height and width of the images.
        """
        raise TypeError(f"{type(self).__name__} gives no draw()")

    def apply(self, images: Tensor, numbers: Tensor, xp: Any) -> Tensor:
        """Changed images (B, H, W, C) of the same dtype; ``xp`` is NumPy or ``keras.ops``."""
        return images

    def on_host(self, images: Any, numbers: Any) -> Any:
        """:meth:`apply` of NumPy arrays."""
        import numpy as np

        return self.apply(images, numbers, np)
