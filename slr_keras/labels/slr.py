"""Self-Guided Label Refinement: "Soften to Defend", CVPR 2024 (arXiv 2403.09101)."""

from __future__ import annotations

import dataclasses
from typing import Any

from slr_keras.labels._base import Labels
from slr_keras.settings.schema import setting

Tensor = Any


@dataclasses.dataclass(frozen=True)
class SLR(Labels):
    """Labels that the model itself refines, sample by sample.

    From ``start_epoch`` on, with ``p`` and ``p'`` the predictions on the clean and on the
    adversarial image (no gradient), sample i's soft label and target become

        ``T_i <- a T_i + (1 - a) (c p_i + (1 - c) p'_i)``,
        ``t_i  = r T_i + (1 - r) y_i``.

    Before, targets are the given labels. The attack always uses the hard label. Defaults are those
    of the authors' program; for r the paper's value is not known to us, their program has r = 1.

    Example:
        >>> SLR(momentum=0.9, clean_weight=0.2, refine_ratio=1.0, start_epoch=90).refining(90)
        True
    """

    name = "slr"
    refines = True

    momentum: float = setting(
        0.9,
        label="Momentum of soft labels",
        help="a: weight of the old soft label",
        at_least=0,
        at_most=1,
    )
    clean_weight: float = setting(
        0.2,
        label="Weight of the clean prediction",
        help="c: weight of the clean against the adversarial prediction",
        at_least=0,
        at_most=1,
    )
    refine_ratio: float = setting(
        1.0,
        label="Weight of the soft label",
        help="r: weight of the soft against the given label in the target",
        at_least=0,
        at_most=1,
    )
    start_epoch: int = setting(
        90,
        label="First refined epoch",
        help="first epoch that refines, counted from 1",
        unit="epochs",
        at_least=1,
    )
    clean_pass: str = setting(
        "training",
        label="Mode of the clean pass",
        help="mode of the clean forward pass; training moves BatchNorm statistics a second time "
        "(as the authors' program does), inference leaves them alone",
        choices=("training", "inference"),
    )

    def refining(self, epoch: int) -> bool:
        """From the start epoch on."""
        return epoch >= self.start_epoch

    @property
    def clean_mode(self) -> bool:
        """As ``clean_pass`` says."""
        return self.clean_pass == "training"

    def refine(
        self, row: Tensor, clean: Tensor, adversarial: Tensor, epoch: Tensor = None
    ) -> Tensor:
        """``a T + (1 - a) (c p + (1 - c) p')``, all (B, K)."""
        a, c = self.momentum, self.clean_weight
        return a * row + (1 - a) * (c * clean + (1 - c) * adversarial)

    def target(self, soft: Tensor, given: Tensor, epoch: Tensor = None) -> Tensor:
        """``r T + (1 - r) y``, all (B, K)."""
        r = self.refine_ratio
        return soft if r == 1 else r * soft + (1 - r) * given
