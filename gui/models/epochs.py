"""The figures of a run's epochs as columns of numbers: long runs take little memory."""

from __future__ import annotations

import dataclasses
import math
import operator
from collections.abc import Iterable, Iterator, Sequence
from typing import overload

import numpy as np

from slr_keras.protocol.events import EpochEnded

NAMES = tuple(field.name for field in dataclasses.fields(EpochEnded))
_FIGURES = operator.attrgetter(*NAMES)
_ROW = {name: row for row, name in enumerate(NAMES)}
_FEW = 8  # epochs that there is room for at first


class Epochs(Sequence[EpochEnded]):
    """Finished epochs in order.

    It reads like a list of events, each made when it is asked for; what looks at a figure of all
    epochs takes its column. An epoch that is there already (a resumed run repeats it) replaces
    it and all that came after.

    Attributes:
        changes: how often it was changed: what was derived from it holds until then.
    """

    def __init__(self, events: Iterable[EpochEnded] = ()):
        self.changes = 0
        self._room = np.empty((len(NAMES), _FEW))
        self._count = 0
        for event in events:
            self.append(event)

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[EpochEnded]:
        return map(_event, self._figures.T.tolist())

    @overload
    def __getitem__(self, place: int) -> EpochEnded: ...
    @overload
    def __getitem__(self, place: slice) -> Epochs: ...
    def __getitem__(self, place: int | slice) -> EpochEnded | Epochs:
        if isinstance(place, slice):
            return self._part(place)
        return _event(self._figures[:, place].tolist())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and list(self) == list(other)

    __hash__ = None  # type: ignore[assignment]  # it changes

    @property
    def _figures(self) -> np.ndarray:
        return self._room[:, : self._count]

    def _part(self, place: slice) -> Epochs:
        """Some of them, which share their figures with these."""
        part = Epochs()
        part._room = self._figures[:, place]
        part._count = part._room.shape[1]
        return part

    def column(self, name: str) -> np.ndarray:
        """A figure of all epochs, NaN where there is none; it stays as it is when epochs end."""
        return self._figures[_ROW[name]]

    def after(self, epoch: int) -> Epochs:
        """Those that came after an epoch."""
        return self[int(np.searchsorted(self.column("epoch"), epoch, side="right")) :]

    def append(self, event: EpochEnded) -> None:
        """Add an epoch; raises OverflowError for a number that no figure can be."""
        self.add([_FIGURES(event)])

    def add(self, rows: Sequence[Sequence[float | None]]) -> None:
        """Add epochs, each as its figures in the order of ``NAMES``.

        Raises:
            OverflowError: a number that no figure can be; then none of them is added.
        """
        figures = np.array(rows, float).T  # None becomes NaN
        figures[~np.isfinite(figures)] = np.nan
        again = 1 + np.flatnonzero(np.diff(figures[0]) <= 0)
        for part in np.split(figures, again, axis=1) if len(again) else (figures,):
            self._put(part)

    def extend(self, epochs: Epochs) -> None:
        """Add those of another."""
        if epochs:
            self._put(epochs._figures)

    def clear(self) -> None:
        """Forget all."""
        self._room, self._count = np.empty((len(NAMES), _FEW)), 0
        self.changes += 1

    def _put(self, figures: np.ndarray) -> None:
        place = int(np.searchsorted(self.column("epoch"), figures[0, 0]))
        end = place + figures.shape[1]
        room = self._room.shape[1]
        if place < self._count or end > room:  # columns that were taken stay as they are
            grown = np.empty((len(NAMES), max(end, room if end <= room else room + room // 4)))
            grown[:, :place] = self._room[:, :place]
            self._room = grown
        self._room[:, place:end] = figures
        self._count = end
        self.changes += 1


def _event(figures: list[float]) -> EpochEnded:
    epoch, epochs, *others = figures
    return EpochEnded(
        int(epoch), int(epochs), *(None if math.isnan(one) else one for one in others)
    )
