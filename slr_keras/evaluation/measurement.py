"""Attacks on many images in portions, so that what is found can be kept and gone on from."""

from __future__ import annotations

import dataclasses
import functools
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from slr_keras import backend
from slr_keras.attacks._base import Attack
from slr_keras.attacks._numbers import seeded
from slr_keras.attacks._objective import Objective
from slr_keras.attacks._packing import Packed, Stop
from slr_keras.attacks._staged import Staged
from slr_keras.backend import ops
from slr_keras.data import as_float
from slr_keras.errors import ModelError
from slr_keras.evaluation.judge import Judge
from slr_keras.evaluation.specs import Step
from slr_keras.evaluation.tally import Kept, Store, Tally
from slr_keras.inference import InferenceNetwork

Tensor = Any


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
    adversarial image that :class:`Judge` accepts. Staged attacks get only images that are
    classified correctly (in a suite: those that are robust so far); the others get all images, in
    batches as :class:`~slr_keras.evaluation.runner.Evaluator` makes them, and agree with it.

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
        """(N,) bool: correct after the step of this number, and those before it in its suite."""
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
                if step.attack is not None:
                    self._attack(number, step.attack)
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
        seconds = self.tally.seconds.copy()
        for number, step in enumerate(self.steps):
            if step.attack is None:
                seconds[number] = time.monotonic() - begun
        clean = (z.argmax(-1) == self.y).astype("int8")
        self._keep(self.tally.replace(clean=clean, seconds=seconds))

    def _attack(self, number: int, attack: Attack) -> None:
        staged, everything = isinstance(attack, Staged), np.ones(len(self.y), bool)
        chosen = self._robust_after(self._before(number)) if staged else everything
        left = np.flatnonzero(chosen & (self.tally.fooled[number] < 0))
        count = int(chosen.sum())
        self._tell(number, 1 - len(left) / max(count, 1))
        if not len(left):
            return
        search = self._staged if staged else self._in_batches
        self._mark = time.monotonic()
        for which, images, going in search(number, attack, left, count):
            self._count(number, attack, which, images, going)
            self._tell(number, (self.tally.fooled[number] >= 0).sum() / count)

    def _attacked(self, number: int) -> Any:
        """The network that the attack sees."""
        source = self.steps[number].source
        return source.net if source else self.net

    def _staged(
        self, number: int, attack: Any, left: np.ndarray, count: int
    ) -> Iterator[tuple[np.ndarray, np.ndarray, Kept]]:
        """Portions of images that are packed together: rows, what was found, what is to keep."""
        packed = Packed(self._attacked(number), attack, batch_size=self.batch_size, seed=self.seed)
        going = self.tally.going
        for first in range(0, len(left), packed.window):
            which = left[first : first + packed.window]
            before = count - len(left) + first
            x, y = as_float(self.x[which]), np.asarray(self.y[which], "int32")
            stopped = functools.partial(self._stopped, number, before, len(which), count)
            images, _ = packed.run_window(x, y, which, stopped, going)
            yield which, images, {}
            going = {}

    def _stopped(self, number: int, before: int, part: int, count: int, stop: Stop) -> None:
        """``part`` images are under attack, after ``before`` of ``count``."""
        self._keep(self.tally.replace(going=stop.keep(), seconds=self._seconds(number)))
        robust = int(self.robust(number).sum()) - int(stop.fooled.sum())
        self._tell(number, (before + stop.share * part) / count, robust)

    def _in_batches(
        self, number: int, attack: Attack, left: np.ndarray, count: int
    ) -> Iterator[tuple[np.ndarray, np.ndarray, Kept]]:
        """The same for attacks that draw on from batch to batch."""
        inference, seeds = InferenceNetwork(self._attacked(number)), seeded(self.seed)
        seeds.state.assign(self.tally.going.get("seeds", np.array([self.seed, 0], "uint32")))

        def step(image: Tensor, label: Tensor) -> Tensor:
            objective = Objective(inference.snapshot(), label, attack.targeted)
            return attack.run(objective, image, seeds)

        shape = (None, *self.x.shape[1:])
        search = backend.compiled(step, (shape, "float32"), ((None,), "int32"))
        for first in range(0, len(left), self.batch_size):
            which = left[first : first + self.batch_size]
            part = as_float(self.x[which]), np.asarray(self.y[which], "int32")
            images = ops.convert_to_numpy(search(*map(ops.convert_to_tensor, part)))
            last = which[-1] == left[-1]
            yield which, images, {} if last else {"seeds": ops.convert_to_numpy(seeds.state)}

    def _count(
        self, number: int, attack: Attack, which: np.ndarray, images: np.ndarray, going: Kept
    ) -> None:
        """Judge a portion and add it to the tally."""
        old, x = self.tally, as_float(self.x[which])
        seen = self.judge.look(x, self.y[which], images, attack.norm, attack.eps)
        right, fooled = old.clean[which] > 0, old.fooled.copy()
        fooled[number, which] = seen.fooled
        outside, unsound = old.outside.copy(), old.unsound.copy()
        outside[number] += (seen.outside & right).sum()
        unsound[number] += (seen.unsound & right).sum()
        if old.adversarial is not None:
            new = seen.fooled & right & ~(old.fooled[:, which] > 0).any(axis=0)
            old.adversarial[which[new]] = images[new]
        self._keep(
            old.replace(
                fooled=fooled,
                seconds=self._seconds(number),
                outside=outside,
                unsound=unsound,
                going=going,
            )
        )

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
