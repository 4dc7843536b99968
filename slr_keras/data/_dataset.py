"""A data set that is ready for training."""

from __future__ import annotations

import dataclasses

import numpy as np

from slr_keras.data._stream import Images


def _nothing() -> np.ndarray:
    return np.zeros(0, np.int32)


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Dataset:
    """Three splits of images and labels, as :func:`slr_keras.data.load` returns them.

    Images are NHWC, uint8 in 0..255 or float32 in [0, 1]: arrays, or ``Streamed``, which is
    indexed alike, where they are not in memory. Labels are int32 (N,) in 0..num_classes-1. The
    position of an image in ``x_train`` is its sample index everywhere: in batches, in the label
    bank and in ``noisy_index``.

    Attributes:
        name: as the settings gave it.
        x_val, y_val: empty, shape (0, H, W, C) and (0,), when no validation split is wanted.
        class_names: ``num_classes`` names in the order of the labels.
        noisy_index: int32 (M,), ascending: the samples whose training label was changed.
        original_labels: int32 (M,): what the labels at ``noisy_index`` were before.
        notes: sentences that the user should read.

    Example:
        >>> from slr_keras.data import DataSettings, load
        >>> load(DataSettings(), seed=0)
        Dataset('digits', 1293 train, 144 val, 360 test, 8x8x1, 10 classes)
    """

    name: str
    x_train: Images
    y_train: np.ndarray
    x_val: Images
    y_val: np.ndarray
    x_test: Images
    y_test: np.ndarray
    class_names: tuple[str, ...]
    noisy_index: np.ndarray = dataclasses.field(default_factory=_nothing)
    original_labels: np.ndarray = dataclasses.field(default_factory=_nothing)
    notes: tuple[str, ...] = ()

    @property
    def num_classes(self) -> int:
        """K, also when training shows fewer."""
        return len(self.class_names)

    @property
    def input_shape(self) -> tuple[int, int, int]:
        """(H, W, C)."""
        height, width, channels = self.x_train.shape[1:]
        return height, width, channels

    @property
    def true_labels(self) -> np.ndarray:
        """Training labels before label noise, int32 (N,)."""
        labels = self.y_train.copy()
        labels[self.noisy_index] = self.original_labels
        return labels

    def __repr__(self) -> str:
        counts = ", ".join(
            f"{len(getattr(self, f'y_{split}'))} {split}" for split in ("train", "val", "test")
        )
        shape = "x".join(str(size) for size in self.input_shape)
        return f"Dataset({self.name!r}, {counts}, {shape}, {self.num_classes} classes)"
