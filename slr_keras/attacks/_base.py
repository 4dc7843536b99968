"""What every attack shares: the objective it raises and the way users call it."""

from __future__ import annotations

import copy
import dataclasses
import typing
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from slr_keras import losses
from slr_keras.attacks._norms import NORMS
from slr_keras.backend import ops, random
from slr_keras.errors import SettingError
from slr_keras.settings.schema import PIXELS, Variant, setting

Tensor = Any
LINF_SCALE_HINT = "an L-infinity radius is a distance of pixels in [0, 1], as 8/255"


@dataclasses.dataclass(frozen=True)
class Objective:
    """The function of x' that an attack raises: ``CE(f(x'), y)``, or ``-CE(f(x'), target)``.

    Attributes:
        logits: function from images (B, H, W, C) to logits (B, K), in inference mode.
        labels: (B,) class numbers; the classes to reach when ``targeted``.
        targeted: lower the loss of ``labels`` instead of raising it.
        loss: function of logits (B, K), labels (B,) and, where there is one, the rival, that is
            raised; shape (B,).
        rival: (B,) the wrong class that the loss compares with, for attacks that take the wrong
            classes in turn. The aim stays to leave ``labels``, for whatever class.
    """

    logits: Callable[[Tensor], Tensor]
    labels: Tensor
    targeted: bool = False
    loss: Callable[..., Tensor] = losses.cross_entropy
    rival: Tensor | None = None

    def __call__(self, x: Tensor) -> Tensor:
        """The objective of each image, shape (B,)."""
        return self.with_logits(x)[0]

    def with_logits(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The objective of each image and the logits (B, K) it was computed from."""
        z = self.logits(x)
        rival = () if self.rival is None else (self.rival,)
        loss = self.loss(z, self.labels, *rival)
        return (-loss if self.targeted else loss), z

    def fooled(self, x: Tensor) -> Tensor:
        """1.0 for each image on which the attack has reached its aim, shape (B,)."""
        return self.hit(self.logits(x))

    def hit(self, logits: Tensor) -> Tensor:
        """The same from logits that were computed before."""
        right = losses.correct(logits, self.labels)
        return right if self.targeted else 1.0 - right


@dataclasses.dataclass(frozen=True)
class Attack(Variant):
    """Base of the attacks: a search inside ``{x' in [0,1] : ||x' - x|| <= eps}``.

    A subclass gives :meth:`perturb`, a pure loop, and :meth:`run`. Where the loop is one step
    again and again it also gives ``step(objective, x, candidate)`` and ``start(x, seed)``, and
    ``steps`` and ``restarts`` where there may be several: what follows the attack step by step
    (the lab) relies on ``run`` being the best of ``restarts`` such loops. Calling an attack runs
    it on a model.

    What is compiled for a call takes the attack's numbers as arguments, so that another radius
    compiles nothing: :meth:`run` computes with floats and does not branch on them.
    """

    ascends: ClassVar[bool] = True  # follows the gradient to the optimum of a linear model
    repeats: ClassVar[tuple[str, ...]] = ()  # whole numbers that may be such arguments too

    norm: str = setting(
        "linf", help="norm that measures the perturbation", choices=("linf", "l2", "l1")
    )
    eps: float = setting(8 / 255, help="radius of the ball", unit=PIXELS, at_least=0)
    targeted: bool = setting(False, help="drive images towards given classes, not away from theirs")

    def validate(self) -> None:
        """An L-infinity radius above 1 is a scale mistake."""
        if self.norm == "linf" and self.eps > 1:
            raise SettingError(
                "eps",
                f"expected a number <= 1, received {self.eps:g}: {LINF_SCALE_HINT}. "
                f"Did you mean {self.eps:g}/255?",
            )

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
        from slr_keras.attacks._arrays import Runner

        return Runner(model, batch_size)(self, x, y, seed=seed)


def signature(numbers: Mapping[str, Any]) -> list[tuple[tuple[()], str]]:
    """Shapes and dtypes of what :func:`tensors` gives."""
    return [((), "float32" if isinstance(n, float) else "int32") for n in numbers.values()]


def tensors(numbers: Mapping[str, Any]) -> dict[str, Tensor]:
    """:meth:`Attack.numbers` as scalar tensors, for :meth:`Attack.given`."""
    pairs = zip(numbers.items(), signature(numbers), strict=True)
    return {name: ops.convert_to_tensor(number, dtype) for (name, number), (_, dtype) in pairs}


def seeded(seed: int) -> Any:
    """A Keras ``SeedGenerator``: its state is a weight, so it is saved with the model."""
    return random.SeedGenerator(seed)
