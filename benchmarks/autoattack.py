"""AutoAttack standard: slr_keras against torchattacks, and against ART where they overlap.

    python -m benchmarks.autoattack --model small_cnn --images 64
    python -m benchmarks.autoattack --model resnet18 --weights best.keras --images 64   # hours
    python -m benchmarks.autoattack --model small_cnn --memory

One run of each attack by each side in turn, on the same images with the same steps and queries;
ours includes compiling. Images that are fooled leave our batches: give a radius at which most stay
robust to see the attacks in full. ART's operations and, beside it, ours have all threads; with
``--peers torchattacks`` ours have one each and parts of the batch share them, as in the commands.
``--memory``: peak memory of ours for the images and four times as many, each in a process of its
own.
"""

from __future__ import annotations

import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import _subjects, _timing
from benchmarks.referees import _common

EPS = {"small_cnn": 8 / 255, "resnet18": 1 / 255}
TARGETS = {"torchattacks": 0.9, "ART": 0.25}
Works = dict[str, Callable[[], np.ndarray]]


def main(arguments: list[str] | None = None) -> int:
    """Time every peer that is there; 0 if all targets are reached."""
    parser = _timing.parser(__doc__.splitlines()[0])
    parser.add_argument("--model", choices=sorted(_subjects.SHAPES), default="small_cnn")
    parser.add_argument("--weights", metavar="FILE", help=".keras network of that kind")
    parser.add_argument("--images", type=int, default=64, help="default 64")
    parser.add_argument("--eps", type=float, help="L-infinity radius (small CNN 8/255, else 1/255)")
    parser.add_argument("--steps", type=int, default=100, help="of APGD and FAB (default 100)")
    parser.add_argument("--queries", type=int, default=5000, help="of Square (default 5000)")
    parser.add_argument("--peers", nargs="+", choices=list(PEERS), default=list(PEERS))
    parser.add_argument("--memory", action="store_true", help="peak memory of ours instead")
    parser.add_argument("--ours-alone", action="store_true", help="run ours, print its peak memory")
    flags = parser.parse_args(arguments)
    if flags.memory:
        return _memory(sys.argv[1:] if arguments is None else arguments, flags.images)
    in_tensorflow = "ART" in flags.peers and not flags.ours_alone
    _timing.use_threads(flags.threads, flags.threads if in_tensorflow else 1)
    case = _case(flags)
    ours = _ours(case, flags.steps, flags.queries)
    if flags.ours_alone:
        for run in ours.values():
            run()
        print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
        return 0
    return _timing.report(_compare(case, ours, _peers(case, flags)), flags.json)


def _case(flags: Any) -> _common.Case:
    """Digits for the small CNN, else random images; labels are what the network says."""
    eps = EPS[flags.model] if flags.eps is None else flags.eps
    if flags.weights:
        from slr_keras import saving

        net = saving.load_model(Path(flags.weights))
    else:
        net = _common.trained() if flags.model == "small_cnn" else _subjects.network(flags.model)
    if flags.model == "small_cnn":
        x = np.resize(_common.digits()[0][_common.TRAINING_IMAGES :], (flags.images, 8, 8, 1))
    else:
        x = _subjects.data(flags.model, flags.images).x
    y = net.predict(x, batch_size=128, verbose=0).argmax(-1).astype("int32")
    return _common.Case(net, x, y, "linf", eps)


def _ours(case: _common.Case, steps: int, queries: int) -> Works:
    from slr_keras.evaluation import attacks_of

    def bound(attack: Any) -> Callable[[], np.ndarray]:
        return lambda: attack(case.net, case.x, case.y)

    found = attacks_of("standard", case.norm, case.eps, _subjects.CLASSES)
    return {
        name: bound(
            attack.replace(**{"queries": queries} if name == "square" else {"steps": steps})
        )
        for name, attack in found.items()
    }


def _peers(case: _common.Case, flags: Any) -> dict[str, Works]:
    """The attacks of each peer that is installed."""
    found: dict[str, Works] = {}
    for name in flags.peers:
        try:
            found[name] = PEERS[name](case, flags)
        except ImportError as error:
            print(f"{name} is left out: {error}. pip install -r benchmarks/requirements.txt")
    return found


def _torchattacks(case: _common.Case, flags: Any) -> Works:
    from benchmarks.referees import torchattacks_autoattack

    _common.use_torch_threads(flags.threads)
    twin = _subjects.torch_network(flags.model).eval()
    return torchattacks_autoattack.peers(case, flags.steps, flags.queries, twin)


def _art(case: _common.Case, flags: Any) -> Works:
    from benchmarks.referees import art_attacks

    return art_attacks.peers(
        case.net, case.x, case.y, flags.steps, flags.queries, norm=case.norm, eps=case.eps
    )


PEERS = {"torchattacks": _torchattacks, "ART": _art}


def _compare(case: _common.Case, ours: Works, peers: dict[str, Works]) -> list[_timing.Comparison]:
    """Each attack by ours and all peers in turn, then the sums of those they share."""
    times: dict[str, dict[str, _timing.Times]] = {name: {} for name in ("ours", *peers)}
    for attack in ours:
        for side, works in {"ours": ours, **peers}.items():
            if attack in works:
                times[side][attack], results = _timing.Times(), []
                times[side][attack].measure(
                    lambda run=works[attack], keep=results: keep.append(run())
                )
                left = int((~case.fooled(results[0])).sum())
                print(f"{attack}, {side}: {left} of {len(case.x)} robust", flush=True)
    found = []
    for peer in peers:
        for attack, theirs in times[peer].items():
            found.append(_timing.Comparison(f"{attack} / {peer}", times["ours"][attack], theirs))
        own = {attack: times["ours"][attack] for attack in times[peer]}
        sums = _sum(own), _sum(times[peer])
        found.append(_timing.Comparison(f"all of these / {peer}", *sums, TARGETS[peer]))
    return found


def _sum(times: dict[str, _timing.Times]) -> _timing.Times:
    """One run of several attacks after another."""
    wall, cpu = ([sum(getattr(t, key)[0] for t in times.values())] for key in ("wall", "cpu"))
    return _timing.Times(wall, cpu)


def _memory(arguments: list[str], images: int) -> int:
    """Peak memory for the images and four times as many; 0 if it grows by less than a tenth."""
    rest = [part for part in arguments if part != "--memory"]
    peaks = []
    for count in (images, 4 * images):
        command = [sys.executable, "-m", "benchmarks.autoattack", *rest]
        command += ["--images", str(count), "--ours-alone"]
        out = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        peaks.append(float(out.split()[-1]))
        print(f"{count} images: peak {peaks[-1]:.0f} MiB", flush=True)
    return int(peaks[1] > 1.1 * peaks[0])


if __name__ == "__main__":
    sys.exit(main())
