"""What the training step asks of a method."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, ClassVar, NamedTuple

from slr_keras import losses
from slr_keras.attacks._base import Attack
from slr_keras.attacks._objective import Objective
from slr_keras.errors import SettingError
from slr_keras.labels._base import Labels
from slr_keras.labels.hard import Hard
from slr_keras.settings.schema import Variant

Tensor = Any
Logits = Callable[[Tensor], Tensor]


class Outputs(NamedTuple):
    """Logits (B, K) of the images trained on, and of the clean ones where that pass was made."""

    trained: Tensor
    clean: Tensor | None = None


@dataclasses.dataclass(frozen=True)
class Method(Variant):
    """A training method as the pieces that differ from one to the next.

    The step itself, in the order of the papers, is :mod:`slr_keras.training.step`. What the loss
    compares with is the label scheme's (:mod:`slr_keras.labels`).

    Attributes:
        adversarial: train on adversarial examples.
        both: the loss sees the clean images too; a pass with gradient, before the other.
        own_objective: the attack raises something else than the cross-entropy.
    """

    of_kind: ClassVar[str] = "methods"
    adversarial: ClassVar[bool] = True
    both: ClassVar[bool] = False
    own_objective: ClassVar[bool] = False

    def objective(self, logits: Logits, x: Tensor, y: Tensor) -> Objective:
        """What the attack raises: ``CE(f(x'), y)``, in inference mode, with the hard label."""
        return Objective(logits, y)

    def fitted(self, z: Outputs) -> Tensor:
        """The logits (B, K) whose cross-entropy towards the label is part of the loss."""
        return z.trained

    @classmethod
    def brings_labels(cls) -> bool:
        """Whether the method is a label scheme as well, as SLR is."""
        return issubclass(cls, Labels)

    def scheme(self, labels: Labels) -> Labels:
        """The labels of a method that brings its own, else those given.

        Raises:
            SettingError: two schemes, or refined labels without adversarial images.
        """
        if isinstance(self, Labels):
            if labels != Hard():
                raise SettingError(
                    "labels.name",
                    f"method {self.name} brings its own labels, received {labels.name} as well. "
                    "Take method at with them",
                )
            return self
        if labels.refines and not self.adversarial:
            raise SettingError(
                "labels.name",
                f"labels {labels.name} learn from adversarial images, method {self.name} has none. "
                "Take method at, for example",
            )
        return labels

    def check_attack(self, attack: Attack, labels: Labels) -> None:
        """Raise :class:`SettingError` if the attack cannot raise what method and labels ask for."""
        if not attack.own_objective:
            return
        if self.own_objective or labels.pulls:
            asks = f"method {self.name} has" if self.own_objective else f"labels {labels.name} have"
            raise SettingError(
                "attack.name", f"{attack.name} raises a loss of its own, {asks} another. Take pgd"
            )

    def loss(self, z: Outputs, target: Tensor, label: Tensor) -> Tensor:
        """Loss of each sample, (B,), towards targets (B, K); ``label`` (B,) is the given one."""
        return losses.soft_cross_entropy(z.trained, target)
