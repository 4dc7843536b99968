"""What a diagnosis is, and what it sees of a run."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import ClassVar

from slr_keras.config import RunConfig
from slr_keras.evaluation.intervals import percent, wilson
from slr_keras.protocol.events import BatchEnded, EpochEnded
from slr_keras.settings.schema import Variant

__all__ = ["Diagnosis", "Facts", "Resisted", "Seen", "percent"]

USUAL_RATE = {"sgd": 0.1, "keras_sgd": 0.1}  # of the optimisers that are usual here
OTHER_RATE = 1e-3
FAR = 3.0  # times the usual rate that is called high


@dataclasses.dataclass(frozen=True)
class Facts:
    """What does not change in a run.

    Attributes:
        classes: number K of classes.
        values: of an image, H * W * C.
        steps_per_epoch: optimiser steps.
        train_samples: training images that are evaluated.
        val_samples: validation images that are evaluated; 0: there are none.
        largest_class: share of the largest class among these, what guessing one class gets.
    """

    classes: int
    values: int
    steps_per_epoch: int
    train_samples: int
    val_samples: int
    largest_class: float

    @property
    def uniform_loss(self) -> float:
        """``log K``: the cross-entropy of a network that knows nothing, in nats."""
        return math.log(self.classes)

    def at_chance(self, epoch: EpochEnded) -> bool:
        """Whether clean accuracy after an epoch is no better than guessing one class.

        By the lower end of its 95 % interval, on training and validation images alike.
        """
        pairs = (
            (epoch.train_accuracy, self.train_samples),
            (epoch.val_accuracy, self.val_samples),
        )
        measured = [(share, count) for share, count in pairs if share is not None and count]
        low = [wilson(share * count, count)[0] for share, count in measured]
        return bool(low) and max(low) <= self.largest_class


@dataclasses.dataclass(frozen=True)
class Resisted:
    """How many images resist the evaluation's PGD, and of those another kind of attack."""

    epoch: int
    samples: int
    pgd: int
    others: int
    attacks: str


@dataclasses.dataclass(frozen=True)
class Seen:
    """A run so far.

    Attributes:
        config: its settings.
        facts: what does not change.
        epochs: those that have ended, in order.
        running: the running means of the epoch that goes on; None between epochs.
        resisted: the latest look with attacks of another kind.
    """

    config: RunConfig
    facts: Facts
    epochs: Sequence[EpochEnded] = ()
    running: BatchEnded | None = None
    resisted: Resisted | None = None

    @property
    def evaluated(self) -> list[EpochEnded]:
        """The epochs after which accuracy was measured."""
        return [e for e in self.epochs if e.train_accuracy is not None]

    @property
    def last(self) -> EpochEnded | None:
        """The latest of all epochs."""
        return self.epochs[-1] if self.epochs else None

    @property
    def over(self) -> bool:
        """Whether the last epoch has ended."""
        return self.last is not None and self.last.epoch >= self.config.train.epochs

    @property
    def usual_rate(self) -> float:
        """The learning rate that the optimiser is usually given."""
        return USUAL_RATE.get(self.config.optimizer.name, OTHER_RATE)

    @property
    def high_rate(self) -> str:
        """A sentence on a learning rate far above the usual one; empty where it is not."""
        rate = self.config.optimizer.learning_rate
        if rate <= FAR * self.usual_rate:
            return ""
        return (
            f"optimizer.learning_rate {rate:g} is far above the usual {self.usual_rate:g}: try "
            f"--optimizer.learning_rate {self.usual_rate:g}, or --optimizer.clip_norm 1"
        )


@dataclasses.dataclass(frozen=True)
class Diagnosis(Variant):
    """One thing that can go wrong.

    Attributes:
        title: what it is, in a few words, for a card and a mark in a chart.
        by_epoch: the epoch by whose end it speaks at the latest where it is there from the start.
    """

    of_kind: ClassVar[str] = "diagnoses"
    gives: ClassVar[tuple[str, ...]] = ("look",)
    title: ClassVar[str] = ""
    by_epoch: ClassVar[int] = 1

    def look(self, seen: Seen) -> str | None:
        """What it says of the run so far; None while there is nothing to say.

        It is asked before the first epoch, now and then within epochs and after each, until it
        has spoken.
        """
        raise TypeError(f"{type(self).__name__} gives no look()")
