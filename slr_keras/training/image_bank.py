"""The image bank: the training images on the device, so that a step needs no pixels from the host.

Images lie there as they were read (uint8: a quarter of their float32 size); a step takes those of
its batch, augments them and scales them to [0, 1], all inside what is compiled. The host sends
sample indices and the numbers of each image's augmentation, which it draws as for images that it
prepares itself: both give the same pixels, bit for bit.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from slr_keras import backend
from slr_keras.backend import keras, ops
from slr_keras.data._batches import as_float
from slr_keras.settings import registry

Tensor = Any


@keras.saving.register_keras_serializable("slr_keras")
class ImageBank(keras.layers.Layer):
    """The whole training set as a weight that no file contains.

    Args:
        images: (N, H, W, C), uint8 or float32 in [0, 1].

    Attributes:
        images: the weight, of the same shape and dtype.

    Example:
        >>> ImageBank(np.zeros((50_000, 32, 32, 3), "uint8")).nbytes   # doctest: +SKIP
        153600000
    """

    def __init__(self, images: np.ndarray, **options: Any):
        super().__init__(name=options.pop("name", "image_bank"), trainable=False)
        self.images = self.add_weight(
            name="images",
            shape=images.shape,
            initializer=lambda shape, dtype: ops.convert_to_tensor(images),
            trainable=False,
            dtype=str(images.dtype),
            autocast=False,
            aggregation="only_first_replica",
        )
        self.built = True

    @property
    def nbytes(self) -> int:
        """Memory of the images, in bytes."""
        return int(np.prod(self.images.shape)) * (1 if self.images.dtype == "uint8" else 4)

    def read(self, index: Tensor, drawn: Mapping[str, Tensor] | None = None) -> Any:
        """Images ``index`` (B,) as float32 in [0, 1], (B, H, W, C).

        Args:
            drawn: names of augmentations, and the numbers that each drew for these images.
        """
        images = backend.read_rows(self.images, index)
        for name, numbers in (drawn or {}).items():
            images = registry.get("augmentations", name)().apply(images, numbers, ops)
        if self.images.dtype != "uint8":
            return images
        exact = as_float(np.arange(256, dtype=np.uint8))  # XLA divides by 255 less exactly
        return ops.take(exact, ops.cast(images, "int32"), axis=0)

    def save_own_variables(self, store: Any) -> None:
        """Nothing: the images are in the data set."""

    def load_own_variables(self, store: Any) -> None:
        """Nothing."""
