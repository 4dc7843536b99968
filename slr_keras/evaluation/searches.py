"""How the images of a step are looked at, portion by portion: attacks, natural changes, proofs."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from slr_keras import backend
from slr_keras.attacks._base import Attack
from slr_keras.attacks._numbers import seeded, signature, tensors
from slr_keras.attacks._objective import Objective
from slr_keras.attacks._packing import Packed, Stop
from slr_keras.attacks._staged import Staged
from slr_keras.backend import ops
from slr_keras.data import as_float
from slr_keras.evaluation.judge import Judge, distances, within
from slr_keras.evaluation.smoothing import Certifier
from slr_keras.evaluation.specs import Step
from slr_keras.evaluation.tally import Kept
from slr_keras.inference import InferenceNetwork

Tensor = Any
NOISY = 16384  # noisy images in a portion of certificates: what is lost when it is stopped
ABSTAINED = 2


@dataclasses.dataclass(frozen=True)
class Portion:
    """What came of some images.

    Attributes:
        which: their rows.
        fooled, value: as :class:`~slr_keras.evaluation.tally.Tally` keeps them, one an image.
        outside, unsound: (n,) bool, adversarials that were refused; that gave logits not finite.
        images: the adversarial ones.
        going: what the search needs to go on after them.
    """

    which: np.ndarray
    fooled: np.ndarray
    value: np.ndarray | float = np.nan
    outside: np.ndarray | bool = False
    unsound: np.ndarray | bool = False
    images: np.ndarray | None = None
    going: Kept = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class Place:
    """Where a search stands when it is asked to go on.

    Attributes:
        left: rows still to look at.
        going: what an earlier :class:`Portion` or stop left.
        stopped: told of every stop of a staged attack, and of the number of images in its window.
    """

    left: np.ndarray
    going: Kept
    stopped: Callable[[Stop, int, int], None]


class Searches:
    """Looks at the images of one evaluation.

    What is compiled for an attack serves every other one of its kind: another radius or number of
    steps compiles nothing.

    Args:
        net, x, y: the model, images (N, H, W, C) and labels (N,).
        judge: decides what counts.
        seed: with an image's row it fixes everything that is drawn for it.
        batch_size: images at once.
    """

    def __init__(
        self, net: Any, x: np.ndarray, y: np.ndarray, judge: Judge, *, seed: int, batch_size: int
    ):
        self.net, self.x, self.y, self.judge = net, x, y, judge
        self.seed, self.batch_size, self.seeds = seed, batch_size, seeded(seed)
        self._made: dict[Any, Any] = {}

    def portions(self, step: Step, place: Place) -> Iterator[Portion]:
        """What comes of the rows that are left, a portion after the other."""
        if step.corruption is not None:
            return self._changed(step, place)
        if step.certificate is not None:
            return self._certified(step, place)
        found = self._staged if isinstance(step.attack, Staged) else self._in_batches
        return (self._judged(step, *portion) for portion in found(step, place))

    def _parts(self, left: np.ndarray, size: int) -> Iterator[np.ndarray]:
        for first in range(0, len(left), size):
            yield left[first : first + size]

    def _batch(self, which: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return as_float(self.x[which]), np.asarray(self.y[which], "int32")

    # -- attacks ------------------------------------------------------------------------------

    def _attack(self, step: Step) -> Any:
        """The attack of a step; one that looks for the nearest image looks at any distance."""
        attack: Any = step.attack
        return attack.unbounded(self.x.shape[1:]) if step.nearest else attack

    def _seen(self, step: Step) -> Any:
        """The network that the attack sees."""
        return step.source.net if step.source else self.net

    def _for(self, step: Step, make: Callable[[], Any]) -> Any:
        """What is compiled for attacks of this kind on this network."""
        key = self._attack(step).kind(), id(self._seen(step))
        if key not in self._made:
            self._made[key] = make()
        return self._made[key]

    def _staged(
        self, step: Step, place: Place
    ) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray, Kept]]:
        """Portions that are packed together: rows, images, what was found, what is to keep."""
        attack, net = self._attack(step), self._seen(step)
        made = self._for(step, lambda: Packed(net, attack, batch_size=self.batch_size))
        packed, going, before = made.like(attack, self.seed), place.going, 0
        for which in self._parts(place.left, packed.window):
            x, y = self._batch(which)

            def stopped(stop: Stop, before: int = before, count: int = len(which)) -> None:
                place.stopped(stop, before, count)

            images, _ = packed.run_window(x, y, which, stopped, going)
            yield which, x, images, {}
            going, before = {}, before + len(which)

    def _in_batches(
        self, step: Step, place: Place
    ) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray, Kept]]:
        """The same for attacks that draw on from batch to batch."""
        attack = self._attack(step)
        search = self._for(step, lambda: self._compiled(attack, self._seen(step)))
        numbers = tensors(attack.numbers()).values()
        self.seeds.state.assign(place.going.get("seeds", np.array([self.seed, 0], "uint32")))
        for which in self._parts(place.left, self.batch_size):
            x, y = self._batch(which)
            found = search(*map(ops.convert_to_tensor, (x, y)), *numbers)
            last = which[-1] == place.left[-1]
            going = {} if last else {"seeds": ops.convert_to_numpy(self.seeds.state)}
            yield which, x, ops.convert_to_numpy(found), going

    def _compiled(self, like: Attack, net: Any) -> Any:
        inference = InferenceNetwork(net)

        def step(image: Tensor, label: Tensor, *numbers: Tensor) -> Tensor:
            attack = like.given(dict(zip(like.numbers(), numbers, strict=True)))
            return attack.run(
                Objective(inference.snapshot(), label, attack.targeted), image, self.seeds
            )

        images = (None, *self.x.shape[1:]), "float32"
        return backend.compiled(step, images, ((None,), "int32"), *signature(like.numbers()))

    def _judged(
        self, step: Step, which: np.ndarray, x: np.ndarray, images: np.ndarray, going: Kept
    ) -> Portion:
        attack: Any = step.attack
        eps = np.inf if step.nearest else attack.eps
        seen = self.judge.look(x, self.y[which], images, attack.norm, eps)
        if not step.nearest:
            rest = seen.outside, seen.unsound, images, going
            return Portion(which, seen.fooled, np.nan, *rest)
        away = np.where(seen.fooled, distances(x, images, attack.norm), np.inf)
        fooled = within(away, attack.eps)
        return Portion(which, fooled, away, seen.outside, seen.unsound, images, going)

    # -- natural changes and certificates -----------------------------------------------------

    def _changed(self, step: Step, place: Place) -> Iterator[Portion]:
        """Images as a natural change leaves them."""
        for which in self._parts(place.left, self.batch_size):
            x = step.corruption.apply(self.x[which], which, self.seed)
            z = self.judge.logits(x)
            yield Portion(which, z.argmax(-1) != step.labels(self.y)[which], confidence(z))

    def _certified(self, step: Step, place: Place) -> Iterator[Portion]:
        """Classes that the smoothed model proves to keep, and how far."""
        smoothing = step.certificate
        certifier = Certifier(self.net, smoothing, batch_size=self.batch_size, seed=self.seed)
        for which in self._parts(place.left, max(1, NOISY // smoothing.samples)):
            found = certifier.certify(self.x[which], which)
            wrong = np.where(found.label < 0, ABSTAINED, found.label != self.y[which])
            yield Portion(which, wrong, found.radius)


def confidence(z: np.ndarray) -> np.ndarray:
    """(N,) probability of the predicted class, of logits (N, K)."""
    p = np.exp(z - z.max(-1, keepdims=True))
    return np.asarray(p.max(-1) / p.sum(-1))
