"""AutoAttack by torchattacks, on a PyTorch twin with copied weights.

    python -m benchmarks.referees.torchattacks_autoattack --images 200 --norm l2

torchattacks runs its attacks with 10 steps unless told otherwise; here both sides have the steps
and queries of the paper (100 and 5,000). Every attack gets all images; "in total" is what any of
the four fools. ``pip install --no-deps torchattacks`` (it asks for old versions of others).
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks import _subjects
from benchmarks.referees import _common

NORMS = {"linf": "Linf", "l2": "L2"}


def main(arguments: list[str] | None = None) -> int:
    """Run both sides; 0 if ours finds at least as many everywhere."""
    parser = _common.parser(__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=100, help="of APGD and FAB (default 100)")
    parser.add_argument("--queries", type=int, default=5000, help="of Square (default 5000)")
    flags = parser.parse_args(arguments)
    _common.needs("torchattacks")
    case = _common.prepared(flags)
    _common.use_torch_threads(flags.threads)
    return _common.report(rows(case, flags.steps, flags.queries), flags.json)


def rows(case: _common.Case, steps: int = 100, queries: int = 5000) -> list[_common.Row]:
    """A row for each attack and one for all together."""
    from slr_keras.evaluation import attacks_of

    found, theirs, ours = [], [], []
    own = attacks_of("standard", case.norm, case.eps, _subjects.CLASSES)
    for name, peer in peers(case, steps, queries).items():
        short = {"queries": queries} if name == "square" else {"steps": steps}
        attack = own[name].replace(**short)
        row, their_hits, our_hits = _common.compare(
            case, name, peer, lambda attack=attack: attack(case.net, case.x, case.y)
        )
        found.append(row)
        theirs.append(their_hits)
        ours.append(our_hits)
    return [*found, _total(found, np.any(theirs, axis=0), np.any(ours, axis=0))]


def _total(found: list[_common.Row], theirs: np.ndarray, ours: np.ndarray) -> _common.Row:
    seconds = [sum(row.their_seconds for row in found), sum(row.our_seconds for row in found)]
    return _common.Row("in total", len(theirs), int(theirs.sum()), int(ours.sum()), *seconds)


def peers(
    case: _common.Case, steps: int, queries: int, twin: Any = None
) -> dict[str, Callable[[], np.ndarray]]:
    """The four attacks of torchattacks with the settings of the paper.

    ``twin``: a PyTorch network of the same layers, which gets the weights (default: small CNN).
    """
    import torchattacks

    twin, classes = case.torch_twin(twin), _subjects.CLASSES
    ball: dict[str, Any] = {"norm": NORMS[case.norm], "eps": case.eps, "seed": 0}
    attacks = {
        "apgd-ce": torchattacks.APGD(twin, **ball, steps=steps, loss="ce"),
        "apgd-t": torchattacks.APGDT(twin, **ball, steps=steps, n_classes=classes),
        "fab-t": torchattacks.FAB(
            twin, **ball, steps=steps, multi_targeted=True, n_classes=classes
        ),
        "square": torchattacks.Square(twin, **ball, n_queries=queries, resc_schedule=False),
    }
    return {name: on_arrays(attack, case) for name, attack in attacks.items()}


def on_arrays(attack: Any, case: _common.Case) -> Callable[[], np.ndarray]:
    """An attack of torchattacks as a function that gives Keras' images."""
    import torch

    from benchmarks import torch_reference

    x, y = torch_reference.to_torch_images(case.x), torch.from_numpy(case.y).long()
    return lambda: attack(x, y).detach().numpy().transpose(0, 2, 3, 1)


if __name__ == "__main__":
    sys.exit(main())
