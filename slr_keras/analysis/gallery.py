"""Images before and after the attack, as pictures that a page carries within itself."""

from __future__ import annotations

import base64
import dataclasses
import io
import math

import numpy as np

RESISTED, FOOLED, WRONG = "resisted", "fooled", "wrong before the attack"
COUNTS = {FOOLED: 6, RESISTED: 3, WRONG: 3}
LARGEST = 160  # pixels; larger images are scaled down


@dataclasses.dataclass(frozen=True)
class Guess:
    """A predicted class, its probability, and whether it is the true one."""

    name: str
    probability: float
    right: bool


@dataclasses.dataclass(frozen=True)
class Exhibit:
    """One image: three pictures (data URIs) and what the model says of it."""

    index: int
    kind: str
    true: str
    clean: Guess
    adversarial: Guess
    pictures: tuple[str, str, str]


def choose(labels: np.ndarray, clean: np.ndarray, adversarial: np.ndarray) -> list[tuple[int, str]]:
    """The first images of each kind: nobody picks the beautiful ones.

    Args:
        labels: (N,) true classes; ``clean`` and ``adversarial`` the predicted ones.

    Returns:
        (index, kind), the kinds in the order of ``COUNTS``.
    """
    right, still = clean == labels, adversarial == labels
    kinds = {FOOLED: right & ~still, RESISTED: right & still, WRONG: ~right}
    return [(int(i), kind) for kind, n in COUNTS.items() for i in np.flatnonzero(kinds[kind])[:n]]


def factor_for(difference: np.ndarray) -> int:
    """The largest whole factor that keeps ``0.5 + factor * difference`` inside [0, 1].

    Example:
        >>> factor_for(np.array([-8 / 255, 0.0]))
        15
    """
    largest = float(np.abs(difference).max(initial=0))
    return max(1, math.floor(0.5 / largest)) if largest > 1e-6 else 1


def picture(image: np.ndarray) -> str:
    """A PNG data URI of an image (H, W, C) in [0, 1]; C is 1 or 3, of others the first is shown."""
    from PIL import Image

    levels = np.round(255 * np.clip(image, 0, 1)).astype(np.uint8)
    made = Image.fromarray(levels if levels.shape[-1] == 3 else levels[..., 0])
    made.thumbnail((LARGEST, LARGEST))
    file = io.BytesIO()
    made.save(file, "PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()


def exhibits(
    x: np.ndarray,
    x_adv: np.ndarray,
    labels: np.ndarray,
    clean: np.ndarray,
    adversarial: np.ndarray,
    names: tuple[str, ...],
) -> tuple[list[Exhibit], int]:
    """The gallery and the factor by which all its perturbations are magnified.

    Args:
        x, x_adv: images (N, H, W, C) in [0, 1] and the attacked ones.
        labels: (N,); ``clean`` and ``adversarial``: probabilities (N, K).
        names: of the K classes.
    """
    chosen = choose(labels, clean.argmax(1), adversarial.argmax(1))
    places = [index for index, _ in chosen]
    factor = factor_for(x_adv[places] - x[places])

    def guess(p: np.ndarray, label: int) -> Guess:
        best = int(np.argmax(p))
        return Guess(names[best], float(p[best]), best == label)

    def exhibit(i: int, kind: str) -> Exhibit:
        shown = (x[i], 0.5 + factor * (x_adv[i] - x[i]), x_adv[i])
        guesses = guess(clean[i], labels[i]), guess(adversarial[i], labels[i])
        return Exhibit(i, kind, names[labels[i]], *guesses, tuple(map(picture, shown)))  # type: ignore[arg-type]

    return [exhibit(*one) for one in chosen], factor
