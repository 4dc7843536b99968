"""What an attack raises: a loss of the model on the images, and what counts as fooled."""

from __future__ import annotations

import dataclasses
import types
from collections.abc import Callable
from typing import Any

from slr_keras import losses
from slr_keras.backend import ops

Tensor = Any


@dataclasses.dataclass(frozen=True)
class Objective:
    """The function of x' that an attack raises: ``CE(f(x'), y)``, or ``-CE(f(x'), target)``.

    Attributes:
        logits: function from images (B, H, W, C) to logits (B, K), in inference mode.
        labels: (B,) class numbers; the classes to reach when ``targeted``.
        targeted: lower the loss of ``labels`` instead of raising it.
        loss: function of logits (B, K), labels (B,) and, where there are any, the rival and what
            stands ``beside``, that is raised; shape (B,).
        rival: (B,) the wrong class that the loss compares with, for attacks that take the wrong
            classes in turn. The aim stays to leave ``labels``, for whatever class.
        beside: tensors (B, ...), what else the loss reads of each image.
    """

    logits: Callable[[Tensor], Tensor]
    labels: Tensor
    targeted: bool = False
    loss: Callable[..., Tensor] = losses.cross_entropy
    rival: Tensor | None = None
    beside: tuple[Tensor, ...] = ()

    def __call__(self, x: Tensor) -> Tensor:
        """The objective of each image, shape (B,)."""
        return self.with_logits(x)[0]

    def with_logits(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The objective of each image and the logits (B, K) it was computed from."""
        z = self.logits(x)
        rival = () if self.rival is None else (self.rival,)
        loss = self.loss(z, self.labels, *rival, *self.beside)
        return (-loss if self.targeted else loss), z

    def raising(self, loss: Callable[..., Tensor]) -> Objective:
        """The same with another loss of logits and labels alone."""
        return dataclasses.replace(self, loss=loss, rival=None, beside=())

    @property
    def parts(self) -> bool:
        """Whether :meth:`of` may give it a part of the batch: what is no plain function, a closure
        or an object, may hold tensors of the whole one."""
        plain = isinstance(self.loss, types.FunctionType)
        return plain and self.loss.__closure__ is None and not self.loss.__defaults__

    @property
    def rows(self) -> Any:
        """What it holds of each image, for :meth:`of`."""
        return self.labels, () if self.rival is None else (self.rival,), self.beside

    def of(self, rows: Any) -> Objective:
        """The objective of the images that ``rows``, a part of :attr:`rows`, belong to."""
        labels, rival, beside = rows
        rival = rival[0] if rival else None
        return dataclasses.replace(self, labels=labels, rival=rival, beside=beside)

    def fooled(self, x: Tensor) -> Tensor:
        """1.0 for each image on which the attack has reached its aim, shape (B,)."""
        return self.hit(self.logits(x))

    def hit(self, logits: Tensor) -> Tensor:
        """The same from logits that were computed before."""
        right = losses.correct(logits, self.labels)
        return right if self.targeted else 1.0 - right


def wrong_class(objective: Objective, x: Tensor, rank: Any) -> Tensor:
    """The wrong class of the ``rank``-th largest logit on the images ``x``; (B,) int32."""
    z = ops.cast(objective.logits(x), "float32")
    own = losses.one_hot(objective.labels, z.shape[-1])
    return ops.cast(ops.take(ops.argsort(1e30 * own - z, axis=-1), rank - 1, axis=-1), "int32")
