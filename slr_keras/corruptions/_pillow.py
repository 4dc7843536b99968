"""Image by image, what Pillow does."""

from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
from PIL import Image


def pixelated(images: np.ndarray, factor: float) -> np.ndarray:
    """Resized by ``factor`` and back; uint8 (N, H, W, C)."""
    height, width = images.shape[1:3]
    coarse = max(1, int(width * factor)), max(1, int(height * factor))

    def there_and_back(picture: Image.Image) -> Image.Image:
        box = Image.Resampling.BOX
        return picture.resize(coarse, box).resize((width, height), box)

    return _each(images, there_and_back)


def compressed(images: np.ndarray, quality: int) -> np.ndarray:
    """Through JPEG; uint8 (N, H, W, C)."""

    def there_and_back(picture: Image.Image) -> Image.Image:
        file = io.BytesIO()
        picture.save(file, "JPEG", quality=quality)
        return Image.open(file)

    return _each(images, there_and_back)


def _each(images: np.ndarray, function: Callable[[Image.Image], Image.Image]) -> np.ndarray:
    grey = images.shape[3] == 1
    pictures = (Image.fromarray(image[..., 0] if grey else image) for image in images)
    return np.stack([np.asarray(function(picture)) for picture in pictures]).reshape(images.shape)
