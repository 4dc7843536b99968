"""IDBH: Li and Spratling, ICLR 2023 (arXiv 2301.09879), section 5 and the authors' program."""

from __future__ import annotations

import dataclasses
from typing import Any, ClassVar

from slr_keras.augmentations._base import Augmentation

Tensor = Any


@dataclasses.dataclass(frozen=True)
class IDBHWeak(Augmentation):
    """Flip, CropShift(0, 11), one colour or shape operation, RandomErasing of every second.

    CropShift cuts up to 10 rows and columns off and moves what is left inside the black frame. The
    eight operations, all as likely: saturation and sharpness 0.1 to 1.9, brightness and contrast
    0.5 to 1.9, autocontrast, equalize, shear 0.05 to 0.15, rotation by 1 to 10 degrees. Random
    erasing blackens 2 to 33 % of the image. All on 8-bit levels, factors in steps of 1/1024.
    """

    name = "idbh-weak"
    width = 17
    levels = True
    erasing: ClassVar[float] = 0.5

    def draw(self, seed: int, epoch: int, index: Any, size: tuple[int, int]) -> Any:
        """Flip, crop and shift (7), operation and its strength (2), its map (4), rectangle (4)."""
        from slr_keras.augmentations import _erase, _idbh

        box = _erase.rectangles(seed, epoch, index, size, self.erasing, (0.02, 0.33))
        return _erase.beside(_idbh.draws(seed, epoch, index), box)

    def apply(self, images: Tensor, numbers: Tensor, xp: Any) -> Tensor:
        """Moved, then coloured, then erased."""
        from slr_keras.augmentations import _colour, _erase, _idbh

        moved = _idbh.moved(images, numbers, xp)
        coloured = _colour.changed(moved, numbers[:, 7], numbers[:, 8], xp)
        return _erase.erased(coloured, numbers[:, 13:], xp)


@dataclasses.dataclass(frozen=True)
class IDBHStrong(IDBHWeak):
    """As idbh-weak, with random erasing of every image."""

    name = "idbh-strong"
    erasing = 1.0
