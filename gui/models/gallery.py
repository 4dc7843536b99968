"""The images that fell: read from the file that ``evaluate --save-adversarial`` writes."""

from __future__ import annotations

import dataclasses
import functools
import pathlib
import zipfile

import numpy as np

MOST = 200  # pictures at once


@dataclasses.dataclass(frozen=True)
class Fallen:
    """Adversarial images of an evaluation.

    Attributes:
        images: (N, H, W, C) float32 in [0, 1], those that were fooled in their adversarial form.
        labels: (N,) true classes.
        attacks: (N,) the name of the first attack that fooled the image; empty for none.
        problem: why the file cannot be used, a sentence; empty when it can.
    """

    images: np.ndarray
    labels: np.ndarray
    attacks: np.ndarray
    problem: str = ""

    def chosen(self, attack: str = "", label: int = -1) -> list[int]:
        """The numbers of fallen images, of one attack and one class if these are given."""
        fell = self.attacks != ""
        if attack:
            fell = self.attacks == attack
        if label >= 0:
            fell = fell & (self.labels == label)
        return [int(number) for number in np.flatnonzero(fell)]

    @property
    def names(self) -> list[str]:
        """The attacks that fooled an image, in order of how many."""
        found, counts = np.unique(self.attacks[self.attacks != ""], return_counts=True)
        return [str(found[place]) for place in np.argsort(-counts)]


NOTHING = Fallen(np.zeros((0, 1, 1, 1), "float32"), np.zeros(0, int), np.zeros(0, str))


def read(path: str) -> Fallen:
    """The images of a file; never raises."""
    try:
        date = pathlib.Path(path).stat().st_mtime_ns
    except OSError:
        return NOTHING
    return _read(path, date)


@functools.lru_cache(maxsize=2)
def _read(path: str, _date: int) -> Fallen:
    try:
        with np.load(path, allow_pickle=False) as file:
            images, labels, first = file["x_adv"], file["y"], file["attack"]
            names = np.array([*map(str, file["attacks"]), ""])
        if images.ndim != 4 or not len(images) == len(labels) == len(first):
            raise ValueError("its arrays do not belong together")
        return Fallen(images, labels, names[first])  # -1, no attack, is the empty name
    except (OSError, ValueError, KeyError, IndexError, EOFError, zipfile.BadZipFile) as error:
        return dataclasses.replace(NOTHING, problem=f"{path} cannot be read: {error}.")
