"""The rows of an evaluation's table, finished or going on; natural changes are one of them."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from slr_keras.evaluation.intervals import wilson
from slr_keras.evaluation.specs import is_change
from slr_keras.protocol import events

from .asked import CORRUPTIONS
from .evaluated import CLEAN, Evaluated
from .measured import Distance

CERTIFIED = "certified"  # how the names of certificates begin


@dataclasses.dataclass(frozen=True)
class Row:
    """One attack of an evaluation; figures are None until they are known.

    Attributes:
        robust: images that it left robust; None of natural changes, which leave none so.
        share: how much of it is done, 0 before it begins.
        parts: (those that are done, all) of natural changes while they go on.
    """

    attack: str
    accuracy: float | None = None
    interval: tuple[float, float] | None = None
    robust: int | None = None
    samples: int = 0
    share: float = 0.0
    seconds: float | None = None
    distance: Distance | None = None
    parts: tuple[int, int] | None = None


@dataclasses.dataclass
class Live:
    """The evaluation that goes on: what it works on, and its rows so far."""

    target: str
    which: str
    rows: dict[str, Row] = dataclasses.field(default_factory=dict)

    @classmethod
    def of(cls, event: events.EvaluationStarted) -> Live:
        """Nothing is known of any row yet."""
        rows = {name: Row(name, samples=event.samples) for name in event.attacks}
        return cls(event.target, event.which or "", rows)

    def take(self, event: events.EvaluationProgress) -> None:
        """A row gets on, or is done; before the first attack all that are correct are robust."""
        clean = self.rows.get(CLEAN)
        attacks = is_attack(event.attack)
        if attacks and clean is not None and clean.accuracy is None and not event.share:
            self.rows[CLEAN] = _done(CLEAN, event.robust, event.samples)
        if event.done:
            self.rows[event.attack] = _done(event.attack, event.robust, event.samples)
            return
        share = event.share or 1e-3  # it has begun
        self.rows[event.attack] = Row(
            event.attack, robust=event.robust, samples=event.samples, share=share
        )

    def shown(self) -> list[Row]:
        """Its rows, the natural changes as one."""
        return folded(self.rows.values())


def of_evaluation(found: Evaluated) -> list[Row]:
    """The rows of a finished one, the natural changes as one."""
    distances = found.measured.distances
    return folded(_row(row, distances) for row in found.content.get("results", ()))


def is_attack(name: str) -> bool:
    """Whether what is measured is neither a natural change nor a certificate."""
    return not is_change(name) and not name.startswith(CERTIFIED)


def folded(rows: Iterable[Row]) -> list[Row]:
    """The rows with those of natural changes in the place of the first of them, as their mean."""
    found = list(rows)
    changes = [row for row in found if is_change(row.attack)]
    mean = next((row for row in found if row.attack == CORRUPTIONS), None)
    if not changes:
        return found
    one = mean or (_mean(changes) if len(changes) > 1 else changes[0])
    one = dataclasses.replace(one, robust=None)
    first = found.index(changes[0])
    before, after = found[:first], [row for row in found[first:] if row is not mean]
    return [*before, one, *(row for row in after if not is_change(row.attack))]


def _mean(changes: Sequence[Row]) -> Row:
    known = [row.accuracy for row in changes if row.accuracy is not None]
    whole = len(known) == len(changes)
    seconds = [row.seconds for row in changes if row.seconds is not None]
    return Row(
        CORRUPTIONS,
        sum(known) / len(known) if whole else None,
        samples=changes[0].samples,
        share=sum(row.share for row in changes) / len(changes),
        seconds=sum(seconds) if seconds else None,
        parts=None if whole else (len(known), len(changes)),
    )


def _done(attack: str, robust: int, samples: int) -> Row:
    bounds = wilson(robust, samples)
    return Row(attack, robust / max(1, samples), bounds, robust, samples, 1.0)


def _row(row: Mapping[str, Any], distances: Mapping[str, Distance]) -> Row:
    samples = int(row.get("samples") or 0)
    interval = row.get("interval")
    name = str(row["attack"])
    return Row(
        name,
        float(row["accuracy"]),
        (interval[0], interval[1]) if interval else None,
        round(row["accuracy"] * samples),
        samples,
        1.0,
        row.get("seconds"),
        distances.get(name),
    )
