"""Distances of the minimal-norm attacks: FMN and DDN by Foolbox and adv-lib, sigma-zero by adv-lib.

    python -m benchmarks.referees.minimal_norms --images 200

The referees attack a PyTorch twin with the weights of our network; one judge, the Keras network,
says what fools. Ours may be above a referee's distance by one percent, in the median and, on more
than one image in fifty, nowhere by more.
"""

from __future__ import annotations

import dataclasses
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.referees import _common
from benchmarks.referees._common import Attacked, Case

NORMS = {"linf": np.inf, "l2": 2, "l1": 1, "l0": 0}
ABOVE = 0.01  # of a distance: by how much ours may be above
FEW = 0.02  # of the images that may be above by more
HEADER = [
    *("attack", "referee", "their median", "our median", "ratio"),
    *("above by > 1 %", "below by > 1 %", "as near", "their s", "our s"),
]


@dataclasses.dataclass(frozen=True)
class Row:
    """One attack by both sides: the distance of each image, infinite where none was found."""

    attack: str
    referee: str
    theirs: np.ndarray
    ours: np.ndarray
    their_seconds: float
    our_seconds: float

    @property
    def medians(self) -> tuple[float, float]:
        """Of theirs and of ours."""
        return float(np.median(self.theirs)), float(np.median(self.ours))

    @property
    def above(self) -> float:
        """The share of images on which ours is above by more than a percent."""
        return float((self.ours > (1 + ABOVE) * self.theirs).mean())

    @property
    def below(self) -> float:
        """The share on which theirs is."""
        return float((self.theirs > (1 + ABOVE) * self.ours).mean())

    @property
    def agrees(self) -> bool:
        """Ours is as near, in the median and on all but a few images."""
        theirs, ours = self.medians
        return ours <= (1 + ABOVE) * theirs and self.above <= FEW

    def cells(self) -> list[str]:
        """The line of the table."""
        theirs, ours = self.medians
        shares = [f"{100 * share:.1f} %" for share in (self.above, self.below)]
        times = [f"{seconds:.1f}" for seconds in (self.their_seconds, self.our_seconds)]
        numbers = [f"{theirs:.4f}", f"{ours:.4f}", f"{ours / theirs:.3f}"]
        verdict = "yes" if self.agrees else "NO"
        return [self.attack, self.referee, *numbers, *shares, verdict, *times]

    def as_json(self) -> dict[str, Any]:
        """What the line says, as plain values."""
        theirs, ours = self.medians
        found = {"attack": self.attack, "referee": self.referee, "their_median": theirs}
        return found | {
            "our_median": ours,
            "above": self.above,
            "below": self.below,
            "agrees": self.agrees,
        }


def main(arguments: list[str] | None = None) -> int:
    """Run all sides; 0 if ours is as near everywhere."""
    parser = _common.parser(__doc__.splitlines()[0], list(NORMS))
    parser.add_argument("--steps", type=int, default=100, help="of each attack (default 100)")
    flags = parser.parse_args(arguments)
    for package in ("foolbox", "adv_lib"):
        _common.needs(package)
    case = _common.prepared(flags)
    _common.use_torch_threads(flags.threads)
    found = list(rows(case, flags.steps))
    _show([HEADER, *(row.cells() for row in found)])
    if flags.json:
        text = json.dumps([row.as_json() for row in found], indent=2)
        Path(flags.json).write_text(text + "\n", encoding="utf-8")
    return 0 if all(row.agrees for row in found) else 1


def rows(case: Case, steps: int = 100) -> list[Row]:
    """A row for each attack, norm and referee."""
    import slr_keras as slr

    twin, attacks = case.torch_twin(), slr.attacks
    found = []
    for norm in NORMS:
        peers = {"Foolbox": _foolbox(case, twin, FMN[norm], steps=steps)}
        peers["adv-lib"] = _adv_lib(case, twin, "fmn", norm=NORMS[norm], steps=steps)
        settings = {"norm": NORMS[norm], "num_steps": steps}
        peers["adv-lib PDPGD"] = _adv_lib(case, twin, "pdpgd", **settings)
        found += _compare(case, attacks.FMN(norm=norm, steps=steps), peers)
    peers = {"Foolbox": _foolbox(case, twin, "DDNAttack", steps=steps)}
    peers["adv-lib"] = _adv_lib(case, twin, "ddn", steps=steps, levels=None)
    found += _compare(case, attacks.DDN(steps=steps), peers)
    peers = {"adv-lib": _adv_lib(case, twin, "sigma_zero", num_steps=steps)}
    return found + _compare(case, attacks.SigmaZero(steps=steps), peers)


FMN = {
    "linf": "LInfFMNAttack",
    "l2": "L2FMNAttack",
    "l1": "L1FMNAttack",
    "l0": "L0FMNAttack",
}


def _compare(case: Case, attack: Any, peers: dict[str, Attacked]) -> list[Row]:
    free = attack.unbounded(case.x.shape[1:])
    name = f"{attack.name}, {attack.norm}"
    ours, our_seconds = _measured(case, attack.norm, lambda: free(case.net, case.x, case.y))
    found = []
    for referee, peer in peers.items():
        theirs, seconds = _measured(case, attack.norm, peer)
        found.append(Row(name, referee, theirs, ours, seconds, our_seconds))
        print(" ".join(found[-1].cells()), flush=True)
    return found


def _measured(case: Case, norm: str, run: Attacked) -> tuple[np.ndarray, float]:
    """Distances (N,) in float64 of what fools and lies in [0, 1], and seconds."""
    begun = time.perf_counter()
    images = np.clip(np.asarray(run()), 0, 1)
    seconds = time.perf_counter() - begun
    d = (images.astype("float64") - case.x).reshape(len(case.x), -1)
    distance = np.linalg.norm(d, NORMS[norm], axis=1)
    return np.where(case.fools(images), distance, np.inf), seconds


def _foolbox(case: Case, twin: Any, name: str, **settings: Any) -> Attacked:
    import foolbox

    model = foolbox.PyTorchModel(twin, bounds=(0, 1), device="cpu")
    attack = getattr(foolbox.attacks, name)(**settings)
    return case.on_arrays(lambda x, y: attack.run(model, x, y))


def _adv_lib(case: Case, twin: Any, name: str, **settings: Any) -> Attacked:
    from adv_lib import attacks

    attack: Callable[..., Any] = getattr(attacks, name)
    return case.on_arrays(lambda x, y: attack(twin, x, y, **settings))


def _show(table: list[list[str]]) -> None:
    widths = [max(len(line[column]) for line in table) for column in range(len(HEADER))]
    for line in table:
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)))


if __name__ == "__main__":
    sys.exit(main())
