"""Batches that carry sample indices, each a pure function of its place."""

from __future__ import annotations

import contextlib
import itertools
import weakref
from collections.abc import Iterator
from typing import Any

import numpy as np

from slr_keras.augmentations._base import Augmentation
from slr_keras.data._prefetch import Prefetched
from slr_keras.data._stream import Images
from slr_keras.errors import DataError
from slr_keras.hashing import shuffled
from slr_keras.settings import registry

Batch = tuple[dict[str, np.ndarray], np.ndarray]
AHEAD = 4


def as_float(images: Images) -> np.ndarray:
    """Images as models take them: float32 in [0, 1], uint8 divided by 255.

    Example:
        >>> as_float(np.array([0, 51, 255], np.uint8)).tolist()
        [0.0, 0.20000000298023224, 1.0]
    """
    images = np.asarray(images)  # reads what is streamed
    if images.dtype == np.uint8:
        return np.divide(images, np.float32(255), dtype=np.float32)
    return images.astype(np.float32, copy=False)


def as_levels(images: np.ndarray) -> np.ndarray:
    """Images as uint8: float32 in [0, 1] is rounded to the nearest 255th.

    Example:
        >>> as_levels(np.array([0.0, 0.2, 0.5, 1.0], np.float32)).tolist()
        [0, 51, 128, 255]
    """
    return images if images.dtype == np.uint8 else np.floor(images * 255 + 0.5).astype(np.uint8)


