"""Attacks by their name on the command line; loads no framework."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable
from typing import Any

from slr_keras.attacks._base import Attack
from slr_keras.attacks._norms import NORMS
from slr_keras.corruptions._base import GROUPS, SEVERITIES
from slr_keras.errors import UserError, did_you_mean
from slr_keras.settings import registry, schema
from slr_keras.settings.schema import PIXELS, Facts

CLEAN = "clean"
AUTOATTACK = "autoattack"
VERSIONS = ("standard", "plus", "rand")  # of AutoAttack
WORST = "worst case"  # the row of what no attack fooled
TRANSFER = "mi-fgsm"  # made for it
CORRUPTIONS = "corruptions"
USUAL = (CLEAN, "fgsm", "pgd-20")  # where nothing else is asked for
NAMES: dict[str, tuple[str, dict[str, Any]]] = {  # names beside those of the registry
    "apgd-ce": ("apgd", {"loss": "ce"}),
    "apgd-dlr": ("apgd", {"loss": "dlr"}),
    "apgd-t": ("apgd", {"loss": "dlr", "targets": 9}),
    "fab-t": ("fab", {"targets": 9}),
    "cw-linf": ("cw", {"norm": "linf"}),
    "cw-l2": ("cw", {"norm": "l2"}),
}
WHOLE = {
    CLEAN: "The images as they are.",
    CORRUPTIONS: "Noise, blur, weather and digital changes: 15 kinds at 5 severities each.",
    AUTOATTACK: "APGD-CE, APGD-T, FAB-T and Square one after the other: the field's measure.",
}
COUNTS = ("steps", "queries")  # settings that a number at the end of a name may be
OWN_BALL = "@"  # between a name and the ball of its own: pgd-20@l2:0.5
RADIUS = Facts("radius", unit=PIXELS, at_least=0)


@dataclasses.dataclass(frozen=True)
class Ball:
    """Where the attacks search; ``step_size`` None means a quarter of the radius."""

    norm: str = "linf"
    eps: float = 8 / 255
    step_size: float | None = None
    restarts: int = 1


def read_ball(
    like: Attack, norm: str | None, eps: str | None, step_size: str | None, restarts: int
) -> Ball:
    """The ball of flags' texts; what is None is as in the attack ``like``, of the training.

    Raises:
        UserError: a number that is none, or another norm without a radius.
    """
    if eps is None and norm not in (None, like.norm):
        raise UserError(f"--norm {norm}: the radius at hand is one in {like.norm}, give --eps")
    step = getattr(like, "step_size", None) if eps is None else None
    if step_size is not None:
        positive = Facts("step", unit=PIXELS, above=0)
        step = schema.check("--step-size", float, positive, step_size)
    size = like.eps if eps is None else schema.check("--eps", float, RADIUS, eps)
    return Ball(norm or like.norm, size, step, restarts)


@dataclasses.dataclass(frozen=True)
class Source:
    """Another Keras classifier that an attack is made on: what it is called, and its weights."""

    name: str
    digest: str
    net: Any


@dataclasses.dataclass(frozen=True)
class Step:
    """A part of an evaluation and the name of its row: an attack, a natural change of the images,
    a certificate, or none of them: the clean images.

    Attacks of one ``suite`` come one after the other, each on what those before left robust. An
    attack with a ``source`` sees that model alone; its images are judged on the one evaluated.

    Attributes:
        corruption: a :class:`slr_keras.corruptions._base.Corruption`, or images from a disk.
        certificate: a :class:`slr_keras.evaluation.smoothing.Smoothing`.
    """

    name: str
    attack: Attack | None = None
    suite: str = ""
    source: Source | None = None
    corruption: Any = None
    certificate: Any = None

    @property
    def clean(self) -> bool:
        """The images as they are."""
        return self.attack is None and self.corruption is None and self.certificate is None

    def labels(self, y: Any) -> Any:
        """The labels of the images: ``y``, or those that lie beside images from a disk."""
        own = getattr(self.corruption, "labels", None)
        return y if own is None else own[: len(y)]

    @property
    def nearest(self) -> bool:
        """An attack that gives a distance for each image: what it finds counts at any distance.

        One of a suite is asked about the radius alone.
        """
        return bool(self.attack is not None and self.attack.minimal and not self.suite)


def known_names() -> list[str]:
    """Every name that may be asked for."""
    attacks = registry.variants("attacks").items()
    own = {name for name, cls in attacks if not cls.training_only}
    return sorted({CLEAN, AUTOATTACK, CORRUPTIONS, *own, *NAMES})


def is_part(row: str) -> bool:
    """Whether a row is one of a suite's parts: ``autoattack: apgd-ce``."""
    return ": " in row


