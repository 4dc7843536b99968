"""PGD, DeepFool and Carlini and Wagner by Foolbox, on the same Keras network.

    python -m benchmarks.referees.foolbox_attacks --images 200 --norm l2

DeepFool and Carlini and Wagner look for the nearest adversarial image: for them the median
distance is compared as well. Foolbox has Carlini and Wagner in L2 only.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.referees import _common

Peer = Callable[[], np.ndarray]


def main(arguments: list[str] | None = None) -> int:
    """Run both sides; 0 if ours finds at least as many everywhere."""
    parser = _common.parser(__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=40, help="of PGD (default 40)")
    parser.add_argument("--cw-steps", type=int, default=300, help="of each search (default 300)")
    flags = parser.parse_args(arguments)
    _common.needs("foolbox")
    case = _common.prepared(flags)
    return _common.report(rows(case, flags.steps, flags.cw_steps), flags.json)


def rows(case: _common.Case, steps: int = 40, cw_steps: int = 300) -> list[_common.Row]:
    """A row for each attack."""
    found = [_pgd(case, steps), _deepfool(case)]
    return [*found, _cw(case, cw_steps)] if case.norm == "l2" else found


def _pgd(case: _common.Case, steps: int) -> _common.Row:
    import foolbox

    import slr_keras as slr

    length = case.eps / 4  # from the image: random starts alone are worth a point either way
    kind = {"linf": foolbox.attacks.LinfPGD, "l2": foolbox.attacks.L2PGD}[case.norm]
    peer = _peer(case, kind(abs_stepsize=length, steps=steps, random_start=False), case.eps)
    ours = slr.attacks.PGD(case.norm, case.eps, step_size=length, steps=steps, random=False)
    return _common.compare(case, f"pgd-{steps}", peer, _ours(case, ours))[0]


def _deepfool(case: _common.Case) -> _common.Row:
    import foolbox

    import slr_keras as slr

    names = {"linf": "LinfDeepFoolAttack", "l2": "L2DeepFoolAttack"}
    peer = _peer(case, getattr(foolbox.attacks, names[case.norm])(steps=50, overshoot=0.02))
    ours = slr.attacks.DeepFool(norm=case.norm, eps=case.eps, steps=50, overshoot=0.02)
    return _common.compare(case, "deepfool", peer, _ours(case, ours), nearest=True)[0]


def _cw(case: _common.Case, steps: int) -> _common.Row:
    import foolbox

    import slr_keras as slr

    peer = _peer(case, foolbox.attacks.L2CarliniWagnerAttack(steps=steps, binary_search_steps=9))
    ours = slr.attacks.CW(norm="l2", eps=case.eps, steps=steps, searches=9)
    return _common.compare(case, "cw", peer, _ours(case, ours), nearest=True)[0]


def _ours(case: _common.Case, attack: Any) -> Peer:
    return lambda: attack(case.net, case.x, case.y)


def _peer(case: _common.Case, attack: Any, eps: float | None = None) -> Peer:
    """An attack of Foolbox as a function that gives images; without ``eps`` the nearest ones."""
    import foolbox
    import tensorflow as tf

    model = foolbox.TensorFlowModel(case.net, bounds=(0, 1))
    x, y = tf.constant(case.x), tf.constant(case.y, tf.int64)  # as Foolbox counts classes
    if eps is not None:
        return lambda: attack.run(model, x, y, epsilon=eps).numpy()
    return lambda: attack.run(model, x, y).numpy()


if __name__ == "__main__":
    sys.exit(main())
