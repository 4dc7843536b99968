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
    cross-entropy towards its targets instead; there are never more than K - 1 targets. In L1 the
    standard version's balls shrink, its APGD-CE has five restarts and its APGD-T five targets
    (Croce & Hein 2021, arXiv 2103.01208).

    >>> list(attacks_of("standard"))
    ['apgd-ce', 'apgd-t', 'fab-t', 'square']
    """
    if version not in VERSIONS:
        near = did_you_mean(version, VERSIONS)
        raise UserError(f"unknown version of AutoAttack: {version!r}.{near}")
    ball: dict[str, Any] = {"norm": norm, "eps": eps}
    sparse = version == "standard" and norm == "l1"
    eot, restarts = (20 if version == "rand" else 1), (5 if version == "plus" or sparse else 1)
    targets, targeted_loss = min(9, classes - 1), "dlr" if classes >= 4 else "ce"
    apgd: dict[str, Any] = ball | {"restarts": restarts, "eot": eot, "shrinking": sparse}
    aimed = APGD(**ball, loss=targeted_loss, targets=min(targets, 5) if sparse else targets)
    found: dict[str, Staged] = {
        "apgd-ce": APGD(**apgd),
        "apgd-dlr": APGD(**apgd, loss="dlr"),
        "apgd-t": aimed.replace(shrinking=sparse),
        "fab": FAB(**ball, restarts=restarts),
        "fab-t": FAB(**ball, targets=targets),
        "square": Square(**ball, rescale=False),  # the official schedule: of 10,000 queries
    }
    if classes < 3:
        del found["apgd-dlr"]
    return {name: found[name] for name in ORDER[version] if name in found}
