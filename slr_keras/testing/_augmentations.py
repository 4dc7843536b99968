"""What every augmentation keeps to."""

from __future__ import annotations

from typing import Any

import numpy as np

from slr_keras.backend import ops
from slr_keras.testing._base import array, need, one, rng, same, tensor

SIZE = (8, 8)


def _images(count: int) -> np.ndarray:
    return rng().integers(0, 256, (count, *SIZE, 3), dtype="uint8")


def _drawn(augmentation: Any, index: np.ndarray, epoch: int = 3) -> np.ndarray:
    return np.asarray(augmentation.draw(0, epoch, index, SIZE))


def numbers_hang_on_the_sample_alone(part: Any) -> None:
    """What is drawn for an image depends on seed, epoch and its index, not on its batch."""
    augmentation = one(part)
    if not augmentation.width:
        return
    numbers = _drawn(augmentation, np.arange(40))
    need(
        numbers.shape == (40, augmentation.width), f"expected (40, width), received {numbers.shape}"
    )
    need(np.issubdtype(numbers.dtype, np.integer), f"expected integers, received {numbers.dtype}")
    need(same(numbers[7:9], _drawn(augmentation, np.arange(7, 9))), "numbers depend on the batch")
    need(not same(numbers, _drawn(augmentation, np.arange(40), 4)), "each epoch draws the same")


def images_stay_images(part: Any) -> None:
    """Shape and type stay, and pixels stay in range."""
    augmentation, images = one(part), _images(40)
    numbers = _drawn(augmentation, np.arange(40)) if augmentation.width else np.zeros((40, 0), int)
    made = np.asarray(augmentation.on_host(images, numbers))
    need(
        made.shape == images.shape and made.dtype == images.dtype, "an image changed shape or type"
    )
    if augmentation.width:
        need(not same(made, images), "40 images, and none has changed")


def device_and_host_agree(part: Any) -> None:
    """``apply`` gives the same images on the device as NumPy does on the host, bit for bit."""
    augmentation, images = one(part), _images(40)
    if not augmentation.width:
        return
    numbers = _drawn(augmentation, np.arange(40)).astype("int32")
    made = array(augmentation.apply(tensor(images), tensor(numbers), ops))
    need(same(made, augmentation.on_host(images, numbers)), "device and host make other images")


CHECKS = (numbers_hang_on_the_sample_alone, images_stay_images, device_and_host_agree)


def fingerprint(augmentation: Any) -> np.ndarray:
    """The images themselves."""
    images = _images(40)
    numbers = _drawn(augmentation, np.arange(40)) if augmentation.width else np.zeros((40, 0), int)
    return np.asarray(augmentation.on_host(images, numbers)).astype("float32")
