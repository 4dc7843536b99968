"""What every corruption keeps to."""

from __future__ import annotations

from typing import Any

import numpy as np

from slr_keras.corruptions._base import GROUPS, SEVERITIES
from slr_keras.testing._base import kind_of, need, one, rng, same

SIZES = ((8, 8, 3), (9, 12, 1))


def _images(shape: tuple[int, int, int], count: int = 6) -> np.ndarray:
    return rng().integers(0, 256, (count, *shape), dtype="uint8")


def images_stay_images(part: Any) -> None:
    """Bytes of the same shape, coloured or grey, and not the images as they were."""
    corruption = one(part)
    for shape in SIZES:
        images = _images(shape)
        kept, made = images.copy(), np.asarray(corruption.apply(images, np.arange(6)))
        need(made.shape == images.shape, f"images {images.shape} became {made.shape}")
        need(made.dtype == np.uint8, f"expected uint8, received {made.dtype}")
        need(same(images, kept), "it writes into the images that it is given")
        need(not same(made, images), "6 images, and none has changed")


def results_hang_on_the_image_alone(part: Any) -> None:
    """The same numbers give the same images, in whatever batch and order they come."""
    corruption, images, numbers = one(part), _images(SIZES[0]), np.arange(20, 26)
    made = corruption.apply(images, numbers, 5)
    need(same(made, corruption.apply(images, numbers, 5)), "the same seed gives other images")
    order = np.array([4, 1, 5])
    need(same(made[order], corruption.apply(images[order], numbers[order], 5)), "batches matter")
    need(len(corruption.apply(images[:0], numbers[:0])) == 0, "no image became some")


def has_five_severities(part: Any) -> None:
    """Severities 1 and 5 make different images, and the group is one of the four."""
    images, numbers = _images(SIZES[0]), np.arange(6)
    mild, strong = (
        one(part).replace(severity=s).apply(images, numbers)
        for s in (SEVERITIES[0], SEVERITIES[-1])
    )
    need(not same(mild, strong), "severity 1 and 5 make the same images")
    need(kind_of(part).group in GROUPS, f"group: expected one of {', '.join(GROUPS)}")


CHECKS = (images_stay_images, results_hang_on_the_image_alone, has_five_severities)


def fingerprint(corruption: Any) -> np.ndarray:
    """The images themselves."""
    return np.asarray(corruption.apply(_images(SIZES[0]), np.arange(6))).astype("float32")
