"""What a source is, and what it hands over."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, ClassVar

from slr_keras.settings.schema import Variant

if TYPE_CHECKING:
    import numpy as np

    from slr_keras.data._settings import DataSettings
    from slr_keras.data._stream import Images


@dataclasses.dataclass(frozen=True, eq=False)
class Splits:
    """Images and labels as a source read them; checked afterwards, in one place.

    A split is a pair: images (N, H, W, C) or (N, H, W), labels (N,) or (N, 1). Test and
    validation may be None: they are then cut from training.

    Attributes:
        class_names: in the order of the labels; None means ``"0"``, ``"1"``, ...
        notes: sentences that the user should read, for instance where the test split is from.
    """

    x_train: Images
    y_train: np.ndarray
    x_val: Images | None = None
    y_val: np.ndarray | None = None
    x_test: Images | None = None
    y_test: np.ndarray | None = None
    class_names: tuple[str, ...] | None = None
    notes: tuple[str, ...] = ()

    def replace(self, **changes: Any) -> Splits:
        """A copy with some fields changed."""
        return dataclasses.replace(self, **changes)

    def noted(self, note: str) -> Splits:
        """A copy with one more note."""
        return self.replace(notes=(*self.notes, note))


class Source(Variant):
    """Base of every source: a file in this folder with a named, frozen subclass.

    Sources are asked in the order of ``rank``; the first that matches reads the data. A module
    that holds a source imports numpy and whatever it needs inside its functions.

    Example:
        >>> @dataclasses.dataclass(frozen=True)
        ... class Mine(Source):
        ...     name = "mine"
        ...     @staticmethod
        ...     def load(settings):
        ...         return Splits(x_train, y_train)
    """

    of_kind: ClassVar[str] = "data"
    gives: ClassVar[tuple[str, ...]] = ("load",)
    rank: ClassVar[int] = 0

    @classmethod
    def matches(cls, name: str) -> bool:
        """Whether this source reads ``data.name = name``; by default its own name only."""
        return name == cls.name

    @staticmethod
    def load(settings: DataSettings) -> Splits:
        """Read ``settings.name``; raises :class:`~slr_keras.errors.DataError`.

        What is large is better handed over as ``_stream.Streamed``: it is loaded afterwards, as
        far as it is used, or stays where it is, as ``settings.stream`` says.
        """
        raise NotImplementedError
