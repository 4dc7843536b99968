"""The attacks that the lab offers, and the ranges of their settings on screen."""

from __future__ import annotations

import numpy as np

from slr_keras.attacks.pgd import PGD
from slr_keras.config import EvalSettings
from slr_keras.settings import registry, schema
from slr_keras.settings.schema import PIXELS, Setting

SWEEP_POINTS = 17
FIRST = PGD(steps=EvalSettings().test_steps)  # what the bench begins with


def attack_names() -> list[str]:
    """The attacks there are; the default first."""
    return sorted(registry.variants("attacks"), key=lambda name: (name != FIRST.name, name))


def attack_rows(name: str) -> list[Setting]:
    """The settings of an attack, with their facts; the direction follows from the target."""
    cls = registry.get("attacks", name)
    elsewhere = ("targeted", "warmup_epochs")  # a button, and nothing outside training
    return [row for row in schema.walk(cls, registry.variants) if row.name not in elsewhere]


def is_distance(row: Setting) -> bool:
    """Whether a setting is a distance of pixels, written in /255."""
    return row.facts.unit == PIXELS


def slider_end(norm: str, eps: float) -> int:
    """The right end of the epsilon slider, in half levels."""
    usual = 64 if norm == "linf" else 1020
    return max(usual, 2 * round(2 * 255 * eps))


def sweep_radii(norm: str, eps: float) -> tuple[float, ...]:
    """The radii of a sweep: from 0 to twice the present one, in half levels where they fit."""
    end = max(2 * eps, 8 / 255 if norm == "linf" else 128 / 255)
    if norm == "linf":
        end = min(end, 1.0)
    radii = np.round(np.linspace(0, end, SWEEP_POINTS) * 510) / 510
    return tuple(float(radius) for radius in np.unique(radii))
