"""Accuracy against the radius: what attacks leave of it, and what certificates prove."""

from __future__ import annotations

import dataclasses

import numpy as np

from .comparison import Line
from .measured import Measured, scale

CURVE = "curve"


@dataclasses.dataclass(frozen=True)
class Fall:
    """One line of the chart.

    Attributes:
        key: that tells it from the others.
        label: the attack's name, or the noise of a certificate.
        proved: a certificate: no attack can go below.
    """

    key: str
    label: str
    norm: str
    line: Line
    proved: bool = False


def falls(found: Measured) -> list[Fall]:
    """The lines of an evaluation in percent; radii in L-infinity in levels of 255."""
    lines = [_curve(found)] if found.curve else []
    for name, distance in found.distances.items():
        line = _line(*distance.curve(), distance.norm)
        lines.append(Fall(f"distance:{name}", name, distance.norm, line))
    for number, one in enumerate(found.certificates):
        label, line = f"certified, sigma {one.sigma:g}", _line(*one.curve(), one.norm)
        lines.append(Fall(f"certificate:{number}", label, one.norm, line, proved=True))
    return lines


def norms(lines: list[Fall]) -> list[str]:
    """Those in which any of the lines measures."""
    return list(dict.fromkeys(fall.norm for fall in lines))


def _curve(found: Measured) -> Fall:
    radii = np.array([point.eps for point in found.curve])
    shares = np.array([point.accuracy for point in found.curve])
    bounds = np.array([point.interval for point in found.curve], float).reshape(-1, 2)
    line = _line(radii, shares, found.curve_norm)
    low, high = 100 * bounds.T
    line = dataclasses.replace(line, low=low, high=high)
    return Fall(CURVE, found.curve_attack or "accuracy", found.curve_norm, line)


def _line(radii: np.ndarray, shares: np.ndarray, norm: str) -> Line:
    return Line(scale(norm) * radii, 100 * shares)
