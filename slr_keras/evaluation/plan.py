"""What an evaluation is asked for, read from texts before any framework is loaded."""

from __future__ import annotations

import dataclasses
import pathlib
from typing import Any

from slr_keras import texts
from slr_keras.attacks._base import Attack
from slr_keras.corruptions._base import SEVERITIES
from slr_keras.errors import SettingError, UserError
from slr_keras.evaluation.smoothing import Smoothing
from slr_keras.evaluation.specs import (
    AUTOATTACK,
    CLEAN,
    CORRUPTIONS,
    RADIUS,
    TRANSFER,
    USUAL,
    VERSIONS,
    Ball,
    Step,
    fitted,
    make_attack,
    make_steps,
    read_ball,
)
from slr_keras.settings import schema
from slr_keras.settings.schema import PIXELS, Facts


@dataclasses.dataclass(frozen=True)
class Plan:
    """What is to be measured; the steps depend on the number of classes.

    Attributes:
        names: of the table's rows, ``version`` that of AutoAttack among them.
        radii, curve_attack: of accuracy against epsilon.
        transfer_attack: made on another model.
        certificates: of randomised smoothing.
        stored: folder of changed images in the place of those that are made, or None.
        baseline: what another model's evaluation says of natural changes, or None.
    """

    names: list[str]
    ball: Ball
    version: str
    radii: list[float]
    curve_attack: str
    transfer_attack: str
    certificates: list[Smoothing]
    stored: pathlib.Path | None = None
    baseline: dict[str, Any] | None = None

    @classmethod
    def of(cls, options: Any, attack: Attack) -> Plan:
        """Read the flags of ``evaluate``; ``attack`` is the training's.

        Raises:
            UserError: a flag that means nothing here, no such attack, a number that is none.
        """
        alone = options.curve or options.certify
        names = options.attacks or ([CLEAN] if alone else list(USUAL))
        _check_flags(options, names)
        radii = read_radii(options.curve) if options.curve else []
        like = attack.replace(norm=options.norm) if options.curve and options.norm else attack
        plan = cls(
            names,
            read_ball(like, options.norm, options.eps, options.step_size, options.restarts),
            options.version or VERSIONS[0],
            radii,
            options.curve_attack,
            options.transfer_attack or TRANSFER,
            _certificates(options),
            options.corruptions_from and pathlib.Path(options.corruptions_from),
            options.corruptions_baseline and _baseline(options.corruptions_baseline),
        )
        plan.table(10)
        plan.curve(10)
        if options.transfer_from:
            make_attack(plan.transfer_attack, plan.ball)
        return plan

    def table(self, classes: int) -> list[Step]:
        """The steps of the table."""
        steps = make_steps(self.names, self.ball, self.version, classes)
        if not self.stored:
            return steps
        from slr_keras.evaluation import stored

        return stored.from_folder(steps, self.stored)

    def curve(self, classes: int) -> list[Step]:
        """The steps of the curve: one for each radius, or one that gives all distances."""
        if not self.radii:
            return []
        whole = Step(self.curve_attack, self._attack(self.radii[-1], classes))
        if whole.nearest:
            return [whole]
        return [self._point(radius, classes) for radius in self.radii]

    def _point(self, radius: float, classes: int) -> Step:
        shown = schema.show(radius, RADIUS)
        attack = self._attack(radius, classes) if radius else None
        return Step(f"{self.curve_attack} at {shown}", attack)

    def _attack(self, radius: float, classes: int) -> Attack:
        return fitted(make_attack(self.curve_attack, self._within(radius)), classes)

    def _within(self, radius: float) -> Ball:
        return dataclasses.replace(self.ball, eps=radius, step_size=None)

    def proofs(self) -> list[Step]:
        """The certificates that are asked for."""
        return [
            Step(f"certified, sigma {one.sigma:g}", certificate=one) for one in self.certificates
        ]


def _check_flags(options: Any, names: list[str]) -> None:
    if options.version and AUTOATTACK not in names:
        raise UserError("--version is of autoattack: add --attacks autoattack")
    if options.transfer_attack and not options.transfer_from:
        raise UserError("--transfer-attack is made on another model: add --transfer-from")
    if options.corruptions_from and CORRUPTIONS not in names:
        raise UserError("--corruptions-from says where corruptions are: add --attacks corruptions")
    if options.corruptions_baseline and CORRUPTIONS not in names:
        raise UserError("--corruptions-baseline is of corruptions: add --attacks corruptions")
    if options.robustbench and (
        AUTOATTACK not in names or options.version not in (None, VERSIONS[0])
    ):
        raise UserError("--robustbench tells AutoAttack's figure: add --attacks clean autoattack")
    if options.certify_samples is not None and not options.certify:
        raise UserError("--certify-samples is of a certificate: add --certify, as 0.25")


def _certificates(options: Any) -> list[Smoothing]:
    sigma = Facts("sigma", unit=PIXELS, above=0)
    sizes = [schema.check("--certify", float, sigma, text) for text in options.certify or ()]
    count = options.certify_samples
    given = {} if count is None else {"samples": count}
    try:
        return [Smoothing(sigma=size, **given) for size in dict.fromkeys(sizes)]
    except SettingError as error:
        raise UserError(f"--certify-samples: {error.message}") from None


def _baseline(path: str) -> dict[str, Any]:
    """The natural changes of an evaluation.json, at all severities."""
    try:
        section = dict(texts.from_json(pathlib.Path(path).read_bytes())["corruptions"])
        complete = {len(errors) for errors in section["kinds"].values()} == {len(SEVERITIES)}
    except OSError as error:
        raise UserError(f"--corruptions-baseline: cannot read {path}: {error.strerror}") from None
    except (ValueError, KeyError, TypeError, AttributeError):
        complete = False
    if not complete:
        raise UserError(
            f"--corruptions-baseline: {path} holds no corruptions at all severities: "
            "evaluate that model with --attacks corruptions first"
        )
    return section


def read_radii(text: str) -> list[float]:
    """``first:last:number`` as radii in equal distances.

    >>> [round(255 * radius, 1) for radius in read_radii("0:16/255:5")]
    [0.0, 4.0, 8.0, 12.0, 16.0]
    """
    parts = text.split(":")
    if len(parts) != 3 or not parts[2].isdecimal() or not 2 <= int(parts[2]) <= 1000:
        raise UserError(
            f"--curve: expected first:last:number of radii, as 0:16/255:9, received {text!r}"
        )
    low, high = (schema.check("--curve", float, RADIUS, part) for part in parts[:2])
    if not low < high:
        raise UserError(f"--curve: expected a first radius below the last, received {text!r}")
    count = int(parts[2]) - 1
    return [round((low + (high - low) * i / count) * 255, 9) / 255 for i in range(count + 1)]
