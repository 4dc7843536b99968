"""What an evaluation asks of a corruption."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, ClassVar

from slr_keras.settings.schema import Variant, setting

if TYPE_CHECKING:
    from slr_keras.corruptions._draws import Draws

GROUPS = ("noise", "blur", "weather", "digital")
SEVERITIES = (1, 2, 3, 4, 5)
Shape = tuple[int, int, int]
SMALL = 64  # pixels a side, to which the constants of CIFAR-10-C apply; above, ImageNet-C's


@dataclasses.dataclass(frozen=True)
class Corruption(Variant):
    """A natural change of images, in five severities.

    What becomes of an image depends on the seed, the kind, the severity, the image's number and
    the image alone, not on the batch that it comes in. As in the published sets, results are cut
    off to whole levels, not rounded.

    Attributes:
        group: one of ``noise``, ``blur``, ``weather``, ``digital``.
        small: constants by severity for images of up to 64 pixels a side.
        large: those for larger images.
    """

    of_kind: ClassVar[str] = "corruptions"
    gives: ClassVar[tuple[str, ...]] = ("change",)
    group: ClassVar[str] = ""
    small: ClassVar[tuple[Any, ...]] = ()
    large: ClassVar[tuple[Any, ...]] = ()

    severity: int = setting(3, help="how strong the change is", at_least=1, at_most=5)

    def draw(self, draws: Draws, shape: Shape) -> tuple[Any, ...]:
        """The random numbers of each image, arrays (N, ...); none where nothing is random.

        Args:
            draws: gives uniform and normal numbers.
            shape: (H, W, C) of the images.
        """
        return ()

    def change(self, images: Any, *drawn: Any) -> Any:
        """Changed images in levels, of any type in [0, 255].

        Args:
            images: uint8 (N, H, W, C).
            drawn: what :meth:`draw` gave.
        """
        raise TypeError(f"{type(self).__name__} gives no change()")

    def constants(self, shape: tuple[int, ...]) -> Any:
        """Those of the severity for images of this shape, (H, W, C) or (N, H, W, C)."""
        table = self.small if max(shape[-3:-1]) <= SMALL else self.large
        return table[self.severity - 1]

    def apply(self, images: Any, numbers: Any, seed: int = 0) -> Any:
        """Changed images, uint8 (N, H, W, C).

        Args:
            images: (N, H, W, C) with one or three channels, uint8 or floats in [0, 1], which are
                rounded to levels.
            numbers: the images' places in the set, integer (N,).
            seed: any whole number.

        Raises:
            DataError: images or numbers of another form.

        Example:
            >>> import numpy as np
            >>> from slr_keras.corruptions.digital import Contrast
            >>> half = np.full((1, 8, 8, 1), 0.5)
            >>> int(Contrast(severity=5).apply(half, numbers=[7]).max())
            128
        """
        from slr_keras.corruptions import _batches

        return _batches.changed(self, images, numbers, seed)
