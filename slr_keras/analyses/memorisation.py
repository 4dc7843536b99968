"""How much of the planted label noise the network has learned by heart."""

from __future__ import annotations

import dataclasses
from typing import Any

from slr_keras.analyses._base import Analysis, Probe

Array = Any


@dataclasses.dataclass(frozen=True)
class Memorisation(Analysis):
    """Of the training samples with a wrong label: which share the network calls by it.

    And which share it calls by the true one, clean and under attack (Liu et al. 2020, arXiv
    2007.00151, section 3). Nothing where no label is wrong (``data.label_noise``).
    """

    name = "memorisation"
    columns = {
        "given": "wrong label, clean",
        "true": "true label, clean",
        "given_attacked": "wrong label, attacked",
        "true_attacked": "true label, attacked",
    }

    def measure(self, probe: Probe) -> tuple[dict[str, float | None], dict[str, Array]]:
        """Shares in [0, 1]; arrays: the predicted class of each sample, and ``wrong``."""
        seen = probe.train
        clean, attacked = seen.logits.argmax(axis=1), seen.attacked_logits.argmax(axis=1)
        scalars: dict[str, float | None] = dict.fromkeys(self.columns)
        if seen.wrong.any():
            for suffix, predicted in (("", clean), ("_attacked", attacked)):
                for name, label in (("given", seen.label), ("true", seen.true)):
                    scalars[name + suffix] = float((predicted == label)[seen.wrong].mean())
        return scalars, {"clean": clean, "attacked": attacked, "wrong": seen.wrong}
