"""Images that stay where they are until somebody needs their pixels."""

from __future__ import annotations

from typing import Any

import numpy as np

LIMIT = 4 * 2**30  # bytes of pixels; fixed, for a machine's memory must not change a run


class Store:
    """Where the images of one split lie.

    Attributes:
        shape: (N, H, W, C).
        dtype: uint8, or float32 in [0, 1].
    """

    shape: tuple[int, int, int, int]
    dtype: np.dtype

    def fetch(self, rows: np.ndarray) -> np.ndarray:
        """The images of some rows; raises DataError that names what cannot be read."""
        raise NotImplementedError

    def marks(self, rows: np.ndarray) -> bytes:
        """What tells these images from others, without their pixels: checksums, names, sizes."""
        raise NotImplementedError


class Streamed:
    """Images (N, H, W, C) like an array of NumPy, read when they are asked for.

    As in NumPy a slice is a view, which reads nothing, and an index array makes a copy, which
    reads these images alone. ``np.asarray`` reads them all.

    Args:
        store: where they are.
        rows: which of them, in which order; None means all.

    Example:
        >>> class Grey(Store):
        ...     shape, dtype = (100, 2, 2, 1), np.dtype("uint8")
        ...     def fetch(self, rows):
        ...         return np.ones((2, 2, 1), np.uint8) * rows.astype("uint8")[:, None, None, None]
        >>> x = Streamed(Grey())
        >>> x[10:40].shape, x[10:40][[2, 0]].ravel().tolist()
        ((30, 2, 2, 1), [12, 12, 12, 12, 10, 10, 10, 10])
    """

    def __init__(self, store: Store, rows: np.ndarray | None = None):
        self.store = store
        self.rows = np.arange(store.shape[0]) if rows is None else rows

    @property
    def shape(self) -> tuple[int, ...]:
        """(N, H, W, C)."""
        return (len(self.rows), *self.store.shape[1:])

    @property
    def dtype(self) -> np.dtype:
        """Of the pixels: uint8 or float32."""
        return self.store.dtype

    @property
    def nbytes(self) -> int:
        """Memory that the pixels would take."""
        return int(np.prod(self.shape)) * self.dtype.itemsize

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return self.view(index)
        rows = self.rows[np.asarray(index)]
        return self.store.fetch(np.atleast_1d(rows)).reshape(*np.shape(rows), *self.shape[1:])

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        if copy is False:
            raise ValueError("streamed images cannot become an array without being copied")
        images = self.store.fetch(self.rows)
        return images if dtype is None else images.astype(dtype, copy=False)

    def view(self, index: Any) -> Streamed:
        """Some of the images, still unread; ``index`` as NumPy takes it along the first axis."""
        return Streamed(self.store, self.rows[index])

    def copy(self) -> Streamed:
        """Itself: nobody can write to it."""
        return self


Images = np.ndarray | Streamed


def select(x: Images, index: np.ndarray) -> Images:
    """The images at ``index``, unread if ``x`` is."""
    return x.view(index) if isinstance(x, Streamed) else x[index]


def content(array: Images) -> Any:
    """Bytes that tell the content of an array from any other: its own, or a stream's marks."""
    if isinstance(array, Streamed):
        return array.store.marks(array.rows)
    return np.ascontiguousarray(array).data


def wanted(stream: str, nbytes: int) -> bool:
    """Whether ``data.stream`` streams so many bytes of pixels."""
    return stream == "on" or (stream == "auto" and nbytes > LIMIT)
