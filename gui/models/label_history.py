"""How a run's labels softened: its recorded histories, ranked by how far each label moved."""

from __future__ import annotations

import csv
import dataclasses
import io
import os
import pathlib
import zipfile
from collections.abc import Iterable

import numpy as np

from slr_keras.analyses.label_quality import precision_at_k

FOLDER = pathlib.Path("analysis", "label_history")
IMAGES = pathlib.Path("analysis", "images.npz")
NONE = (
    "No label history was recorded here. Record one with --analysis.record label_history, in "
    "the form under All settings, Analysis."
)
_BROKEN = (OSError, ValueError, KeyError, IndexError, EOFError, zipfile.BadZipFile)


@dataclasses.dataclass(frozen=True)
class History:
    """The rows of the label bank at each evaluation.

    Attributes:
        epochs: (E,) in ascending order.
        rows: (E, n, K) float16, what each label was softened to.
        index: (n,) places of the samples in the training set.
        given, true: (n,) class as training sees it, and before planted noise.
        images: (n, H, W, C) uint8; empty where none were kept.
        class_names: of the K classes.
    """

    epochs: np.ndarray
    rows: np.ndarray
    index: np.ndarray
    given: np.ndarray
    true: np.ndarray
    images: np.ndarray
    class_names: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.given)

    @property
    def p_given(self) -> np.ndarray:
        """(E, n) probability that is left to the given class."""
        return self.rows[:, np.arange(len(self)), self.given].astype("float32")

    @property
    def suspicion(self) -> np.ndarray:
        """(n,) how far each label has moved from the given one: ``1 - T_iy`` at the end."""
        return 1 - self.p_given[-1]

    @property
    def ranking(self) -> np.ndarray:
        """The samples, the most suspected first."""
        return np.argsort(-self.suspicion, kind="stable")

    @property
    def suggested(self) -> np.ndarray:
        """(n,) the largest class other than the given one at the end."""
        last = self.rows[-1].astype("float32")
        last[np.arange(len(self)), self.given] = -1
        return np.asarray(last.argmax(-1))

    @property
    def cartography(self) -> tuple[np.ndarray, np.ndarray]:
        """(n,) mean and standard deviation over the epochs of the given class's probability.

        Swayamdipta et al. 2020 (Dataset Cartography, EMNLP), of the soft labels.
        """
        p = self.p_given
        return p.mean(0), p.std(0)

    @property
    def softening(self) -> np.ndarray:
        """(K, K) the mean refined distribution of the samples of each given class; NaN of none."""
        last, classes = self.rows[-1].astype("float32"), self.rows.shape[-1]
        table = np.full((classes, classes), np.nan, "float32")
        for given in np.unique(self.given):
            table[given] = last[self.given == given].mean(0)
        return table

    @property
    def wrong(self) -> np.ndarray:
        """(n,) bool: planted noise changed the label."""
        return np.asarray(self.given != self.true)

    def self_test(self) -> str:
        """How good the ranking is where noise was planted; what is missing where it was not."""
        wrong = self.wrong
        if not wrong.any() or wrong.all():
            return (
                "No label noise was planted, so how good this ranking is has not been measured: "
                "train with --data.label_noise 0.05 to see."
            )
        share = precision_at_k(self.suspicion, wrong)
        return (
            f"Self-test: of the {int(wrong.sum())} most suspected, {100 * share:.0f} % have a "
            f"label that was changed on purpose ({100 * wrong.mean():.0f} % of all have)."
        )

    def name(self, label: int) -> str:
        """Of a class."""
        return self.class_names[label] if label < len(self.class_names) else str(label)


def has_history(folder: pathlib.Path) -> bool:
    """Whether a run has recorded one."""
    if not os.path.isdir(os.path.join(folder, FOLDER)):  # thousands of runs: pathlib is slow
        return False
    try:
        return any((folder / FOLDER).glob("*.npz"))
    except OSError:
        return False


def read(folder: pathlib.Path) -> tuple[History | None, str]:
    """The history of a run, and why it cannot be shown, or not whole; never raises."""
    files = sorted((folder / FOLDER).glob("*.npz")) if has_history(folder) else []
    parts, problem = [], ""
    for path in files:
        try:
            with np.load(path, allow_pickle=False) as file:
                parts.append(
                    (int(path.stem), *(file[n] for n in ("rows", "index", "given", "true")))
                )
        except _BROKEN as error:
            problem = f"{path.name} cannot be read and is left out: {error}."
    if not parts:
        return None, problem or NONE
    _, _, index, given, true = parts[-1]
    same = [part for part in parts if part[1].shape == parts[-1][1].shape]
    images, names = _images(folder / IMAGES, len(index))
    epochs, rows = np.array([part[0] for part in same]), np.stack([part[1] for part in same])
    return History(epochs, rows, index, given, true, images, names), problem


def _images(path: pathlib.Path, count: int) -> tuple[np.ndarray, tuple[str, ...]]:
    try:
        with np.load(path, allow_pickle=False) as file:
            images, names = file["images"], tuple(map(str, file["class_names"]))
    except _BROKEN:
        return np.zeros((0, 1, 1, 1), "uint8"), ()
    return (images if len(images) == count else images[:0]), names


def marks_csv(history: History, marked: Iterable[int]) -> str:
    """Marked samples as a table: place in the training set, classes, suspicion."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["index", "given", "suggested", "suspicion"])
    suggested, suspicion = history.suggested, history.suspicion
    for sample in sorted(marked):
        words = history.name(int(history.given[sample])), history.name(int(suggested[sample]))
        writer.writerow([int(history.index[sample]), *words, f"{suspicion[sample]:.4f}"])
    return text.getvalue()
