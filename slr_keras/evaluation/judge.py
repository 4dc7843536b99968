"""What counts: decided by the model itself, not by the folded twin that attacks run on."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from slr_keras import backend, networks
from slr_keras.backend import ops
from slr_keras.data import as_float

TOLERANCE = 1e-5  # of a distance that is measured again in float64, in parts of the radius


@dataclasses.dataclass(frozen=True)
class Verdict:
    """What a second look at (N,) adversarial images says.

    Attributes:
        fooled: inside ball and cube, finite, and misclassified by the model.
        outside: misclassified but not inside ball and cube, or not finite; does not count.
        unsound: the model's logits are NaN or infinite.
    """

    fooled: np.ndarray
    outside: np.ndarray
    unsound: np.ndarray


class Judge:
    """Looks at images with the model as it is, in float32, batch by batch.

    Args:
        net: Keras classifier with logits.
        batch_size: images at once.
    """

    def __init__(self, net: Any, batch_size: int = 128):
        self.net, self.batch_size = net, batch_size
        self._call = backend.compiled(
            lambda x: ops.cast(net(x, training=False), "float32"),
            ((None, *networks.input_shape(net)[1:]), "float32"),
        )

    def logits(self, x: np.ndarray) -> np.ndarray:
        """Logits (N, K) of images (N, H, W, C), uint8 or float in [0, 1]."""
        starts = range(0, len(x), self.batch_size)
        parts = (as_float(x[i : i + self.batch_size]) for i in starts)
        return np.concatenate(
            [ops.convert_to_numpy(self._call(ops.convert_to_tensor(p))) for p in parts]
        )

    def right(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """(N,) bool: classified correctly."""
        return self.logits(x).argmax(-1) == y

    def look(
        self, x: np.ndarray, y: np.ndarray, adversarial: np.ndarray, norm: str, eps: float
    ) -> Verdict:
        """Whether adversarial images of ``x`` are what they are said to be."""
        z = self.logits(adversarial)
        unsound = ~np.isfinite(z).all(-1)
        wrong = (z.argmax(-1) != y) | unsound
        inside = inside_ball(x, adversarial, norm, eps)
        broken = ~np.isfinite(adversarial).reshape(len(x), -1).all(1)
        return Verdict(wrong & inside, (wrong & ~inside) | broken, unsound)


def inside_ball(x: np.ndarray, adversarial: np.ndarray, norm: str, eps: float) -> np.ndarray:
    """(N,) bool: finite, in [0, 1], and within ``eps`` of ``x``; measured in float64."""
    pixels = adversarial.reshape(len(x), -1)
    sound = np.isfinite(pixels).all(1) & (pixels.min(1) >= 0) & (pixels.max(1) <= 1)
    return sound & within(distances(x, adversarial, norm), eps)


def within(distance: np.ndarray, eps: float) -> np.ndarray:
    """(N,) bool: no further than ``eps``, but for rounding."""
    return np.asarray(distance <= eps * (1 + TOLERANCE) + 1e-7)


def distances(x: np.ndarray, adversarial: np.ndarray, norm: str) -> np.ndarray:
    """(N,) sizes of the perturbations, measured in float64; in L0 the number of other values."""
    d = (adversarial.astype("float64") - x).reshape(len(x), -1)
    sizes = {
        "linf": lambda: np.abs(d).max(1),
        "l2": lambda: np.sqrt((d**2).sum(1)),
        "l1": lambda: np.abs(d).sum(1),
        "l0": lambda: (d != 0).sum(1).astype("float64"),
    }
    return sizes[norm]()
