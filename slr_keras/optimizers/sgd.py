"""The paper's optimiser."""

from __future__ import annotations

import dataclasses
from typing import Any

from slr_keras.optimizers._base import OptimizerSettings
from slr_keras.settings.schema import setting


@dataclasses.dataclass(frozen=True)
class SGDSettings(OptimizerSettings):
    """SGD with momentum and coupled L2, see :class:`slr_keras.optimizers.SGD`."""

    name = "sgd"

    momentum: float = setting(0.9, help="weight of the old velocity", at_least=0, below=1)
    l2: float = setting(
        5e-4, label="L2 penalty", help="coupled L2 on every parameter, through momentum", at_least=0
    )
    nesterov: bool = setting(False, label="Nesterov momentum", help="look-ahead form of momentum")

    def build(self, learning_rate: Any) -> Any:
        """A ``slr_keras.optimizers.SGD``."""
        from slr_keras.optimizers._coupled_sgd import SGD

        return SGD(learning_rate, self.momentum, self.l2, self.nesterov, **self.clipping)
