"""Light and dark colours; one place for each."""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass(frozen=True)
class Colours:
    """Named colours as ``#rrggbb``."""

    background: str
    surface: str
    border: str
    text: str
    muted: str
    accent: str
    good: str
    warn: str
    bad: str
    clean: str
    robust: str
    series: tuple[str, ...]


LIGHT = Colours(
    background="#f6f7f9",
    surface="#ffffff",
    border="#d5d9e0",
    text="#1b1f27",
    muted="#646c7a",
    accent="#2f6fde",
    good="#1a7f4b",
    warn="#9a6700",
    bad="#c62f3b",
    clean="#0072b2",
    robust="#d55e00",
    series=(
        "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#8b6508", "#56b4e9", "#7b4fbf", "#5c6470"
    ),
)
DARK = Colours(
    background="#14171c",
    surface="#1c2027",
    border="#343a45",
    text="#e7eaf0",
    muted="#98a1b0",
    accent="#6ea0ff",
    good="#4cc38a",
    warn="#e2b340",
    bad="#ff6b74",
    clean="#4fb3ef",
    robust="#ff8a3d",
    series=(
        "#4fb3ef", "#ff8a3d", "#2fd0a0", "#e79ac6", "#e3c44c", "#9ad4ff", "#b79bff", "#aab2c0"
    ),
)
_current = LIGHT


def colours() -> Colours:
    """The colours in use now."""
    return _current
