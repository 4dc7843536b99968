"""Blur by lens, glass, motion: Hendrycks and Dietterich 2019 (arXiv 1903.12261), section 4.1."""

from __future__ import annotations

import dataclasses
from typing import Any

from slr_keras.backend import np
from slr_keras.corruptions._base import Corruption, Shape


@dataclasses.dataclass(frozen=True)
class DefocusBlur(Corruption):
    """Folded with a disk, itself smoothed by a Gaussian: a lens out of focus.

    Radius and sigma are 0.3 and 0.4 to 1.5 and 0.1 pixels for small images, 3 and 0.1 to 10 and 0.5
    for large ones; the image is mirrored at its edge.
    """

    name = "defocus_blur"
    group = "blur"
    small = ((0.3, 0.4), (0.4, 0.5), (0.5, 0.6), (1, 0.2), (1.5, 0.1))
    large = ((3, 0.1), (4, 0.5), (6, 0.5), (8, 0.5), (10, 0.5))

    def change(self, images: Any, *drawn: Any) -> Any:
        """Out of focus."""
        from slr_keras.corruptions import _filters

        kernel = _filters.disk(*self.constants(images.shape))
        return np.clip(_filters.folded(images / 255.0, kernel), 0, 1) * 255


@dataclasses.dataclass(frozen=True)
class GlassBlur(Corruption):
    """Smoothed, pixels taken from near by, smoothed again: frosted glass.

    Constants are sigma, reach and how often. From the last pixel to the first, each becomes the one
    that lies up to ``reach`` above or left of it, or up to ``reach - 1`` below or right. The paper
    says that pixels are swapped; the authors' program, which made the published sets, overwrites
    the first before it reads it for the second, so that it copies, and so does this.
    """

    name = "glass_blur"
    group = "blur"
    small = ((0.05, 1, 1), (0.25, 1, 1), (0.4, 1, 1), (0.25, 1, 2), (0.4, 1, 2))
    large = ((0.7, 1, 2), (0.9, 2, 1), (1, 2, 3), (1.1, 3, 2), (1.5, 4, 2))

    def draw(self, draws: Any, shape: Shape) -> tuple[Any, ...]:
        """How often, row, column (both from the last on), and whether x or y of the offset."""
        from slr_keras.corruptions import _glass

        _, reach, times = self.constants(shape)
        rows, columns = (len(_glass.moving(side, reach)) for side in shape[:2])
        return (draws.uniform(times, rows, columns, 2),)

    def change(self, images: Any, *drawn: Any) -> Any:
        """Smoothed, moved, smoothed."""
        from slr_keras.corruptions import _filters, _glass

        sigma, reach, _ = self.constants(images.shape)
        smooth = (_filters.smoothed(images / 255.0, sigma) * 255).astype("uint8")
        offsets = np.floor(drawn[0] * 2 * reach).astype("int64") - reach
        shuffled = _glass.shuffled(smooth, offsets, reach)
        return np.clip(_filters.smoothed(shuffled / 255.0, sigma), 0, 1) * 255


@dataclasses.dataclass(frozen=True)
class MotionBlur(Corruption):
    """Folded with half a Gaussian along a line of a random angle, -45 to 45 degrees.

    Radius and sigma are 6 and 1 to 9 and 2.5 pixels for small images, 10 and 3 to 20 and 15 for
    large ones. The arithmetic is that of ImageMagick.
    """

    name = "motion_blur"
    group = "blur"
    small = ((6, 1), (6, 1.5), (6, 2), (8, 2), (9, 2.5))
    large = ((10, 3), (15, 5), (15, 8), (15, 12), (20, 15))

    def draw(self, draws: Any, shape: Shape) -> tuple[Any, ...]:
        """Of the angle."""
        return (draws.uniform(),)

    def change(self, images: Any, *drawn: Any) -> Any:
        """Moved while the shutter was open."""
        from slr_keras.corruptions import _motion

        radius, sigma = self.constants(images.shape)
        return _motion.blurred(images, radius, sigma, -45 + 90 * drawn[0])


@dataclasses.dataclass(frozen=True)
class ZoomBlur(Corruption):
    """The mean of the image, once more than the rest, and of enlargements of its middle.

    Factors go from 1 to 1.05 (severity 1) or 1.25 (5) in steps of 0.01 for small images, to 1.1 or
    1.3 in steps of 0.01 to 0.03 for large ones.
    """

    name = "zoom_blur"
    group = "blur"
    small = ((1.06, 0.01), (1.11, 0.01), (1.16, 0.01), (1.21, 0.01), (1.26, 0.01))
    large = ((1.11, 0.01), (1.16, 0.01), (1.21, 0.02), (1.26, 0.02), (1.31, 0.03))

    def change(self, images: Any, *drawn: Any) -> Any:
        """Moved towards."""
        from slr_keras.corruptions import _zoom

        end, step = self.constants(images.shape)
        factors = np.arange(1, end, step)
        planes = _zoom.to_planes((images / 255.0).astype("float32"))
        total = np.zeros_like(planes)
        for factor in factors:
            total += _zoom.zoomed(planes, factor)
        mean = (planes + total) / (len(factors) + 1)
        return _zoom.to_images(np.clip(mean, 0, 1) * 255, images.shape)
