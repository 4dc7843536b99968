"""The figures of a shelf's index, measured once more."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np

from slr_keras import config as configs
from slr_keras import data
from slr_keras.errors import UserError
from slr_keras.evaluation import suite
from slr_keras.evaluation.inputs import usable
from slr_keras.evaluation.measurement import Measurement, Progress
from slr_keras.evaluation.specs import CLEAN, Step, is_part
from slr_keras.settings import registry
from slr_keras.shelves._index import Entry

SPLITS = ("test", "val", "train")


@dataclasses.dataclass(frozen=True)
class Compared:
    """A figure of the index and what it is now.

    Attributes:
        now: None where it was not measured again.

    Example:
        >>> Compared("clean", 0.5, (0.4, 0.6), 100, 0.52).says
        '+2.0 points (2 of 100 images)'
        >>> Compared("clean", 0.5, (0.4, 0.6), 100, 0.5).says
        'as recorded'
    """

    attack: str
    recorded: float
    interval: tuple[float, float]
    samples: int
    now: float | None

    @property
    def off(self) -> int:
        """So many images more are classified correctly than was recorded."""
        return 0 if self.now is None else round((self.now - self.recorded) * self.samples)

    @property
    def holds(self) -> bool:
        """Whether it is inside the recorded 95 % interval, or was not measured."""
        return self.now is None or self.interval[0] <= self.now <= self.interval[1]

    @property
    def says(self) -> str:
        """In words."""
        if self.now is None:
            return "not measured again"
        if not self.off:
            return "as recorded"
        where = "" if self.holds else ", outside the interval"
        points = 100 * (self.now - self.recorded)
        return f"{points:+.1f} points ({abs(self.off)} of {self.samples} images{where})"


def images_of(entry: Entry, config: configs.RunConfig) -> tuple[np.ndarray, np.ndarray]:
    """Images and labels that the figures were measured on.

    Raises:
        DataError: the data are not there.
        UserError: they are other ones.
    """
    split, count = entry.measured.get("split"), entry.measured.get("samples")
    if split not in SPLITS or type(count) is not int or count < 1:
        raise UserError(f"{entry.name}: the index does not say what its figures rest on")
    loaded = data.load(config.data, config.seed, read=False)
    x, y = (getattr(loaded, f"{letter}_{split}")[:count] for letter in "xy")
    x = data.read_images(x, config.data)
    recorded = entry.measured.get("data_digest")
    if len(y) != count or recorded not in (None, suite.data_digest(x, y)):
        raise UserError(
            f"{entry.name} was measured on {count} {split} images of {entry.data}; those at hand "
            "are other ones"
        )
    return x, y


def measure(
    entry: Entry,
    net: Any,
    x: np.ndarray,
    y: np.ndarray,
    on_progress: Callable[[Progress], None] = lambda _: None,
) -> list[Compared]:
    """Each figure that an attack of this package gave, measured on the same images and seeds.

    Raises:
        UserError: images or labels do not fit the network.
    """
    x, y = usable(net, x, y)
    steps = [step for row in entry.figures if (step := _step(row))]
    measured = Measurement(
        net,
        x,
        y,
        steps,
        seed=int(entry.measured.get("seed", 0)),
        batch_size=int(entry.measured.get("batch_size", 250)),
        on_progress=on_progress,
    )
    measured.run()
    now = {row.attack: row.accuracy for row in suite.rows_of(measured)}
    return [_compared(row, now.get(row["attack"])) for row in entry.figures]


def _compared(row: dict[str, Any], now: float | None) -> Compared:
    low, high = row["interval"]
    return Compared(row["attack"], row["accuracy"], (low, high), row["samples"], now)


def _step(row: dict[str, Any]) -> Step | None:
    """The step that gave a row; None for the total of a suite and what is no attack on it."""
    attack, settings = row["attack"], row["settings"]
    if attack == CLEAN:
        return Step(CLEAN)
    if "name" not in settings or "source" in settings:
        return None
    try:
        made = registry.restore("attacks", settings)
    except (UserError, TypeError):
        return None
    return Step(attack, made, suite=attack.partition(": ")[0] if is_part(attack) else "")
