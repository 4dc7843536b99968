"""Noise of every value: Hendrycks and Dietterich 2019 (arXiv 1903.12261), section 4.1."""

from __future__ import annotations

import dataclasses
from typing import Any

from slr_keras.backend import np
from slr_keras.corruptions._base import Corruption, Shape


@dataclasses.dataclass(frozen=True)
class GaussianNoise(Corruption):
    """``x + c n`` with a normal n for each value, cut off at 0 and 1: low light.

    c is 0.04 to 0.1 for small images, 0.08 to 0.38 for large ones.
    """

    name = "gaussian_noise"
    group = "noise"
    small = (0.04, 0.06, 0.08, 0.09, 0.10)
    large = (0.08, 0.12, 0.18, 0.26, 0.38)

    def draw(self, draws: Any, shape: Shape) -> tuple[Any, ...]:
        """A normal number for each value."""
        return (draws.normal(*shape),)

    def change(self, images: Any, *drawn: Any) -> Any:
        """The image and its noise."""
        return np.clip(images / 255.0 + self.constants(images.shape) * drawn[0], 0, 1) * 255


@dataclasses.dataclass(frozen=True)
class ShotNoise(Corruption):
    """``k / c`` with a Poisson number k of mean ``c x`` for each value: few photons.

    c, the photons of a white pixel, is 500 to 50 for small images, 60 to 3 for large ones.
    """

    name = "shot_noise"
    group = "noise"
    small = (500, 250, 100, 75, 50)
    large = (60, 25, 12, 5, 3)

    def draw(self, draws: Any, shape: Shape) -> tuple[Any, ...]:
        """A share for each value; the Poisson number is the one whose CDF reaches it."""
        return (draws.uniform(*shape),)

    def change(self, images: Any, *drawn: Any) -> Any:
        """Photons counted, against those of white."""
        from slr_keras.corruptions import _poisson

        photons = self.constants(images.shape)
        return np.clip(_poisson.counts(images, drawn[0], photons) / photons, 0, 1) * 255


@dataclasses.dataclass(frozen=True)
class ImpulseNoise(Corruption):
    """A share c of the values, channel by channel, becomes 0 or 1, as likely: salt and pepper.

    c is 0.01 to 0.07 for small images, 0.03 to 0.27 for large ones.
    """

    name = "impulse_noise"
    group = "noise"
    small = (0.01, 0.02, 0.03, 0.05, 0.07)
    large = (0.03, 0.06, 0.09, 0.17, 0.27)

    def draw(self, draws: Any, shape: Shape) -> tuple[Any, ...]:
        """For each value, what decides whether it is hit and by what."""
        return draws.uniform(*shape), draws.uniform(*shape)

    def change(self, images: Any, *drawn: Any) -> Any:
        """The image, salted and peppered."""
        hit, salted = drawn[0] <= self.constants(images.shape), drawn[1] <= 0.5
        return np.where(hit, np.where(salted, 255, 0), images)
