"""Attacks by their name on the command line; loads no framework."""

from __future__ import annotations

import dataclasses
import re

from slr_keras import registry
from slr_keras.attacks._base import Attack
from slr_keras.attacks.pgd import PGD
from slr_keras.errors import UserError

CLEAN = "clean"
_SPEC = re.compile(r"([a-z][a-z_]*?)(?:-(\d+))?")


@dataclasses.dataclass(frozen=True)
class Ball:
    """Where the attacks search; ``step_size`` None means a quarter of the radius."""

    norm: str = "linf"
    eps: float = 8 / 255
    step_size: float | None = None
    restarts: int = 1


def make_attack(spec: str, ball: Ball) -> Attack | None:
    """``"clean"`` (None), ``"fgsm"``, ``"pgd"`` or, with its number of steps, ``"pgd-20"``.

    Raises:
        UserError: no such attack, or steps for one that has none.
    """
    if spec == CLEAN:
        return None
    match = _SPEC.fullmatch(spec)
    if not match:
        raise UserError(f"attack {spec!r}: expected a name such as fgsm or pgd-20")
    cls = registry.get("attacks", match[1])
    names = {field.name for field in dataclasses.fields(cls)}
    wanted = {
        "norm": ball.norm,
        "eps": ball.eps,
        "step_size": ball.step_size or ball.eps / 4 or 1 / 255,
        "restarts": ball.restarts,
        "steps": int(match[2]) if match[2] else PGD.steps,
    }
    if match[2] and "steps" not in names:
        raise UserError(f"attack {spec!r}: {match[1]} has no number of steps")
    return cls(**{key: value for key, value in wanted.items() if key in names})
