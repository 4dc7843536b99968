"""What the charts draw: the series of a run and its loss within epochs, thinned for the screen."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np

from slr_keras.analysis import onset
from slr_keras.evaluation.intervals import wilson_bounds
from slr_keras.protocol.events import BatchEnded, EpochEnded

from .epochs import Epochs

MEASURED = (
    "val_robust_accuracy",
    "train_robust_accuracy",
    "val_accuracy",
    "train_accuracy",
    "label_entropy",
    "label_agreement",
    "loss",
    "learning_rate",
)
GAP = "robust_gap"
_MOST_IMAGES = 20_000
_MOST_KEPT = 100


class RunCurves:
    """The series of one run, by epoch; grows as epochs end.

    Args:
        epochs: what has ended so far.
        samples: validation images per evaluation; 0 when not known. It is checked against the
            accuracies, which must be whole numbers of images: a small validation set has fewer.
        start_epoch: where label refinement sets in, if the method does.
    """

    def __init__(
        self, epochs: Iterable[EpochEnded] = (), samples: int = 0, start_epoch: int | None = None
    ):
        self.start_epoch = start_epoch
        self.wanted = samples
        self._ended = Epochs()
        self._images = 0
        self._memory: dict[Any, Any] = {}
        self.extend(epochs)

    def __len__(self) -> int:
        return len(self._ended)

    def append(self, event: EpochEnded) -> None:
        """Add an epoch; one that was there already replaces it and all that came after."""
        self.extend([event])

    def extend(self, epochs: Iterable[EpochEnded]) -> None:
        """Add epochs."""
        gained = epochs if isinstance(epochs, Epochs) else Epochs(epochs)
        if gained:
            self._memory.clear()
            self._images = self._images if gained[0].epoch > self.last_epoch else 0
            self._ended.extend(gained)

    @property
    def epochs(self) -> np.ndarray:
        """The epoch numbers."""
        return self._ended.column("epoch")

    @property
    def last_epoch(self) -> int:
        """0 before the first."""
        return int(self.epochs[-1]) if len(self) else 0

    def series(self, key: str) -> np.ndarray:
        """One value per epoch, NaN where it was not measured."""
        if key == GAP:
            return self.series("train_robust_accuracy") - self.series("val_robust_accuracy")
        return self._ended.column(key)

    def points(
        self,
        key: str,
        most: int = 0,
        between: tuple[float, float] | None = None,
        smooth: int = 1,
        scale: float = 1.0,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Measured points of a series; those between epochs without evaluation are joined.

        The same arrays come back until the run grows, so that what is drawn already is known.

        Args:
            key: of :data:`MEASURED`, or :data:`GAP`.
            most: thin to about so many points, 0 for all.
            between: the epochs on screen; one point beyond either side is kept.
            smooth: mean over so many points, this and earlier ones.
            scale: factor of the values.
        """
        x, y = self._measured(key, smooth)
        part = _part(x, between)
        memory = ("points", key, most, part.start, part.stop, smooth, scale)
        if memory not in self._memory:
            if len(self._memory) > _MOST_KEPT:  # zooming makes new ones all the time
                self._memory.clear()
            x, y = thin(x[part], y[part], most or len(x))
            self._memory[memory] = x, y if scale == 1 else scale * y
        return self._memory[memory]  # type: ignore[no-any-return]

    def _measured(self, key: str, smooth: int) -> tuple[np.ndarray, np.ndarray]:
        memory = ("measured", key, smooth)
        if memory not in self._memory:
            x, y = self.epochs, self.series(key)
            measured = np.isfinite(y)
            if not measured.all():
                x, y = x[measured], y[measured]
            self._memory[memory] = x, _mean_of_last(y, smooth) if smooth > 1 else y
        return self._memory[memory]  # type: ignore[no-any-return]

    def limits(self, key: str) -> tuple[float, float] | None:
        """Lowest and highest value; None without any."""
        if ("limits", key) not in self._memory:
            y = self.points(key)[1]
            found = (float(y.min()), float(y.max())) if len(y) else None
            self._memory["limits", key] = found
        return self._memory["limits", key]  # type: ignore[no-any-return]

    def at(self, epoch: int) -> dict[str, float | None]:
        """All values of one epoch; None where not measured."""
        row = int(np.searchsorted(self.epochs, epoch))
        if row >= len(self) or self.epochs[row] != epoch:
            return dict.fromkeys((*MEASURED, GAP))
        return {key: _or_none(self.series(key)[row]) for key in (*MEASURED, GAP)}

    @property
    def evaluated(self) -> np.ndarray:
        """Epochs with an evaluation; all of them where there was none."""
        rated = np.isfinite([self.series(key) for key in MEASURED[:4]]).any(axis=0)
        return self.epochs[rated] if rated.any() else self.epochs

    def nearest(self, epoch: float) -> int | None:
        """The nearest epoch with an evaluation; None without epochs."""
        among = self.evaluated
        return int(among[np.argmin(np.abs(among - epoch))]) if len(among) else None

    def neighbour(self, epoch: int, by: int) -> int:
        """The next epoch with an evaluation (``by`` 1) or the one before (-1), as far as any."""
        among = self.evaluated
        place = int(np.searchsorted(among, epoch)) + by
        return int(among[min(max(place, 0), len(among) - 1)])

    @property
    def best(self) -> tuple[int, float] | None:
        """Epoch and value of the best robust validation accuracy, the earliest of equals."""
        x, y = self.points("val_robust_accuracy")
        return (int(x[np.argmax(y)]), float(y.max())) if len(y) else None

    @property
    def samples(self) -> int:
        """Validation images per evaluation, as far as the accuracies tell; 0 when unknown."""
        if ("samples", self.wanted) not in self._memory:
            rated = np.append(self.series("val_accuracy"), self.series("val_robust_accuracy"))
            shares = rated[np.isfinite(rated)]
            self._images = images_behind(shares, self.wanted, self._images)
            self._memory["samples", self.wanted] = True
        return self._images

    def band(self, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
        """The 95 % interval around accuracies; None when the number of images is unknown."""
        return wilson_bounds(y, self.samples) if self.samples and len(x) else None

    @property
    def onset(self) -> onset.Onset:
        """What the overfitting detector says."""
        key = "onset", self.samples
        if key not in self._memory:
            series = (self.series("val_robust_accuracy"), self.series("train_robust_accuracy"))
            self._memory[key] = onset.detect(self.epochs, *series, self.samples or 500)
        return self._memory[key]  # type: ignore[no-any-return]

    @property
    def drops(self) -> list[tuple[int, float]]:
        """Epochs from which the learning rate is lower after it stood still, and the new rate.

        A schedule that falls every epoch has none.
        """
        rate = self.series("learning_rate")
        if len(rate) < 3:
            return []
        still = np.isclose(rate[1:-1], rate[:-2], rtol=1e-6)
        fell = rate[2:] < 0.9 * rate[1:-1]
        found = np.flatnonzero(still & fell) + 2
        return [(int(self.epochs[row]), float(rate[row])) for row in found]


class BatchCurve:
    """Loss within the epochs, in bounded memory: when it is full, every second point goes."""

    def __init__(self, most: int = 4000):
        self._room = np.empty((2, most))
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def append(self, event: BatchEnded) -> None:
        """Add a batch; one that was there already replaces it and all that came after."""
        if event.loss is None:
            return
        x = event.epoch - 1 + event.batch / max(1, event.batches)
        while self._count and self._room[0, self._count - 1] >= x:
            self._count -= 1
        if self._count == self._room.shape[1]:
            kept = self._room[:, ::2]
            self._count = kept.shape[1]
            self._room[:, : self._count] = kept
        self._room[:, self._count] = x, event.loss
        self._count += 1

    def points(self, most: int = 0) -> tuple[np.ndarray, np.ndarray]:
        """Epochs (with fractions) and loss."""
        x, y = self._room[:, : self._count].copy()
        return thin(x, y, most) if most else (x, y)

    def clear(self) -> None:
        """Forget all."""
        self._count = 0


def thin(x: np.ndarray, y: np.ndarray, most: int) -> tuple[np.ndarray, np.ndarray]:
    """At most about ``most`` points that keep the look: of each stretch its lowest and highest.

    The first and the last point stay, and no peak is lost.
    """
    if len(x) <= max(4, most):
        return x, y
    length = math.ceil(2 * (len(x) - 2) / max(2, most - 2))
    whole = (len(x) - 2) // length
    end = 1 + whole * length
    stretches = y[1:end].reshape(whole, length)
    starts = 1 + length * np.arange(whole)
    kept = [np.array([0, len(x) - 1]), starts + stretches.argmin(1), starts + stretches.argmax(1)]
    if end < len(x) - 1:  # what is left of the last stretch
        rest = y[end:-1]
        kept.append(end + np.array([rest.argmin(), rest.argmax()]))
    rows = np.unique(np.concatenate(kept))
    return x[rows], y[rows]


def _part(x: np.ndarray, between: tuple[float, float] | None) -> slice:
    """The points between two epochs, and the next one on either side."""
    if between is None:
        return slice(0, len(x))
    first = int(np.searchsorted(x, between[0])) - 1
    last = int(np.searchsorted(x, between[1], side="right")) + 1
    return slice(max(0, first), min(len(x), last))


def images_behind(shares: np.ndarray, wanted: int, at_least: int = 0) -> int:
    """How many images shares were measured on, if each is a whole number of images.

    Args:
        shares: measured shares in [0, 1].
        wanted: how many were asked for; the answer when it fits, 0 for unknown.
        at_least: what fewer of these shares gave; more of them never need fewer images.
    """
    values = np.unique(np.round(shares, 9))
    if not len(values) or (wanted and _whole(values, wanted)):
        return wanted
    for count in range(max(2, at_least), min(wanted or _MOST_IMAGES, _MOST_IMAGES) + 1):
        if _whole(values, count):
            return count
    return wanted


def _whole(shares: np.ndarray, count: int) -> bool:
    images = shares * count
    return bool(np.all(np.abs(images - np.round(images)) < 1e-4))


def _mean_of_last(y: np.ndarray, window: int) -> np.ndarray:
    total = np.concatenate([[0.0], np.cumsum(y)])
    end = np.arange(1, len(y) + 1)
    start = np.maximum(end - window, 0)
    return (total[end] - total[start]) / (end - start)


def _or_none(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
