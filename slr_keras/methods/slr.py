"""Self-Guided Label Refinement: "Soften to Defend", CVPR 2024 (arXiv 2403.09101)."""

from __future__ import annotations

import dataclasses

from slr_keras.labels import slr
from slr_keras.methods.at import AT


@dataclasses.dataclass(frozen=True)
class SLR(AT, slr.SLR):
    """:class:`AT` towards the labels of :class:`slr_keras.labels.slr.SLR`, as the paper has it.

    The loss is ``mean_i -sum_k t_ik log softmax(f(x'_i))_k``; before ``start_epoch`` it is AT's.

    Example:
        >>> SLR(momentum=0.9, clean_weight=0.2, refine_ratio=1.0, start_epoch=90).refining(90)
        True
    """

    name = "slr"