class Batches:
    """Mini-batches of a split, in an order that is new in every epoch.

    Each batch is ``({"image": float32 (B, H, W, C) in [0, 1], "index": int32 (B,)},
    int32 (B,))``, and a pure function of the arguments below, the epoch and the batch number:
    a run that is resumed at any of them sees what the first run saw.

    Args:
        x: images (N, H, W, C), uint8 or float32 in [0, 1]; streamed ones are read by the batch.
        y: labels (N,), whole numbers.
        batch_size: the last batch of an epoch may be smaller.
        seed: decides order and augmentation.
        augment: name of one of ``slr_keras.augmentations``.
        shuffle: False keeps the order of ``x`` in every epoch.
        shares: devices that share a batch; the last batch is cut to a multiple of it.
        part: ``(i, n)`` makes the ``i``-th (from 0) of ``n`` equal parts of each batch alone.
        placed: the images are on the device, in an
            :class:`~slr_keras.training.image_bank.ImageBank`; instead of ``"image"`` a batch has
            what was drawn for each image under the augmentation's name, int32 (B, width).

    Example:
        >>> x, y = np.zeros((300, 32, 32, 3), np.uint8), np.zeros(300, int)
        >>> batches = Batches(x, y, batch_size=128, seed=0, augment="crop-flip")
        >>> inputs, labels = batches.batch(epoch=1, b=2)
        >>> inputs["image"].shape, batches.steps_per_epoch
        ((44, 32, 32, 3), 3)
    """

    def __init__(
        self,
        x: Images,
        y: np.ndarray,
        batch_size: int,
        seed: int,
        augment: str = "none",
        shuffle: bool = True,
        shares: int = 1,
        part: tuple[int, int] = (0, 1),
        placed: bool = False,
    ):
        if len(x) != len(y) or not len(x):
            raise ValueError(
                f"expected as many labels as images, one or more, received {len(x)} and {len(y)}"
            )
        if batch_size < 1:
            raise ValueError(f"batch_size: expected 1 or more, received {batch_size}")
        if batch_size % shares:
            raise ValueError(f"batch_size: expected a multiple of {shares}, received {batch_size}")
        if shares % part[1]:
            raise ValueError(f"part: expected a divisor of {shares} shares, received {part[1]}")
        if len(x) < shares:
            raise ValueError(f"expected {shares} images or more, received {len(x)}")
        known = registry.variants("augmentations")
        if augment not in known:
            raise ValueError(f"augment: expected {', '.join(known)}, received {augment!r}")
        self.augmentation: Augmentation = known[augment]()
        if self.augmentation.levels and isinstance(x, np.ndarray):
            x = as_levels(x)
        self.x, self.y = x, np.asarray(y).astype(np.int32)
        self.batch_size, self.seed = batch_size, seed
        self.shuffle, self.part, self.placed = shuffle, part, placed
        self.used = len(x) - len(x) % shares
        self._failure: DataError | None = None
        self._streams: weakref.WeakSet[Prefetched] = weakref.WeakSet()
        self._last: tuple[int, np.ndarray] = (-1, self.y)

    @property
    def steps_per_epoch(self) -> int:
        """Batches in an epoch, the smaller last one included."""
        return -(-self.used // self.batch_size)

    @property
    def left_out(self) -> str:
        """A sentence where the images cannot be shared evenly, else empty."""
        count = len(self.y) - self.used
        if not count:
            return ""
        return f"{count} of the {len(self.y)} training images, others each time, sit out an epoch"

    def order(self, epoch: int) -> np.ndarray:
        """Sample indices in the order of an epoch (from 1), int32 (N,), read-only."""
        if epoch < 1:
            raise ValueError(f"epoch: expected 1 or more, received {epoch}")
        if not self.shuffle:
            epoch = 0  # one key for all
        last, order = self._last  # one read: the prefetching thread may replace it
        if last != epoch:
            order = self._order(epoch)
            self._last = (epoch, order)
        return order

    def _order(self, epoch: int) -> np.ndarray:
        n = len(self.y)
        order = shuffled(n, self.seed, "order", epoch) if self.shuffle else np.arange(n)
        order = order.astype(np.int32)
        order.flags.writeable = False
        return order

    def batch(self, epoch: int, b: int) -> Batch:
        """Batch ``b`` (from 0) of an epoch (from 1); see the class.

        Raises:
            ValueError: there is no such batch.
        """
        if not 0 <= b < self.steps_per_epoch:
            raise ValueError(f"batch: expected 0..{self.steps_per_epoch - 1}, received {b}")
        last = min((b + 1) * self.batch_size, self.used)
        index = self.order(epoch)[b * self.batch_size : last]
        size = len(index) // self.part[1]
        index = index[self.part[0] * size :][:size].copy() if self.part[1] > 1 else index.copy()
        return {**self._pixels(epoch, index), "index": index}, self.y[index]

    def _pixels(self, epoch: int, index: np.ndarray) -> dict[str, np.ndarray]:
        """The images of a batch, or what the device is to do with them."""
        augmentation = self.augmentation
        if not augmentation.width:
            return {} if self.placed else {"image": as_float(self._images(index))}
        height, width, _ = self.x.shape[1:]
        numbers = augmentation.draw(self.seed, epoch, index, (height, width))
        if self.placed:
            return {augmentation.name: numbers}
        images = self._images(index)
        images = as_levels(images) if augmentation.levels else images
        return {"image": as_float(augmentation.on_host(images, numbers))}

    @property
    def inputs(self) -> dict[str, tuple[tuple[int | None, ...], str]]:
        """Shape, with None for the batch, and dtype of each input of a batch."""
        inputs: dict[str, tuple[tuple[int | None, ...], str]] = {"index": ((None,), "int32")}
        if not self.placed:
            return inputs | {"image": ((None, *self.x.shape[1:]), "float32")}
        name, width = self.augmentation.name, self.augmentation.width
        return inputs | ({name: ((None, width), "int32")} if width else {})

    def _images(self, index: np.ndarray) -> np.ndarray:
        try:
            return self.x[index]
        except DataError as error:
            self._failure = error
            raise

    @contextlib.contextmanager
    def feeding(self) -> Iterator[None]:
        """While a framework reads streams of these batches: their threads end with the context.

        Raises the DataError of a batch as it is, where the framework has wrapped it.
        """
        try:
            yield
        except Exception:
            if self._failure:
                raise self._failure from None
            raise
        finally:
            for stream in list(self._streams):
                stream.close()

    def stream(self, epoch: int = 1, batch: int = 0) -> Iterator[Batch]:
        """All batches from a position on, without end, prepared ahead by a thread.

        ``batch = steps_per_epoch`` is the beginning of the next epoch. Closing or dropping the
        generator tells the thread to end; where it has to be gone, use :meth:`feeding`.

        Raises:
            ValueError: there is no such position.
        """
        if epoch < 1 or not 0 <= batch <= self.steps_per_epoch:
            raise ValueError(
                f"expected epoch >= 1 and batch in 0..{self.steps_per_epoch}, "
                f"received {epoch} and {batch}"
            )
        stream = Prefetched(self._from(epoch, batch), AHEAD)
        self._streams.add(stream)
        return (batch for batch in stream)  # Keras takes generators, not iterators

    def _from(self, epoch: int, batch: int) -> Iterator[Any]:
        first = (epoch - 1) * self.steps_per_epoch + batch
        for step in itertools.count(first):
            yield self.batch(1 + step // self.steps_per_epoch, step % self.steps_per_epoch)
