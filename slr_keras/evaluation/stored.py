"""Naturally changed images that lie on a disk, in the place of those that are made."""

from __future__ import annotations

import dataclasses
import pathlib
from typing import TYPE_CHECKING, Any

import numpy as np

from slr_keras.errors import DataError
from slr_keras.evaluation.specs import Step

if TYPE_CHECKING:
    from slr_keras.corruptions._on_disk import OnDisk


@dataclasses.dataclass(frozen=True)
class Stored:
    """A kind and severity of a folder in CIFAR-10-C's format; takes the place of a corruption.

    Attributes:
        name, group, severity: those of the corruption.
        folder: where the images are; they have labels of their own, in their own order.
    """

    name: str
    group: str
    severity: int
    folder: OnDisk = dataclasses.field(compare=False)

    @property
    def labels(self) -> np.ndarray:
        """(n,) the folder's."""
        return self.folder.labels

    def apply(self, images: Any, numbers: np.ndarray, seed: int = 0) -> np.ndarray:
        """The changed images of these numbers, whatever ``images`` are."""
        return np.asarray(self.folder.images(self.name, self.severity)[numbers])

    def described(self) -> dict[str, Any]:
        """What a row says of it."""
        return {"name": self.name, "severity": self.severity, "folder": self.folder.path.name}


def from_folder(steps: list[Step], path: pathlib.Path) -> list[Step]:
    """Steps whose corruptions are taken from a folder; those of kinds that it lacks are left out.

    Raises:
        DataError: no such folder, or one in another format.
    """
    from slr_keras.corruptions._on_disk import OnDisk

    folder, found = OnDisk(path), []
    for step in steps:
        change = step.corruption
        if change is None:
            found.append(step)
        elif change.name in folder.names:
            own = Stored(change.name, change.group, change.severity, folder)
            found.append(dataclasses.replace(step, corruption=own))
    return found


def check_fit(step: Step, x: np.ndarray, classes: int) -> None:
    """Raise :class:`DataError` unless stored images are as many as ``x`` and fit the model."""
    change = step.corruption
    if not isinstance(change, Stored):
        return
    images, highest = change.folder.images(change.name, change.severity), change.labels.max()
    where = f"{change.folder.path}: {change.name}.npy"
    if images.shape[1:] != x.shape[1:]:
        raise DataError(f"{where} holds images {images.shape[1:]}, the model takes {x.shape[1:]}")
    if len(images) < len(x):
        raise DataError(
            f"{where} holds {len(images)} images of a severity, {len(x)} are asked for: "
            f"add --num-samples {len(images)}"
        )
    if highest >= classes:
        raise DataError(f"{where}: labels up to {highest}, the model has {classes} classes")
