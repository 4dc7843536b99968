"""Epsilon warm-up: the training attack's radius grows from near nothing.

    eps_t = eps min(1, (t + 1) / T)      at step t of T = warmup_epochs * steps an epoch

The step size grows with it, so that the search keeps its shape. A radius at which training does not
leave chance when it is there at once may be learned so (Gowal et al. 2018, "On the Effectiveness of
Interval Bound Propagation", section 3, warms up; Liu et al. 2020, "On the Loss Landscape of
Adversarial Training", section 5, shows why with large radii the start decides).
"""

from __future__ import annotations

from typing import Any

from slr_keras.attacks._base import Attack
from slr_keras.backend import keras, ops
from slr_keras.errors import UserError

GROWING = ("eps", "step_size")


@keras.saving.register_keras_serializable("slr_keras")
class AttackWarmup(keras.layers.Layer):
    """Where the warm-up stands, kept as weights: what is compiled takes the radius as an argument.

    Args:
        epochs: of the warm-up.

    Example:
        >>> warmup = AttackWarmup(2); warmup.begin(steps_per_epoch=50)   # doctest: +SKIP
        >>> float(warmup.share())                                        # doctest: +SKIP
        0.01
    """

    def __init__(self, epochs: int):
        super().__init__(name="attack_warmup", trainable=False)
        self.epochs = epochs
        self.done = self._weight("done")
        self.length = self._weight("length")
        self.built = True

    def _weight(self, name: str) -> Any:
        return self.add_weight(
            name=name,
            shape=(),
            initializer="zeros",
            trainable=False,
            autocast=False,
            dtype="float32",
            aggregation="only_first_replica",
        )

    def begin(self, steps_per_epoch: int | None) -> None:
        """Before an epoch.

        Raises:
            UserError: nobody knows how many steps an epoch has.
        """
        if not steps_per_epoch:
            raise UserError(
                "attack.warmup_epochs: the number of steps an epoch is not known; pass "
                "steps_per_epoch to fit, or set model.steps_per_epoch"
            )
        self.length.assign(float(self.epochs * steps_per_epoch))

    def share(self) -> Any:
        """Of the radius, in (0, 1]; a tensor."""
        return ops.minimum(1.0, (self.done + 1.0) / ops.maximum(self.length, 1.0))

    def attack(self, attack: Attack) -> Attack:
        """The attack of this step."""
        share, numbers = self.share(), attack.numbers()
        return attack.given({k: share * numbers[k] for k in GROWING if k in numbers})

    def advance(self) -> None:
        """After a step."""
        self.done.assign(self.done + 1.0)
