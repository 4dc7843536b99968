"""Attacks on many images in portions, so that what is found can be kept and gone on from."""

from __future__ import annotations

import dataclasses
import functools
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from slr_keras.attacks._packing import Stop
from slr_keras.attacks._staged import Staged
from slr_keras.backend import ops
from slr_keras.data import as_float
from slr_keras.errors import ModelError
from slr_keras.evaluation.judge import Judge
from slr_keras.evaluation.searches import Place, Portion, Searches, confidence
from slr_keras.evaluation.specs import Step
from slr_keras.evaluation.tally import Store, Tally


@dataclasses.dataclass(frozen=True)
class Progress:
    """How far an evaluation is.

    Attributes:
        name: the attack that runs.
        step, steps: its number from 1, and how many there are.
        share: the part of this attack that is done.
        robust: images that it has not fooled so far.
        samples: images in all.
        done: the attack is over and its images are judged.
    """

    name: str
    step: int
    steps: int
    share: float
    robust: int
    samples: int
    done: bool = False


class Measurement:
    """Clean and robust correctness of each image under each step.

    An image counts as robust if it is classified correctly as it is and the attack finds no
    adversarial image that :class:`Judge` accepts. Attacks that are staged or look for the nearest
    image get only images that are classified correctly (in a suite: those that are robust so far);
    the others get all images, in batches as :class:`~slr_keras.evaluation.runner.Evaluator` makes
    them, and agree with it.

    Args:
        net: Keras classifier with logits.
        x, y: images (N, H, W, C), uint8 or float in [0, 1], and labels (N,).
        steps: what is measured.
        seed: with an image's place it fixes everything that is drawn for it.
        batch_size: images at once.
        keep_images: keep adversarial images; else memory does not grow with their number.
        store: where the state is kept, None: nowhere.
        on_progress: told after every stop and portion.
    """

    def __init__(
        self,
        net: Any,
        x: np.ndarray,
        y: np.ndarray,
        steps: Sequence[Step],
        *,
        seed: int = 0,
        batch_size: int = 250,
        keep_images: bool = False,
        store: Store | None = None,
        on_progress: Callable[[Progress], None] = lambda _: None,
    ):
        self.net, self.x, self.y, self.steps = net, x, np.asarray(y), tuple(steps)
        self.seed, self.batch_size, self.store = seed, batch_size, store
        self.on_progress, self._mark = on_progress, time.monotonic()
        self.judge = Judge(net, batch_size)
        self._searches = Searches(net, x, self.y, self.judge, seed=seed, batch_size=batch_size)
        self.tally = (store and store.load()) or Tally.empty(len(self.steps), len(x))
        self.resumed = bool((self.tally.clean >= 0).any())
        if keep_images and self.tally.adversarial is None:
            self.tally = self.tally.replace(adversarial=as_float(x).copy())

    # -- what came out ------------------------------------------------------------------------

    @property
    def clean(self) -> np.ndarray:
        """(N,) bool: classified correctly."""
        return self.tally.clean > 0

    @property
    def adversarial(self) -> np.ndarray:
        """Images (N, H, W, C), those that were fooled in their adversarial form.

        Raises:
            ValueError: they were not kept.
        """
        if self.tally.adversarial is None:
            raise ValueError("expected a measurement with keep_images=True")
        return self.tally.adversarial

    def robust(self, number: int) -> np.ndarray:
        """(N,) bool: correct after the step of this number, and those before it in its suite.

        Of a natural change: correct on the changed image, whatever the clean one was; of a
        certificate: the class is proved at radius 0 at least, and right.
        """
        if self.steps[number].attack is None and not self.steps[number].clean:
            return np.asarray(self.tally.fooled[number] == 0)
        return self._robust_after([*self._before(number), number])

    def _before(self, number: int) -> list[int]:
        """The steps of the same suite before this one."""
        suite = self.steps[number].suite
        return [i for i in range(number) if suite and self.steps[i].suite == suite]

    def _robust_after(self, steps: list[int]) -> np.ndarray:
        return self.clean & ~(self.tally.fooled[steps] > 0).any(axis=0)

    # -- measuring ----------------------------------------------------------------------------

    def run(self) -> None:
        """Do what is left to do.

        Raises:
            ModelError: the model gives NaN or infinite logits.
        """
        try:
            self._see_clean()
            for number, step in enumerate(self.steps):
                if step.clean:
                    self._tell(number, 1.0)
            for number, step in enumerate(self.steps):
                if not step.clean:
                    self._measure(number)
        finally:
            if self.store:
                self.store.save(self.tally, now=True)

    def _see_clean(self) -> None:
        if (self.tally.clean >= 0).all():
            return
        begun = time.monotonic()
        z = self.judge.logits(self.x)
        broken = int((~np.isfinite(z).all(-1)).sum())
        if broken:
            raise ModelError(
                f"expected finite logits, received NaN or infinite ones on {broken} of {len(z)} "
                f"clean images{_bad_weight(self.net)}: use another checkpoint"
            )
        seconds, value = self.tally.seconds.copy(), self.tally.value.copy()
        for number, step in enumerate(self.steps):
            if step.clean:
                seconds[number], value[number] = time.monotonic() - begun, confidence(z)
        clean = (z.argmax(-1) == self.y).astype("int8")
        self._keep(self.tally.replace(clean=clean, value=value, seconds=seconds))

    def _measure(self, number: int) -> None:
        step, everything = self.steps[number], np.ones(len(self.y), bool)
        some = step.nearest or isinstance(step.attack, Staged)
        chosen = self._robust_after(self._before(number)) if some else everything
        left = np.flatnonzero(chosen & (self.tally.fooled[number] < 0))
        count = int(chosen.sum())
        self._tell(number, 1 - len(left) / max(count, 1))
        if not len(left):
            return
        self._mark = time.monotonic()
        stopped = functools.partial(self._stopped, number, count - len(left), count)
        for portion in self._searches.portions(step, Place(left, self.tally.going, stopped)):
            self._count(number, portion)
            self._tell(number, (self.tally.fooled[number] >= 0).sum() / count)

    def _stopped(
        self, number: int, earlier: int, count: int, stop: Stop, before: int, part: int
    ) -> None:
        """``part`` images are under attack, after ``earlier + before`` of ``count``."""
        self._keep(self.tally.replace(going=stop.keep(), seconds=self._seconds(number)))
        robust = int(self.robust(number).sum()) - int(stop.fooled.sum())
        self._tell(number, (earlier + before + stop.share * part) / count, robust)

    def _count(self, number: int, found: Portion) -> None:
        """Add a portion to the tally."""
        old, which = self.tally, found.which
        right, new = old.clean[which] > 0, {}
        for name in ("fooled", "value", "outside", "unsound"):
            new[name] = getattr(old, name).copy()
        new["fooled"][number, which], new["value"][number, which] = found.fooled, found.value
        new["outside"][number] += (found.outside & right).sum()
        new["unsound"][number] += (found.unsound & right).sum()
        if old.adversarial is not None and found.images is not None:
            first = (found.fooled > 0) & right & ~(old.fooled[:, which] > 0).any(axis=0)
            old.adversarial[which[first]] = found.images[first]
        seconds = self._seconds(number)
        self._keep(old.replace(seconds=seconds, going=found.going, **new))

    # -- keeping and telling ------------------------------------------------------------------

    def _seconds(self, number: int) -> np.ndarray:
        """The seconds of all steps, with what passed since the last call added to this one."""
        seconds, now = self.tally.seconds.copy(), time.monotonic()
        seconds[number] += now - self._mark
        self._mark = now
        return seconds

    def _keep(self, tally: Tally) -> None:
        self.tally = tally
        if self.store:
            self.store.save(tally)

    def _tell(self, number: int, share: float, robust: int | None = None) -> None:
        left = int(self.robust(number).sum()) if robust is None else robust
        where = self.steps[number].name, number + 1, len(self.steps)
        done = robust is None and share >= 1
        self.on_progress(Progress(*where, float(share), left, len(self.y), done))


def _bad_weight(net: Any) -> str:
    for weight in net.weights:
        value = ops.convert_to_numpy(ops.cast(weight, "float32"))
        if not np.isfinite(value).all():
            return f" (the weight {weight.path} is not finite)"
    return ""
