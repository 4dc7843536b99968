"""Snow, frost, fog, sun: Hendrycks and Dietterich 2019 (arXiv 1903.12261), section 4.1."""

from __future__ import annotations

import dataclasses
from typing import Any

from slr_keras.backend import np
from slr_keras.corruptions._base import Corruption, Shape
from slr_keras.settings.schema import setting


@dataclasses.dataclass(frozen=True)
class Snow(Corruption):
    """A paler image, and flakes that fall from both sides: noise, enlarged, cut, moved.

    Constants are mean and deviation of the noise, its enlargement, the level below which nothing
    falls, radius and sigma of the motion, and the share of the image that is not made paler.
    """

    name = "snow"
    group = "weather"
    small = (
        (0.1, 0.2, 1, 0.6, 8, 3, 0.95),
        (0.1, 0.2, 1, 0.5, 10, 4, 0.9),
        (0.15, 0.3, 1.75, 0.55, 10, 4, 0.9),
        (0.25, 0.3, 2.25, 0.6, 12, 6, 0.85),
        (0.3, 0.3, 1.25, 0.65, 14, 12, 0.8),
    )
    large = (
        (0.1, 0.3, 3, 0.5, 10, 4, 0.8),
        (0.2, 0.3, 2, 0.5, 12, 4, 0.7),
        (0.55, 0.3, 4, 0.9, 12, 8, 0.7),
        (0.55, 0.3, 4.5, 0.85, 12, 8, 0.65),
        (0.55, 0.3, 2.5, 0.85, 12, 12, 0.55),
    )

    def draw(self, draws: Any, shape: Shape) -> tuple[Any, ...]:
        """The noise, then of the angle, -135 to -45 degrees."""
        return draws.normal(*shape[:2]), draws.uniform()

    def change(self, images: Any, *drawn: Any) -> Any:
        """Paler, and snowed upon."""
        from slr_keras.corruptions import _snow

        return _snow.snowed(images, self.constants(images.shape), drawn[0], -135 + 90 * drawn[1])


@dataclasses.dataclass(frozen=True)
class Frost(Corruption):
    """``a x + b f`` with a piece f of a picture of frost.

    The authors took f from five photographs that are not theirs to give away, and we have none.
    Ours are five textures that are computed: crystals in random directions over cloudy ice, with
    the mean colours, the contrast and the likeness of neighbouring pixels of those photographs. So
    accuracy under frost is near, not equal, to that on CIFAR-10-C. Whoever has the photographs
    (``frost1.png`` and so on stand beside the authors' program) names a folder with the five and
    gets what the program makes.

    a and b are 1 and 0.2 to 0.75 and 0.45 for small images, which see pictures of a fifth of
    their size, and 1 and 0.4 to 0.6 and 0.75 for large ones.
    """

    name = "frost"
    group = "weather"
    small = ((1, 0.2), (1, 0.3), (0.9, 0.4), (0.85, 0.4), (0.75, 0.45))
    large = ((1, 0.4), (0.8, 0.6), (0.7, 0.7), (0.65, 0.7), (0.6, 0.75))

    pictures: str = setting("", help="folder of pictures of frost [computed ones]", picks="folder")

    def draw(self, draws: Any, shape: Shape) -> tuple[Any, ...]:
        """Of the picture, and of the row and column at which the piece begins."""
        return draws.uniform(), draws.uniform(), draws.uniform()

    def change(self, images: Any, *drawn: Any) -> Any:
        """Seen through ice."""
        from slr_keras.corruptions import _frost

        image_share, frost_share = self.constants(images.shape)
        frost = _frost.pieces(self.pictures, images.shape, *drawn)
        return np.clip(image_share * images.astype(float) + frost_share * frost, 0, 255)


@dataclasses.dataclass(frozen=True)
class Fog(Corruption):
    """``(x + c p) m / (m + c)`` with a random cloud p in [0, 1] and the image's largest value m.

    Constants are c and the factor by which the cloud's roughness falls with each halving of scale:
    0.2 and 3 to 1.5 and 1.75 for small images, 1.5 and 2 to 3 and 1.4 for large ones. The cloud is
    made by the diamond-square algorithm.
    """

    name = "fog"
    group = "weather"
    small = ((0.2, 3), (0.5, 3), (0.75, 2.5), (1, 2), (1.5, 1.75))
    large = ((1.5, 2), (2, 2), (2.5, 1.7), (2.5, 1.5), (3, 1.4))

    def draw(self, draws: Any, shape: Shape) -> tuple[Any, ...]:
        """For each halving, three times a share for each of its points."""
        from slr_keras.corruptions import _fog

        return tuple(draws.uniform(n, n) for n in _fog.points(max(shape[:2])) for _ in range(3))

    def change(self, images: Any, *drawn: Any) -> Any:
        """In the cloud."""
        from slr_keras.corruptions import _fog

        amount, decay = self.constants(images.shape)
        cloud = _fog.cloud(drawn, decay)[:, : images.shape[1], : images.shape[2], None]
        x = images / 255.0
        largest = x.max(axis=(1, 2, 3), keepdims=True)
        return np.clip((x + amount * cloud) * largest / (largest + amount), 0, 1) * 255


@dataclasses.dataclass(frozen=True)
class Brightness(Corruption):
    """``min(v + c, 1)`` for v, the largest channel of each pixel; hue and saturation stay.

    c is 0.05 to 0.3 for small images, 0.1 to 0.5 for large ones.
    """

    name = "brightness"
    group = "weather"
    small = (0.05, 0.1, 0.15, 0.2, 0.3)
    large = (0.1, 0.2, 0.3, 0.4, 0.5)

    def change(self, images: Any, *drawn: Any) -> Any:
        """In the sun."""
        from matplotlib.colors import hsv_to_rgb, rgb_to_hsv

        x = images / 255.0
        if images.shape[3] == 1:
            return np.clip(x + self.constants(images.shape), 0, 1) * 255
        hsv = rgb_to_hsv(x)
        hsv[..., 2] = np.clip(hsv[..., 2] + self.constants(images.shape), 0, 1)
        return np.clip(hsv_to_rgb(hsv), 0, 1) * 255
