"""What every attack shares: its ball, and the way users call it."""

from __future__ import annotations

import copy
import dataclasses
import math
import typing
from collections.abc import Mapping
from typing import Any, ClassVar

from slr_keras.attacks._norms import NORMS
from slr_keras.attacks._objective import Objective
from slr_keras.backend import ops
from slr_keras.errors import SettingError
from slr_keras.settings.schema import PIXELS, Variant, setting

Tensor = Any
LINF_SCALE_HINT = "an L-infinity radius is a distance of pixels in [0, 1], as 8/255"


@dataclasses.dataclass(frozen=True)
class Attack(Variant):
    """Base of the attacks: a search inside ``{x' in [0,1] : ||x' - x|| <= eps}``.

    ``eps`` is in pixels of [0, 1], in L0 a number of values.

    A subclass gives :meth:`perturb`, a pure loop, and :meth:`run`. Where the loop is one step
    again and again it also gives ``step(objective, x, candidate)`` and ``start(x, seed)``, and
    ``steps`` and ``restarts`` where there may be several: what follows the attack step by step
    (the lab) relies on ``run`` being the best of ``restarts`` such loops. Where a step needs more
    than the image, the attack is a :class:`slr_keras.attacks._loop.Loop`. Calling an attack runs
    it on a model.

    What is compiled for a call takes the attack's numbers as arguments, so that another radius
    compiles nothing: :meth:`run` computes with floats and does not branch on them.
    """

    of_kind: ClassVar[str] = "attacks"
    gives: ClassVar[tuple[str, ...]] = ("run",)
    ascends: ClassVar[bool] = True  # follows the gradient to the optimum of a linear model
    own_objective: ClassVar[bool] = False  # raises a loss of its own, whatever it is given
    training_only: ClassVar[bool] = False  # leaves the ball: no evaluation
    repeats: ClassVar[tuple[str, ...]] = ()  # whole numbers that may be such arguments too
    norms: ClassVar[tuple[str, ...]] = ("linf", "l2", "l1")  # those that it knows
    nearest_in: ClassVar[tuple[str, ...]] = ()  # norms in which it looks for the nearest image

    norm: str = setting("linf", help="norm that measures the perturbation", choices=tuple(NORMS))
    eps: float = setting(
        8 / 255,
        label="Epsilon",
        help="radius of the ball; in L0 a number of values",
        unit=PIXELS,
        at_least=0,
    )
    targeted: bool = setting(False, help="drive images towards given classes, not away from theirs")
    warmup_epochs: int = setting(
        0,
        label="Epochs of growing radius",
        help="in training, radius and step size grow from near nothing in so many epochs; "
        "evaluation always attacks at the full radius",
        unit="epochs",
        at_least=0,
    )

    def validate(self) -> None:
        """The attack knows the norm; an L-infinity radius above 1 is a scale mistake."""
        if self.norm not in self.norms:
            *most, last = self.norms
            known = f"{', '.join(most)} and {last}" if most else last
            raise SettingError("norm", f"{self.name} knows {known}, received {self.norm!r}")
        if self.norm == "linf" and self.eps > 1:
            raise SettingError(
                "eps",
                f"expected a number <= 1, received {self.eps:g}: {LINF_SCALE_HINT}. "
                f"Did you mean {self.eps:g}/255?",
            )

    def check_classes(self, classes: int) -> None:
        """Raise :class:`UserError` if the attack is not defined for so few classes."""

    def numbers(self) -> dict[str, Any]:
        """The settings that are arguments of what is compiled: floats and ``repeats``."""
        values = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        return {k: v for k, v in values.items() if isinstance(v, float) or k in self.repeats}

    def kind(self) -> tuple[Any, ...]:
        """What decides what is compiled: the class and the settings that are no numbers."""
        numbers, fields = self.numbers(), dataclasses.fields(self)
        return type(self), *(getattr(self, f.name) for f in fields if f.name not in numbers)

    def given(self, numbers: Mapping[str, Tensor]) -> typing.Self:
        """The attack with tensors in place of its numbers; they are not checked."""
        attack = copy.copy(self)
        for name, number in numbers.items():
            object.__setattr__(attack, name, number)
        return attack

    @property
    def ball(self) -> Any:
        """The norm's projection, steepest step and random points."""
        return NORMS[self.norm]

    @property
    def reach(self) -> float:
        """The largest distance from the image: ``eps``, unless it is for training alone."""
        return self.eps

    @property
    def minimal(self) -> bool:
        """Whether it looks for the nearest adversarial image, whatever the radius.

        The result is that image if it lies within ``eps``, else the image itself.
        """
        return self.norm in self.nearest_in

    def unbounded(self, shape: tuple[int, ...]) -> typing.Self:
        """The same for images (H, W, C) with a radius that no image is beyond.

        Of an attack that is :attr:`minimal` the nearest image then counts at any distance: at most
        1 in L-infinity, ``sqrt(n)`` in L2, ``n`` in L1 and L0, n = H W C.

        Raises:
            TypeError: the attack looks for the worst image in its ball.

        Example:
            >>> from slr_keras.attacks.deepfool import DeepFool
            >>> DeepFool(norm="l2", eps=0.5).unbounded((8, 8, 1)).eps
            8.0
        """
        if not self.minimal:
            raise TypeError(f"{self.name} in {self.norm} looks for no nearest image")
        return self.replace(eps=self.ball.farthest(math.prod(shape)))

    def inside(self, x: Tensor, candidate: Tensor) -> Tensor:
        """The candidate pulled into the ball around ``x`` and into [0, 1]."""
        return self.ball.inside(x, candidate, self.eps)

    def random_start(self, x: Tensor, seed: Any) -> Tensor:
        """A uniform point of the ball around ``x``, clipped to [0, 1]."""
        return ops.clip(x + self.ball.sample(ops.shape(x), self.eps, seed), 0.0, 1.0)

    @staticmethod
    def better(objective: Objective, a: Tensor, b: Tensor) -> Tensor:
        """Per image: the one that fools, else the one of larger objective (``a`` on a tie)."""
        (value_a, z_a), (value_b, z_b) = objective.with_logits(a), objective.with_logits(b)
        fools_a, fools_b = objective.hit(z_a), objective.hit(z_b)
        larger = ops.logical_and(ops.equal(fools_a, fools_b), value_b > value_a)
        take_b = ops.logical_or(fools_b > fools_a, larger)
        return ops.where(ops.reshape(take_b, (-1, *[1] * (len(a.shape) - 1))), b, a)

    def run(self, objective: Objective, x: Tensor, seed: Any) -> Tensor:
        """Adversarial images from a start drawn with ``seed`` (a Keras ``SeedGenerator``)."""
        raise TypeError(f"{type(self).__name__} gives no run()")

    def prepared(self, network: Any, size: int, shape: tuple[int, ...]) -> Any:
        """What runs attacks of this kind on images (H, W, C), ``size`` at once at most."""
        from slr_keras.attacks._arrays import Whole  # loads the framework

        return Whole(network, self, size, shape)

    def __call__(self, model: Any, x: Any, y: Any, *, seed: int = 0, batch_size: int = 128) -> Any:
        """Attack images on a Keras classifier that returns logits.

        Args:
            model: a ``keras.Model`` or any function from (B, H, W, C) float32 to logits (B, K).
            x: images in [0, 1], shape (N, H, W, C).
            y: (N,) true classes, or the classes to reach if ``targeted``.
            seed: fixes the random starts.
            batch_size: images attacked at once.

        Returns:
            NumPy array like ``x``, in the ball and in [0, 1].

        Example:
            >>> PGD(eps=8/255, steps=20)(model, x_test, y_test)  # doctest: +SKIP
        """
        from slr_keras.attacks._arrays import Runner  # loads the framework

        return Runner(model, batch_size)(self, x, y, seed=seed)