def in_own_ball(row: str) -> bool:
    """Whether a row is of another ball than the evaluation's: ``pgd-20@l2:0.5``."""
    return OWN_BALL in row


def is_change(row: str) -> bool:
    """Whether a row is that of a single natural change: ``corruptions: fog-3``."""
    return row.startswith(f"{CORRUPTIONS}: ")


def described() -> dict[str, str]:
    """Every name that may be asked for, with a line on what it is."""
    known, found = registry.variants("attacks"), {}
    for name in known_names():
        kind, settings = NAMES.get(name, (name, {}))
        words = (known[kind].__doc__ or "").strip().partition("\n")[0] if kind in known else ""
        how = ", ".join(f"{key} {value}" for key, value in settings.items())
        found[name] = f"{words} ({how})" if how else words or WHOLE[name]
    return found


def make_attack(spec: str, ball: Ball) -> Attack:
    """``"fgsm"``, or with a number of steps or queries ``"pgd-20"``.

    >>> make_attack("square-1000", Ball()).queries
    1000

    Raises:
        UserError: no such attack, none or several of them, or a number for one that has none.
    """
    if spec in (CLEAN, AUTOATTACK, CORRUPTIONS):
        raise UserError(f"expected one attack, as pgd-20, received {spec}")
    name, number = _split(spec)
    kind, settings = NAMES.get(name, (name, {}))
    if kind not in registry.variants("attacks") and kind.replace("-", "_") != kind:
        kind = kind.replace("-", "_")
    if kind not in registry.variants("attacks"):
        known = [*known_names(), *registry.variants("corruptions")]
        raise UserError(f"unknown attack: {name!r}.{did_you_mean(name, known)}")
    cls = registry.get("attacks", kind)
    if cls.training_only:
        raise UserError(f"attack {spec!r} leaves the ball, for training alone: take pgd-20")
    if ball.norm not in cls.norms:
        norms = ", ".join(cls.norms)
        raise UserError(f"attack {spec!r} measures in {norms}, not in {ball.norm}: give --norm")
    has = {field.name for field in dataclasses.fields(cls)}
    if settings.get("norm", ball.norm) != ball.norm:
        raise UserError(f"attack {spec!r} measures in {settings['norm']}, not in {ball.norm}")
    wanted: dict[str, Any] = {"norm": ball.norm, "eps": ball.eps} | settings
    if "step_size" in has:
        wanted["step_size"] = ball.step_size or ball.eps / 4 or 1 / 255
    if "restarts" in has and ball.restarts != 1:
        wanted["restarts"] = ball.restarts
    if number is not None:
        count = next((key for key in COUNTS if key in has), None)
        if count is None:
            raise UserError(f"attack {spec!r}: {name} has no number of steps")
        wanted[count] = number
    return cls(**wanted)


def _split(spec: str) -> tuple[str, int | None]:
    """``("pgd", 20)`` of ``"pgd-20"``."""
    match = re.fullmatch(r"([a-z][a-z0-9_]*(?:-[a-z][a-z0-9_]*)*)(?:-(\d{1,9}))?", spec)
    if not match:
        raise UserError(f"attack {spec!r}: expected a name such as fgsm or pgd-20")
    return match[1], int(match[2]) if match[2] else None


