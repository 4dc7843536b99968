"""APGD and Square by the Adversarial Robustness Toolbox, on the same Keras network.

    python -m benchmarks.referees.art_attacks --images 200 --norm linf

ART scales the schedule of Square's windows to the number of queries, the paper's code (and ours)
does not: with fewer than 10,000 queries the two draw other windows.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks import _subjects
from benchmarks.referees import _common

NORMS = {"linf": np.inf, "l2": 2}


def main(arguments: list[str] | None = None) -> int:
    """Run both sides; 0 if ours finds at least as many everywhere."""
    parser = _common.parser(__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=100, help="of APGD (default 100)")
    parser.add_argument("--queries", type=int, default=1000, help="of Square (default 1000)")
    flags = parser.parse_args(arguments)
    _common.needs("art")
    case = _common.prepared(flags)
    return _common.report(rows(case, flags.steps, flags.queries), flags.json)


def rows(case: _common.Case, steps: int = 100, queries: int = 1000) -> list[_common.Row]:
    """A row for each attack."""
    import slr_keras as slr

    ball: dict[str, Any] = {"norm": case.norm, "eps": case.eps}
    ours = {
        "apgd-ce": slr.attacks.APGD(**ball, steps=steps),
        "square": slr.attacks.Square(**ball, queries=queries),
    }
    theirs = peers(case.net, case.x, case.y, steps, queries, **ball)
    return [
        _common.compare(
            case, name, theirs[name], lambda attack=attack: attack(case.net, case.x, case.y)
        )[0]
        for name, attack in ours.items()
    ]


def peers(
    net: Any, x: np.ndarray, y: np.ndarray, steps: int, queries: int, *, norm: str, eps: float
) -> dict[str, Callable[[], np.ndarray]]:
    """ART's attacks, one restart each, all images in one batch."""
    from art.attacks.evasion import AutoProjectedGradientDescent, SquareAttack

    ball: dict[str, Any] = {"norm": NORMS[norm], "eps": eps}
    shared: dict[str, Any] = {"batch_size": len(x), "verbose": False}
    apgd = AutoProjectedGradientDescent(
        classifier(net, x), **ball, eps_step=2 * eps, max_iter=steps, nb_random_init=1, **shared
    )
    square = SquareAttack(classifier(net, x), **ball, max_iter=queries, nb_restarts=1, **shared)
    labels = np.eye(_subjects.CLASSES, dtype=np.float32)[y]
    return {
        "apgd-ce": lambda: apgd.generate(x, labels),
        "square": lambda: square.generate(x, labels),
    }


def classifier(net: Any, x: np.ndarray) -> Any:
    """The network as ART sees it; cross-entropy from logits."""
    import tensorflow as tf
    from art.estimators.classification import TensorFlowV2Classifier

    return TensorFlowV2Classifier(
        model=net,
        nb_classes=_subjects.CLASSES,
        input_shape=x.shape[1:],
        loss_object=tf.keras.losses.CategoricalCrossentropy(from_logits=True),
        clip_values=(0.0, 1.0),
    )


if __name__ == "__main__":
    sys.exit(main())
