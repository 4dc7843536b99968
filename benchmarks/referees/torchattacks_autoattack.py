"""AutoAttack by torchattacks, on a PyTorch twin with copied weights.

    python -m benchmarks.referees.torchattacks_autoattack --images 200 --norm l2

torchattacks runs its attacks with 10 steps unless told otherwise; here both sides have the steps
and queries of the paper (100 and 5,000). Every attack gets all images; "in total" is what any of
the four fools. ``pip install --no-deps torchattacks`` (it asks for old versions of others).
"""

from __future__ import annotations

import sys
from typing import Any

from benchmarks import _subjects
from benchmarks.referees import _common

NORMS = {"linf": "Linf", "l2": "L2"}


def main(arguments: list[str] | None = None) -> int:
    """Run both sides; 0 if ours finds at least as many everywhere."""
    flags = _common.autoattack_parser(__doc__.splitlines()[0]).parse_args(arguments)
    return _common.judge_autoattack(flags, "torchattacks", peers)


def peers(
    case: _common.Case, steps: int, queries: int, twin: Any = None
) -> dict[str, _common.Attacked]:
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
    return {name: case.on_arrays(attack) for name, attack in attacks.items()}


if __name__ == "__main__":
    sys.exit(main())