def make_steps(
    names: Iterable[str], ball: Ball, version: str = "standard", classes: int = 10
) -> list[Step]:
    """The parts of an evaluation.

    ``autoattack`` stands for the attacks of its version, ``corruptions`` for all kinds and
    severities, ``fog`` for those of fog, ``fog-3`` for one. An attack may have a ball of its own,
    as ``apgd-t@l1:12``; its row keeps that name.

    >>> [step.attack.norm for step in make_steps(["fgsm", "pgd-20@l2:0.5"], Ball())]
    ['linf', 'l2']
    """
    steps: list[Step] = []
    for name in dict.fromkeys(names):
        spec, own = _in_ball(name, ball)
        if spec == AUTOATTACK:
            steps.extend(_suite(name, own, version, classes))
        elif found := _corruptions(spec):
            steps.extend(found)
        else:
            attack = None if spec == CLEAN else fitted(make_attack(spec, own), classes)
            steps.append(Step(name, attack))
    return steps


def _in_ball(name: str, ball: Ball) -> tuple[str, Ball]:
    """``"pgd-20@l2:0.5"`` as the attack and its own ball; ``ball`` for a name without one."""
    spec, own, where = name.partition(OWN_BALL)
    if not own:
        return name, ball
    norm, colon, eps = where.partition(":")
    if norm not in NORMS or not colon:
        raise UserError(
            f"attack {name!r}: expected {spec}{OWN_BALL}NORM:EPS, as {spec}{OWN_BALL}l2:0.5, "
            f"norms are {', '.join(NORMS)}"
        )
    if spec == CLEAN or _corruptions(spec):
        raise UserError(f"attack {name!r}: {spec} is no attack and has no ball, ask for {spec}")
    radius = schema.check(f"attack {name!r}", float, RADIUS, eps)
    return spec, dataclasses.replace(ball, norm=norm, eps=radius, step_size=None)


def _suite(name: str, ball: Ball, version: str, classes: int) -> list[Step]:
    from slr_keras.evaluation.versions import attacks_of

    suite = name if version == "standard" else f"{name} {version}"
    found = attacks_of(version, ball.norm, ball.eps, classes)
    return [Step(f"{suite}: {part}", attack, suite) for part, attack in found.items()]


def _corruptions(spec: str) -> list[Step]:
    """The natural changes that a name stands for; none if it is another one's."""
    if spec == CORRUPTIONS:
        kinds = registry.shipped("corruptions").values()
        among = sorted(kinds, key=lambda kind: GROUPS.index(kind.group))
        return [_changed(kind(severity=s), CORRUPTIONS) for kind in among for s in SEVERITIES]
    (name, severity), known = _split(spec), registry.variants("corruptions")
    if name not in known:
        return []
    if severity not in (None, *SEVERITIES):
        raise UserError(f"attack {spec!r}: expected a severity from 1 to 5, as {name}-3")
    return [_changed(known[name](severity=s)) for s in ([severity] if severity else SEVERITIES)]


def _changed(change: Any, suite: str = "") -> Step:
    return Step(f"{CORRUPTIONS}: {change.name}-{change.severity}", suite=suite, corruption=change)


def fitted(attack: Attack, classes: int) -> Attack:
    """The attack for a model of so many classes: no more targets than wrong classes, and where
    the targeted DLR is not defined (below four classes) the cross-entropy instead."""
    targets = getattr(attack, "targets", 0)
    changes: dict[str, Any] = {}
    if targets > classes - 1:
        changes["targets"] = classes - 1
    if targets and classes < 4 and getattr(attack, "loss", "") == "dlr":
        changes["loss"] = "ce"
    return attack.replace(**changes) if changes else attack
