"""Cutout after crop and flip: DeVries and Taylor 2017 (arXiv 1708.04552), section 3.2."""

from __future__ import annotations

import dataclasses
from typing import Any

from slr_keras.augmentations.crop_flip import CropFlip

Tensor = Any


@dataclasses.dataclass(frozen=True)
class Cutout(CropFlip):
    """Crop and flip, then a black square of half the image's height, its centre anywhere.

    On 32 x 32 the square has 16 pixels a side, as the authors have it on CIFAR-10; where it sticks
    out of the image it is cut off.
    """

    name = "cutout"
    width = 7

    def draw(self, seed: int, epoch: int, index: Any, size: tuple[int, int]) -> Any:
        """The numbers of crop and flip, then top, left, height and width of the square."""
        from slr_keras.augmentations import _erase

        square = _erase.squares(seed, epoch, index, size, size[0] // 2)
        return _erase.beside(super().draw(seed, epoch, index, size), square)

    def apply(self, images: Tensor, numbers: Tensor, xp: Any) -> Tensor:
        """Crops with a black square."""
        from slr_keras.augmentations import _erase

        return _erase.erased(super().apply(images, numbers, xp), numbers[:, 3:], xp)

    def on_host(self, images: Any, numbers: Any) -> Any:
        """The same in NumPy."""
        import numpy as np

        from slr_keras.augmentations import _erase

        return _erase.erased(super().on_host(images, numbers), numbers[:, 3:], np)
