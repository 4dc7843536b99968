"""SGD as PyTorch and the paper have it."""

from __future__ import annotations

from typing import Any

from slr_keras.backend import keras, ops

Tensor = Any


@keras.saving.register_keras_serializable("slr_keras")
class SGD(keras.optimizers.Optimizer):
    """Stochastic gradient descent with momentum and *coupled* L2 on every parameter.

    ``g <- g + l2 w``, ``v <- momentum v + g``, ``w <- w - lr v``
    (Nesterov: ``w <- w - lr (g + momentum v)``).

    Differs from ``keras.optimizers.SGD`` in two ways that matter: the L2 term passes through
    the momentum buffer (Keras' ``weight_decay`` does not), and the learning rate stays
    outside the buffer, so a decay acts at once on everything accumulated. BatchNorm parameters
    and biases are decayed too, as in the authors' program.

    Args:
        learning_rate: number or Keras schedule.
        momentum: weight of the old velocity, in [0, 1).
        l2: coefficient of ``w`` in the gradient, >= 0.
        nesterov: look-ahead form.

    Source: PyTorch's ``torch.optim.SGD``; "Soften to Defend" uses lr 0.1, momentum 0.9, 5e-4.
    """

    def __init__(
        self,
        learning_rate: Any = 0.1,
        momentum: float = 0.9,
        l2: float = 0.0,
        nesterov: bool = False,
        name: str = "SGD",
        **options: Any,
    ):
        super().__init__(learning_rate=learning_rate, name=name, **options)
        if not 0 <= momentum < 1:
            raise ValueError(f"momentum: expected a number in [0, 1), received {momentum!r}")
        if l2 < 0:
            raise ValueError(f"l2: expected a number >= 0, received {l2!r}")
        self.momentum, self.l2, self.nesterov = momentum, l2, nesterov

    def build(self, variables: list[Any]) -> None:
        """One velocity per variable."""
        if self.built:
            return
        super().build(variables)
        self.velocities = [
            self.add_variable_from_reference(variable, name="velocity") for variable in variables
        ]

    def update_step(self, gradient: Tensor, variable: Any, learning_rate: Tensor) -> None:
        """The three lines of the class docstring."""
        velocity = self.velocities[self._get_variable_index(variable)]
        gradient = ops.cast(gradient, variable.dtype)
        if self.l2:
            gradient = gradient + self.l2 * variable
        new = self.momentum * velocity + gradient
        self.assign(velocity, new)
        step = gradient + self.momentum * new if self.nesterov else new
        self.assign_sub(variable, ops.cast(learning_rate, variable.dtype) * step)

    def get_config(self) -> dict[str, Any]:
        """What rebuilds the optimiser."""
        return super().get_config() | {
            "momentum": self.momentum,
            "l2": self.l2,
            "nesterov": self.nesterov,
        }
