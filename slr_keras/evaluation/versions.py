"""The versions of AutoAttack (Croce & Hein 2020, arXiv 2003.01690); loads no framework."""

from __future__ import annotations

from typing import Any

from slr_keras.attacks._staged import Staged
from slr_keras.attacks.apgd import APGD
from slr_keras.attacks.fab import FAB
from slr_keras.attacks.square import Square
from slr_keras.errors import UserError, did_you_mean

ORDER = {
    "standard": ("apgd-ce", "apgd-t", "fab-t", "square"),
    "plus": ("apgd-ce", "apgd-dlr", "fab", "square", "apgd-t", "fab-t"),
    "rand": ("apgd-ce", "apgd-dlr"),
}
VERSIONS = tuple(ORDER)


def attacks_of(
    version: str, norm: str = "linf", eps: float = 8 / 255, classes: int = 10
) -> dict[str, Staged]:
    """The attacks of a version of AutoAttack, in order, with the official settings.

    With fewer than four classes the targeted DLR is not defined and APGD-T raises the
    cross-entropy towards its targets instead; there are never more than K - 1 targets. Square has
    no L1 version and is left out there.

    >>> list(attacks_of("standard"))
    ['apgd-ce', 'apgd-t', 'fab-t', 'square']
    """
    if version not in VERSIONS:
        near = did_you_mean(version, VERSIONS)
        raise UserError(f"unknown version of AutoAttack: {version!r}.{near}")
    ball: dict[str, Any] = {"norm": norm, "eps": eps}
    eot, restarts = (20 if version == "rand" else 1), (5 if version == "plus" else 1)
    targets = min(9 if norm != "l1" else 5, classes - 1)
    found: dict[str, Staged] = {
        "apgd-ce": APGD(**ball, restarts=5 if norm == "l1" else restarts, eot=eot),
        "apgd-dlr": APGD(**ball, loss="dlr", restarts=restarts, eot=eot),
        "apgd-t": APGD(**ball, loss="dlr" if classes >= 4 else "ce", targets=targets),
        "fab": FAB(**ball, restarts=restarts, random=True),
        "fab-t": FAB(**ball, targets=min(9, classes - 1)),
    }
    if norm != "l1":
        found["square"] = Square(**ball, rescale=False)  # the official schedule: of 10,000 queries
    if classes < 3:
        del found["apgd-dlr"]
    return {name: found[name] for name in ORDER[version] if name in found}
