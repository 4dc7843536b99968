"""What cameras and files do: Hendrycks and Dietterich 2019 (arXiv 1903.12261), section 4.1."""

from __future__ import annotations

import dataclasses
from typing import Any

from slr_keras.backend import np
from slr_keras.corruptions._base import Corruption, Shape


@dataclasses.dataclass(frozen=True)
class Contrast(Corruption):
    """``m + c (x - m)`` with the mean m of each channel.

    c is 0.75 to 0.15 for small images, 0.4 to 0.05 for large ones.
    """

    name = "contrast"
    group = "digital"
    small = (0.75, 0.5, 0.4, 0.3, 0.15)
    large = (0.4, 0.3, 0.2, 0.1, 0.05)

    def change(self, images: Any, *drawn: Any) -> Any:
        """Nearer to the mean."""
        total = images.sum(axis=(1, 2), keepdims=True, dtype=np.int64)
        mean = total / (255.0 * images.shape[1] * images.shape[2])
        return np.clip((images / 255.0 - mean) * self.constants(images.shape) + mean, 0, 1) * 255


@dataclasses.dataclass(frozen=True)
class ElasticTransform(Corruption):
    """Moved by a random affine map, then each pixel by a smoothed random field.

    Constants (amplitude, smoothing sigma, reach of the map) are in image sides, so that 32 pixels
    are moved as in CIFAR-10-C and 224 as in ImageNet-C. Coordinates of the map are rounded to 1/32
    pixel, as OpenCV's ``warpAffine`` did when both sets were made.
    """

    name = "elastic_transform"
    group = "digital"
    small = ((0, 0, 0.08), (0.05, 0.2, 0.07), (0.08, 0.06, 0.06), (0.1, 0.04, 0.05),
             (0.1, 0.03, 0.03))  # fmt: skip
    large = ((2, 0.7, 0.1), (2, 0.08, 0.2), (0.05, 0.01, 0.02), (0.07, 0.01, 0.02),
             (0.12, 0.01, 0.02))  # fmt: skip

    def draw(self, draws: Any, shape: Shape) -> tuple[Any, ...]:
        """Of three corners, then the two fields."""
        height, width, _ = shape
        return draws.uniform(3, 2), draws.uniform(height, width), draws.uniform(height, width)

    def change(self, images: Any, *drawn: Any) -> Any:
        """Both steps."""
        from slr_keras.corruptions import _elastic

        return _elastic.moved(images, self.constants(images.shape), *drawn)


@dataclasses.dataclass(frozen=True)
class Pixelate(Corruption):
    """Made smaller by the factor c and enlarged again, with Pillow's box filter.

    c is 0.95 to 0.65 for small images, 0.6 to 0.25 for large ones.
    """

    name = "pixelate"
    group = "digital"
    small = (0.95, 0.9, 0.85, 0.75, 0.65)
    large = (0.6, 0.5, 0.4, 0.3, 0.25)

    def change(self, images: Any, *drawn: Any) -> Any:
        """There and back."""
        from slr_keras.corruptions import _pillow

        return _pillow.pixelated(images, self.constants(images.shape))


@dataclasses.dataclass(frozen=True)
class JPEGCompression(Corruption):
    """Written as JPEG of quality c and read again, by Pillow; grey images as grey JPEG.

    c is 80 to 40 for small images, 25 to 7 for large ones.
    """

    name = "jpeg_compression"
    group = "digital"
    small = (80, 65, 58, 50, 40)
    large = (25, 18, 15, 10, 7)

    def change(self, images: Any, *drawn: Any) -> Any:
        """There and back."""
        from slr_keras.corruptions import _pillow

        return _pillow.compressed(images, self.constants(images.shape))
