"""What is measured, and on what."""

from __future__ import annotations

import dataclasses
import functools
from typing import Any, ClassVar

from slr_keras.settings.schema import Variant

Array = Any


@dataclasses.dataclass(frozen=True)
class Images:
    """Images of one split, and what a network says of them.

    Attributes:
        x: (n, H, W, C) float32 in [0, 1]; ``attacked`` likewise, inside the ball.
        label: (n,) as training sees them; ``true`` (n,) before label noise.
        logits: (n, K) on ``x``; ``attacked_logits`` on ``attacked``.
        soft: (n, K) rows of the label bank; None without one.
        index: (n,) their places in the split; None where they are not known.
    """

    x: Array
    attacked: Array
    label: Array
    true: Array
    logits: Array
    attacked_logits: Array
    soft: Array | None = None
    index: Array | None = None

    @functools.cached_property
    def wrong(self) -> Array:
        """(n,) bool: the label was changed by noise."""
        return self.label != self.true

    @functools.cached_property
    def p(self) -> Array:
        """(n, K) softmax of the logits, float64."""
        return softmax(self.logits)

    @functools.cached_property
    def p_attacked(self) -> Array:
        """(n, K) softmax of the logits under attack, float64."""
        return softmax(self.attacked_logits)


def softmax(logits: Array) -> Array:
    """``exp(z) / sum exp(z)`` of rows, float64."""
    import numpy as np

    z = np.asarray(logits, "float64")
    e = np.exp(z - z.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


@dataclasses.dataclass(frozen=True)
class Probe:
    """A network in mid-training: itself, and the images it is looked at on.

    Attributes:
        size: number of all training samples.
        start: trainable weights at the first evaluation of the run; None before it.
    """

    net: Any
    train: Images
    val: Images
    size: int = 0
    start: list[Array] | None = None


@dataclasses.dataclass(frozen=True)
class Analysis(Variant):
    """A quantity that is measured at the evaluations of a run.

    Attributes:
        columns: names of its scalars and what they are, for the figure.
        keeps_images: who looks at its arrays wants to see the images; they are kept once.
    """

    of_kind: ClassVar[str] = "analyses"
    gives: ClassVar[tuple[str, ...]] = ("measure",)
    columns: ClassVar[dict[str, str]] = {}
    keeps_images: ClassVar[bool] = False

    def measure(self, probe: Probe) -> tuple[dict[str, float | None], dict[str, Array]]:
        """The scalars, None where there is nothing to measure, and arrays for the run folder."""
        raise TypeError(f"{type(self).__name__} gives no measure()")


def quartiles(values: Array) -> Array:
    """The 25th, 50th and 75th percentile; NaN of nothing."""
    import numpy as np

    return np.percentile(values, [25, 50, 75]) if len(values) else np.full(3, np.nan)


def median(values: Array) -> float | None:
    """None of nothing."""
    found = float(quartiles(values)[1])
    return found if found == found else None
