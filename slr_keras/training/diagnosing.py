"""Asks the diagnoses about a run, and looks for masked gradients in it."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Protocol

import numpy as np

from slr_keras import config
from slr_keras.attacks._base import Attack
from slr_keras.attacks.pgd import PGD
from slr_keras.diagnoses._base import Diagnosis, Facts, Resisted, Seen
from slr_keras.evaluation.runner import Evaluator
from slr_keras.evaluation.specs import Ball, make_attack
from slr_keras.protocol import events
from slr_keras.run_folder import RunFolder
from slr_keras.settings import registry

SHARE = 0.03  # of the time that has passed, for looking at masked gradients
FIRST = 200.0  # seconds of training before the first look, which compiles two attacks
FEW_CLASSES = 3  # for which the loss of APGD-T is not defined
QUERIES, STEPS = 100, 20


class _Run(Protocol):
    """What is asked of a run."""

    config: config.RunConfig
    folder: RunFolder
    model: Any
    data: Any
    batches: Any
    evaluator: Evaluator

    def emit(self, event: events.Event) -> None: ...
    def evaluation_attack(self, steps: int) -> PGD: ...
    def chosen(self, x: Any, samples: int) -> np.ndarray: ...


class Diagnosing:
    """What is seen of a run, and who has not spoken yet.

    Args:
        run: its model and data are there.
    """

    def __init__(self, run: _Run):
        self.run = run
        self.facts = _facts(run)
        self.epochs: list[events.EpochEnded] = []
        self.quiet: list[Diagnosis] = [cls() for cls in registry.variants("diagnoses").values()]
        self.resisted: Resisted | None = None
        self.others: dict[str, Evaluator] = {}
        self.cost = 0.0  # seconds of the last look for masked gradients

    def restore(self) -> None:
        """What a run that goes on has seen and told."""
        self.epochs = self.run.folder.epochs()
        told = {event.diagnosis for event in self.run.folder.diagnoses()}
        self.quiet = [one for one in self.quiet if one.name not in told]

    def look(self, running: events.BatchEnded | None = None) -> None:
        """Ask all that have not spoken."""
        seen = Seen(self.run.config, self.facts, self.epochs, running, self.resisted)
        number = running.epoch if running else (self.epochs[-1].epoch if self.epochs else 0)
        for one in list(self.quiet):
            said = one.look(seen)
            if said:
                self.quiet.remove(one)
                self.run.emit(events.Diagnosed(said, one.name, one.title, number))

    def end_epoch(self, event: events.EpochEnded, seconds: float) -> None:
        """After an epoch, ``seconds`` of training into the run."""
        self.epochs.append(event)
        every = self.run.config.eval.masking_every
        if every and event.epoch % every == 0 and self.facts.val_samples:
            self._look_behind_masks(event.epoch, seconds)
        self.look()

    @property
    def learned(self) -> bool:
        """Whether the network was better than chance after any epoch."""
        measured = [e for e in self.epochs if e.train_accuracy is not None]
        return not measured or not all(map(self.facts.at_chance, measured))

    def at_chance(self, event: events.EpochEnded) -> bool:
        """Whether the network has learned nothing by this epoch."""
        return self.facts.at_chance(event)

    # -- masked gradients ---------------------------------------------------------------------

    def _look_behind_masks(self, epoch: int, seconds: float) -> None:
        if self.cost > SHARE * seconds or (not self.cost and seconds < FIRST):
            return
        begun, run = time.monotonic(), self.run
        index = run.chosen(run.data.x_val, run.config.eval.masking_samples)
        x, y = run.data.x_val[index], run.data.y_val[index]
        pgd = _resist(run.evaluator, x, y)
        left = pgd.copy()
        for evaluator in self._others().values():
            left &= _resist(evaluator, x, y)
        counts = len(y), int(pgd.sum()), int(left.sum())
        self.resisted = Resisted(epoch, *counts, " and ".join(self.others))
        self.cost = time.monotonic() - begun

    def _others(self) -> dict[str, Evaluator]:
        """Attacks of another kind, in the ball of training."""
        if not self.others:
            like, few = self.run.evaluation_attack(1), self.facts.classes <= FEW_CLASSES
            ball = Ball(like.norm, like.eps)
            gradient: Attack = make_attack("apgd-ce" if few else "apgd-t", ball)
            changes: dict[str, Any] = {"steps": STEPS} if few else {"steps": STEPS, "targets": 1}
            square: Attack = make_attack(f"square-{QUERIES}", ball)
            found = {"APGD" if few else "APGD-T": gradient.replace(**changes), "Square": square}
            size = self.run.config.eval.masking_samples
            network = self.run.evaluator.network
            self.others = {k: Evaluator(network, v, batch_size=size) for k, v in found.items()}
        return self.others


def _resist(evaluator: Evaluator, x: Any, y: Any) -> np.ndarray:
    robust = evaluator.run(x, y).robust
    return np.zeros(len(y), bool) if robust is None else robust


def _facts(run: _Run) -> Facts:
    data, settings = run.data, run.config.eval
    count: Callable[[Any, int], int] = lambda x, samples: min(samples or len(x), len(x))  # noqa: E731
    looked_at = data.y_val if len(data.y_val) else data.y_train
    shares = np.bincount(np.asarray(looked_at, int), minlength=data.num_classes) / len(looked_at)
    return Facts(
        classes=data.num_classes,
        values=int(np.prod(data.input_shape)),
        steps_per_epoch=run.batches.steps_per_epoch,
        train_samples=count(data.x_train, settings.train_samples),
        val_samples=count(data.x_val, settings.val_samples),
        largest_class=float(shares.max()),
    )
