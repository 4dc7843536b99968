"""Images as arrays: 8-bit pictures, amplified perturbations, and what is said of them.

Images are float32 (H, W, C) in [0, 1]; attacks and distances always use these, the 8-bit
pictures are for the eye alone.
"""

from __future__ import annotations

import dataclasses

import numpy as np

FACTORS = (1, 4, 16, 64)
NEGATIVE, ZERO, POSITIVE = (0x21, 0x66, 0xAC), (0xF7, 0xF7, 0xF7), (0xB2, 0x18, 0x2B)
_TINY = 1e-12


def to_bytes(image: np.ndarray) -> np.ndarray:
    """(H, W, 3) uint8 for the screen, rounded to the nearest level.

    >>> int(to_bytes(np.full((1, 1, 1), 0.999, np.float32))[0, 0, 0])
    255
    """
    levels = np.rint(np.clip(image, 0.0, 1.0) * 255.0).astype(np.uint8)
    return np.ascontiguousarray(_three_channels(levels))


def _three_channels(image: np.ndarray) -> np.ndarray:
    channels = image.shape[-1]
    if channels in (1, 2):  # two channels: no colours are agreed on, the first is shown
        return np.repeat(image[..., :1], 3, axis=-1)
    return image[..., :3]


@dataclasses.dataclass(frozen=True)
class Amplified:
    """A perturbation as it is shown: ``values = clip(factor * d, -1, 1)``.

    Attributes:
        values: (H, W, C) float32 in [-1, 1].
        factor: what ``d`` was multiplied with.
        clipped: share of the values that did not fit into the range.
    """

    values: np.ndarray
    factor: float
    clipped: float

    @property
    def caption(self) -> str:
        """The factor in words, with the share that is cut off if any is."""
        text = f"amplified {number(self.factor)} times"
        return f"{text}, {percent(self.clipped)} clipped" if self.clipped else text

    def picture(self) -> np.ndarray:
        """(H, W, 3) uint8 on a diverging map: blue, white at zero, red.

        Images with three channels show them as colours around the grey of zero.
        """
        if self.values.shape[-1] >= 3:
            return to_bytes(0.5 + 0.5 * self.values[..., :3])
        return diverging(self.values[..., 0])


def diverging(values: np.ndarray) -> np.ndarray:
    """(H, W, 3) uint8 of values in [-1, 1]: blue, white at zero, red."""
    share = np.abs(values)[..., None]
    ends = np.where(values[..., None] < 0, NEGATIVE, POSITIVE)
    return np.rint((1 - share) * np.asarray(ZERO) + share * ends).astype(np.uint8)


def amplify(delta: np.ndarray, factor: float) -> Amplified:
    """The perturbation times ``factor``, clipped to [-1, 1]."""
    scaled = delta.astype(np.float32) * np.float32(factor)
    clipped = float(np.mean(np.abs(scaled) > 1 + 1e-4)) if scaled.size else 0.0
    return Amplified(np.clip(scaled, -1, 1), factor, clipped)


def fitting_factor(delta: np.ndarray, norm: str, eps: float) -> float:
    """The factor with which the allowed range fills the map.

    For L-infinity that is ``1 / eps``; in other norms no pixel has a bound of its own, and the
    largest change that was made takes its place.
    """
    largest = eps if norm == "linf" and eps > 0 else largest_change(delta)
    return 1.0 / largest if largest > _TINY else 1.0


def largest_change(delta: np.ndarray) -> float:
    """``max_i |d_i|``."""
    return float(np.max(np.abs(delta))) if delta.size else 0.0


def distance(delta: np.ndarray, norm: str) -> float:
    """The perturbation's size in its norm."""
    return largest_change(delta) if norm == "linf" else float(np.linalg.norm(delta.ravel()))


def difference(a: np.ndarray, b: np.ndarray, factor: float) -> np.ndarray:
    """(H, W, 3) uint8: ``|a - b|`` times a factor, black where they agree."""
    return to_bytes(np.abs(a - b) * factor)


# -- words --------------------------------------------------------------------------------------


def number(value: float) -> str:
    """A number with three significant digits and no exponent: ``31.9``, ``4``, ``0.5``."""
    if value >= 100:
        return f"{value:.0f}"
    return f"{value:.3g}"


def levels(value: float) -> str:
    """A distance of pixels as people write it.

    >>> levels(8 / 255), levels(7.5 / 255), levels(0.1)
    ('8/255', '7.5/255', '25.5/255')
    """
    return f"{float(f'{value * 255:.1f}'):g}/255"


def percent(share: float) -> str:
    """A share with one decimal: ``93.9 %``."""
    return f"{100 * share:.1f} %"


def distance_text(size: float, budget: float, norm: str) -> str:
    """The measured size against what is allowed."""
    sign = "Largest change" if norm == "linf" else "L2 distance"
    return f"{sign} {levels(size)} of {levels(budget)} allowed"


def distance_label(size: float, budget: float, norm: str) -> str:
    """The same, short: ``max change 24/255 of 24/255``."""
    sign = "max change" if norm == "linf" else "L2"
    return f"{sign} {levels(size)} of {levels(budget)}"


def pixel_text(row: int, column: int, clean: np.ndarray, others: dict[str, np.ndarray]) -> str:
    """One pixel's values: ``Row 3, column 4:  clean 0.502   A 0.533 (+8.0/255)``."""
    height, width = clean.shape[:2]
    if row >= height or column >= width:
        return ""
    parts = [f"Row {row}, column {column}:  clean {_values(clean[row, column])}"]
    for name, image in others.items():
        change = image[row, column] - clean[row, column]
        moved = " ".join(f"{float(v) * 255:+.1f}" for v in change)
        parts.append(f"{name} {_values(image[row, column])} ({moved} /255)")
    return "     ".join(parts)


def _values(pixel: np.ndarray) -> str:
    return " ".join(f"{float(value):.3f}" for value in pixel)
