"""AutoAttack by its authors, on a PyTorch twin with copied weights.

    python -m benchmarks.referees.official_autoattack --images 1000 --norm l1

The package ``pyautoattack`` holds the authors' attacks (github.com/fra31/auto-attack) unchanged but
for logging and types. Every attack gets all images; "in total" is what any of the four fools.
``pip install --no-deps pyautoattack``.
"""

from __future__ import annotations

import sys

from benchmarks.referees import _common

NORMS = {"linf": "Linf", "l2": "L2", "l1": "L1"}


def main(arguments: list[str] | None = None) -> int:
    """Run both sides; 0 if ours finds at least as many everywhere."""
    flags = _common.autoattack_parser(__doc__.splitlines()[0], list(NORMS)).parse_args(arguments)
    return _common.judge_autoattack(flags, "pyautoattack", peers)


def peers(case: _common.Case, steps: int, queries: int) -> dict[str, _common.Attacked]:
    """The four attacks of the standard version, as it sets them."""
    import pyautoattack

    suite = pyautoattack.AutoAttack(
        case.torch_twin(), norm=NORMS[case.norm], eps=case.eps, seed=0, version="standard"
    )
    for apgd in (suite.apgd, suite.apgd_targeted):
        apgd.n_iter = apgd.n_iter_orig = steps
    suite.fab.targeted, suite.fab.n_iter, suite.square.n_queries = True, steps, queries
    attacks = {
        "apgd-ce": suite.apgd,
        "apgd-t": suite.apgd_targeted,
        "fab-t": suite.fab,
        "square": suite.square,
    }
    return {name: case.on_arrays(attack.perturb) for name, attack in attacks.items()}


if __name__ == "__main__":
    sys.exit(main())
