"""CIFAR-10-C, or a set in its form, read from disk as it is published."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from slr_keras.corruptions._base import SEVERITIES
from slr_keras.errors import DataError, did_you_mean
from slr_keras.settings import registry

LABELS = "labels"


class OnDisk:
    """A folder with ``labels.npy`` and an array for each kind of corruption.

    ``<kind>.npy`` holds uint8 (5 N, H, W, C): the N images of severity 1, then those of 2 and so
    on; ``labels.npy`` holds the labels of all 5 N, which are the same N five times.

    Args:
        path: the folder.

    Attributes:
        names: kinds that are there, of the 15 first, then others that the folder holds.
        missing: kinds of the 15 that are not.
        labels: int64 (N,), of the images of one severity.

    Raises:
        DataError: no such folder, no labels, no kind, or an array of another form.

    Example:
        >>> cifar = OnDisk("CIFAR-10-C")                             # doctest: +SKIP
        >>> cifar.images("fog", severity=5).shape                    # doctest: +SKIP
        (10000, 32, 32, 3)
    """

    def __init__(self, path: str | Path):
        self.path = Path(path).expanduser()
        if not self.path.is_dir():
            raise DataError(f"{path}: no such folder; expected one with labels.npy and fog.npy")
        found = sorted(file.stem for file in self.path.glob("*.npy") if file.stem != LABELS)
        known = sorted(registry.shipped("corruptions"))
        self.names = [*(n for n in known if n in found), *(n for n in found if n not in known)]
        self.missing = [name for name in known if name not in found]
        self.labels = self._labels()
        if not self.names:
            raise DataError(
                f"{path}: holds no corruption; expected files like fog.npy beside labels"
            )
        self._arrays = {name: self._all(name) for name in self.names}

    def images(self, name: str, severity: int) -> np.ndarray:
        """The images of a kind and severity, memory-mapped uint8 (N, H, W, C).

        Raises:
            DataError: a kind that is not there, or a severity that is not 1 to 5.
        """
        if name not in self.names:
            raise DataError(f"{self.path}: holds no {name}.npy.{did_you_mean(name, self.names)}")
        if severity not in SEVERITIES:
            raise DataError(f"severity: expected 1 to 5, received {severity}")
        count = len(self.labels)
        return self._arrays[name][(severity - 1) * count : severity * count]

    def _labels(self) -> np.ndarray:
        labels = self._read(LABELS)
        count = len(labels) // len(SEVERITIES) if labels.ndim == 1 else 0
        repeated = np.tile(labels[:count], len(SEVERITIES))
        if not (
            np.issubdtype(labels.dtype, np.integer) and np.array_equal(labels, repeated) and count
        ):
            raise self._refusal(LABELS, "integers (5 N,), the same N five times", labels)
        return labels[:count].astype(np.int64)

    def _all(self, name: str) -> np.ndarray:
        images = self._read(name)
        rows = len(self.labels) * len(SEVERITIES)
        sound = images.ndim == 4 and len(images) == rows and images.shape[3] in (1, 3)
        if not sound or images.dtype != np.uint8:
            raise self._refusal(name, f"uint8 ({rows}, H, W, C), as there are labels", images)
        return images

    def _read(self, name: str) -> np.ndarray:
        file = self.path / f"{name}.npy"
        try:
            return np.asanyarray(np.load(file, mmap_mode="r", allow_pickle=False))
        except FileNotFoundError:
            raise DataError(
                f"{file}: no such file; expected a folder as CIFAR-10-C is published"
            ) from None
        except (OSError, ValueError, EOFError) as error:
            raise DataError(f"{file}: cannot be read as an array ({error})") from None

    def _refusal(self, name: str, expected: str, array: np.ndarray) -> DataError:
        received = f"{array.dtype} {array.shape}"
        return DataError(f"{self.path / name}.npy: expected {expected}, received {received}")
