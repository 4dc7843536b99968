"""What an evaluation has found so far, and the files it is kept in until it is complete."""

from __future__ import annotations

import dataclasses
import io
import json
import pathlib
import time
import zipfile
from collections.abc import Callable
from typing import Any

import numpy as np

from slr_keras import texts
from slr_keras.run_folder import write_atomically

FORMAT = 2
PATIENCE = 2.0  # seconds between two times that it is written, at least
SHARE = 20  # writing takes a twentieth of the time, at most
Kept = dict[str, np.ndarray]


@dataclasses.dataclass(frozen=True)
class Tally:
    """For each of S steps and N images what came out; nothing in it changes afterwards.

    Attributes:
        clean: (N,) int8: 1 classified correctly, 0 not, -1 not looked at yet.
        fooled: (S, N) int8: 1 fooled, 0 not, -1 not attacked (yet). Under a natural change 1 is
            misclassified; where a certificate was asked for, 1 is a wrong class and 2 none.
        value: (S, N) float32: of an attack that looks for the nearest adversarial image its
            distance, infinite where there is none; of a certificate its radius; of clean and of
            naturally changed images the probability of the predicted class; NaN elsewhere.
        seconds: (S,) spent.
        outside, unsound: (S,) adversarials that were refused, and that gave logits not finite.
        adversarial: images, those attacked first with success in their place; None: not kept.
        going: how the portion of images that is under attack stands.
    """

    clean: np.ndarray
    fooled: np.ndarray
    value: np.ndarray
    seconds: np.ndarray
    outside: np.ndarray
    unsound: np.ndarray
    adversarial: np.ndarray | None = None
    going: Kept = dataclasses.field(default_factory=dict)

    @classmethod
    def empty(cls, steps: int, images: int) -> Tally:
        """Nothing found yet."""
        none, clean = (np.full(shape, -1, "int8") for shape in ((steps, images), images))
        zero, value = np.zeros(steps, "int64"), np.full((steps, images), np.nan, "float32")
        return cls(clean, none, value, np.zeros(steps), outside=zero, unsound=zero)

    def replace(self, **changes: Any) -> Tally:
        """A copy with some fields changed."""
        return dataclasses.replace(self, **changes)

    def arrays(self) -> Kept:
        """All of it as arrays by name."""
        names = ("clean", "fooled", "value", "seconds", "outside", "unsound")
        found = {name: getattr(self, name) for name in names}
        if self.adversarial is not None:
            found["adversarial"] = self.adversarial
        return found | {f"going.{key}": value for key, value in self.going.items()}

    @classmethod
    def of(cls, arrays: Kept) -> Tally:
        """The inverse of :meth:`arrays`."""
        prefix = "going."
        going = {k.removeprefix(prefix): v for k, v in arrays.items() if k.startswith(prefix)}
        rest = {k: v for k, v in arrays.items() if not k.startswith(prefix)}
        return cls(**rest, going=going)


class Store:
    """``evaluation.partial.npz`` beside the result.

    Args:
        path: of the result, ``evaluation.json``.
        digest: of model, data and settings: what is kept counts only for the same.
        warn: told once when the disk refuses it; the evaluation goes on.
    """

    def __init__(self, path: pathlib.Path, digest: str, warn: Callable[[str], None]):
        self.path = path.with_name(f"{path.stem}.partial.npz")
        self.digest, self.warn = digest, warn
        self._next, self._refused = 0.0, False

    def load(self) -> Tally | None:
        """What is kept; None if there is nothing, or nothing that fits (which is said)."""
        if not self.path.exists():
            return None
        try:
            with np.load(self.path) as file:
                arrays = dict(file)
            head = texts.from_json(str(arrays.pop("head")))
            if head != {"format": FORMAT, "digest": self.digest}:
                self.warn(
                    f"{self.path} is of another model, other data or other settings: "
                    "the evaluation begins anew"
                )
                return None
            return Tally.of(arrays)
        except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile):
            self.warn(f"{self.path} is damaged: the evaluation begins anew")
            return None

    def save(self, tally: Tally, now: bool = False) -> None:
        """Write it if it is time, or ``now``."""
        begun = time.monotonic()
        if begun < self._next and not now:
            return
        head = json.dumps({"format": FORMAT, "digest": self.digest})
        buffer = io.BytesIO()
        np.savez(buffer, head=head, **tally.arrays())  # type: ignore[arg-type]
        try:
            write_atomically(self.path, buffer.getvalue())
        except OSError as error:
            if not self._refused:
                self.warn(
                    f"cannot write {self.path}: {error.strerror}. The evaluation goes on, "
                    "but cannot be resumed from here"
                )
            self._refused = True
        ended = time.monotonic()
        self._next = ended + max(PATIENCE, SHARE * (ended - begun))

    def remove(self) -> None:
        """The evaluation is complete."""
        self.path.unlink(missing_ok=True)
