"""What an evaluation holds beside accuracies: distances, natural changes, certificates, a curve."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np

from slr_keras.errors import RunError
from slr_keras.settings import schema
from slr_keras.settings.schema import PIXELS, Facts

RADIUS = Facts("radius", unit=PIXELS, at_least=0)
LEVELS = 255  # L-infinity distances are shown in levels of a pixel
Interval = tuple[float | None, float | None]


@dataclasses.dataclass(frozen=True)
class Distance:
    """How far an attack found the nearest adversarial images.

    Attributes:
        norm: that it measures in.
        median: over the images that are right as they are; None where half of them have none.
        interval: of the median; None at an end that is not known.
        optimality: in [0, 1]; None where no other attack looked.
        values: (N,) of all images, infinite where none was found, 0 where the image is wrong.
    """

    norm: str
    median: float | None
    interval: Interval
    optimality: float | None
    values: np.ndarray

    def curve(self) -> tuple[np.ndarray, np.ndarray]:
        """Radii in ascending order and the share of images that resists each of them."""
        radii = np.unique(np.append(self.values[np.isfinite(self.values)], 0.0))
        return radii, _above(self.values, radii, "right")


@dataclasses.dataclass(frozen=True)
class Point:
    """Accuracy at a radius, in pixels of [0, 1] or what the norm counts."""

    eps: float
    accuracy: float
    interval: Interval


@dataclasses.dataclass(frozen=True)
class Certificate:
    """What randomised smoothing with one size of noise proves.

    Attributes:
        samples, failure: draws, and the probability that a certificate is wrong.
        abstained: share of images of which nothing is said.
        average_radius: over all images, 0 where wrong.
        values: (N,) radii of the images that are right, -1 for the others.
    """

    sigma: float
    samples: int
    failure: float
    norm: str
    abstained: float
    average_radius: float
    radii: tuple[Point, ...]
    values: np.ndarray

    def curve(self) -> tuple[np.ndarray, np.ndarray]:
        """Radii in ascending order and the share of images that is certified within each."""
        radii = np.unique(np.append(self.values[self.values >= 0], 0.0))
        shares = _above(self.values, radii, "left")
        return np.append(radii, radii[-1]), np.append(shares, 0.0)


@dataclasses.dataclass(frozen=True)
class Natural:
    """Accuracy under natural changes of the images.

    Attributes:
        kinds: by kind and severity.
        clean: accuracy on the images as they are; None where it was not measured.
        ece, ece_clean, ece_mean: expected calibration error by kind, of the images as they are,
            and over all changes; None where it was not measured.
    """

    kinds: Mapping[str, Mapping[int, float]]
    clean: float | None
    ece: Mapping[str, float]
    ece_clean: float | None
    ece_mean: float | None

    @property
    def severities(self) -> list[int]:
        """Those of any kind."""
        return sorted({level for shares in self.kinds.values() for level in shares})

    def at(self, kinds: Sequence[str], severity: int) -> float | None:
        """The mean over those of the kinds that were measured at a severity."""
        shares = [self.kinds[kind][severity] for kind in kinds if severity in self.kinds[kind]]
        return float(np.mean(shares)) if shares else None

    def mean(self, kinds: Sequence[str] = ()) -> float:
        """Over severities, then over kinds, all of them if none is named."""
        return float(np.mean([np.mean(list(self.kinds[k].values())) for k in kinds or self.kinds]))


@dataclasses.dataclass(frozen=True)
class Measured:
    """All of it; what an evaluation does not hold is empty.

    Attributes:
        distances: by the name of the attack.
        curve, curve_norm: accuracy against epsilon, and the norm of its radii.
        curve_attack: which attack it is of.
    """

    distances: Mapping[str, Distance] = dataclasses.field(default_factory=dict)
    certificates: tuple[Certificate, ...] = ()
    natural: Natural | None = None
    curve: tuple[Point, ...] = ()
    curve_norm: str = "linf"
    curve_attack: str = ""


def unit(norm: str) -> str:
    """What the distances that are shown are in."""
    return f"linf, of {LEVELS}" if norm == "linf" else norm


def scale(norm: str) -> int:
    """What distances are multiplied with before they are shown."""
    return LEVELS if norm == "linf" else 1


def read(content: Mapping[str, Any], where: object) -> Measured:
    """What the content of an evaluation's file says, which was checked when it was read.

    Raises:
        RunError: it is damaged after all.
    """
    rows, points = content.get("results") or [], content.get("curve") or []
    settings = [point.get("settings") or {} for point in points]
    try:
        return Measured(
            {str(row["attack"]): _distance(row["distance"]) for row in rows if row.get("distance")},
            tuple(map(_certificate, content.get("certificates") or [])),
            _natural(content.get("corruptions") or {}),
            tuple(map(_point, points)),
            next((str(one["norm"]) for one in settings if one.get("norm")), "linf"),
            str(points[-1].get("attack", "")).partition(" at ")[0] if points else "",
        )
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise RunError(f"{where} is damaged ({error}): evaluate once more") from None


def _distance(found: Mapping[str, Any]) -> Distance:
    low, high = found["interval"]
    values = _numbers(found["values"], none=math.inf)
    norm, optimality = str(found["norm"]), found.get("optimality")
    return Distance(norm, found["median"], (low, high), optimality, values)


def _certificate(found: Mapping[str, Any]) -> Certificate:
    return Certificate(
        float(found["sigma"]),
        int(found.get("samples") or 0),
        float(found.get("failure") or 0),
        str(found.get("norm", "l2")),
        found["abstained"],
        found["average_radius"],
        tuple(map(_point, found["radii"])),
        _numbers(found["values"], none=-1.0),
    )


def _natural(found: Mapping[str, Any]) -> Natural | None:
    kinds = {
        str(kind): {int(level): 1 - error for level, error in errors.items()}
        for kind, errors in (found.get("kinds") or {}).items()
    }
    ece = found.get("ece") or {}
    of_kinds = {str(kind): value for kind, value in (ece.get("kinds") or {}).items()}
    error = found.get("clean_error")
    clean = None if error is None else 1 - error
    return Natural(kinds, clean, of_kinds, ece.get("clean"), ece.get("mean")) if kinds else None


def _point(found: Mapping[str, Any]) -> Point:
    low, high = found.get("interval") or (None, None)
    eps = schema.check("eps", float, RADIUS, found["eps"])
    return Point(eps, float(found["accuracy"]), (low, high))


def _numbers(values: Sequence[float | None], none: float) -> np.ndarray:
    return np.array([none if value is None else value for value in values], float)


def _above(values: np.ndarray, radii: np.ndarray, side: Literal["left", "right"]) -> np.ndarray:
    """The share of values beyond each radius; those equal to it count with ``left``."""
    return np.asarray(1 - np.searchsorted(np.sort(values), radii, side) / max(1, len(values)))
