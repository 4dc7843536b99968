"""AutoAttack: Croce & Hein 2020 (arXiv 2003.01690), natively in Keras."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from slr_keras import data, registry
from slr_keras.attacks._packing import Packed
from slr_keras.attacks._staged import Staged
from slr_keras.attacks.apgd import APGD
from slr_keras.attacks.fab import FAB
from slr_keras.attacks.square import Square
from slr_keras.backend import ops
from slr_keras.checks import check_classifier, check_images, check_labels, class_numbers
from slr_keras.errors import UserError, did_you_mean
from slr_keras.norms import NORMS

ORDER = {
    "standard": ("apgd-ce", "apgd-t", "fab-t", "square"),
    "plus": ("apgd-ce", "apgd-dlr", "fab", "square", "apgd-t", "fab-t"),
    "rand": ("apgd-ce", "apgd-dlr"),
}
VERSIONS = tuple(ORDER)
_TOLERANCE = 1e-5  # of a distance that is measured again in float64, in parts of eps


@dataclasses.dataclass(frozen=True)
class Found:
    """What one attack of the suite did: images it was given, and how many of them it fooled."""

    attack: str
    settings: dict[str, Any]
    given: int
    fooled: int
    seconds: float


@dataclasses.dataclass(frozen=True)
class Result:
    """The outcome for each image.

    Attributes:
        clean: (N,) bool, classified correctly as it is.
        robust: (N,) bool, classified correctly after every attack.
        adversarial: images like ``x``; the image itself where no attack succeeded.
        attacks: what each attack did, in order.
    """

    clean: np.ndarray
    robust: np.ndarray
    adversarial: np.ndarray
    attacks: tuple[Found, ...]

    @property
    def accuracy(self) -> float:
        """Share of clean images classified correctly."""
        return float(self.clean.mean())

    @property
    def robust_accuracy(self) -> float:
        """Share of images that no attack fools."""
        return float(self.robust.mean())


def attacks_of(
    version: str, norm: str = "linf", eps: float = 8 / 255, classes: int = 10
) -> dict[str, Staged]:
    """The attacks of a version of AutoAttack, in order, with the official settings.

    With fewer than four classes the targeted DLR is not defined and APGD-T raises the
    cross-entropy towards its targets instead; there are never more than K - 1 targets. Square has
    no L1 version and is left out there.

    >>> list(attacks_of("standard"))
    ['apgd-ce', 'apgd-t', 'fab-t', 'square']
    """
    if version not in VERSIONS:
        near = did_you_mean(version, VERSIONS)
        raise UserError(f"unknown version of AutoAttack: {version!r}.{near}")
    ball: dict[str, Any] = {"norm": norm, "eps": eps}
    eot, restarts = (20 if version == "rand" else 1), (5 if version == "plus" else 1)
    targets = min(9 if norm != "l1" else 5, classes - 1)
    found: dict[str, Staged] = {
        "apgd-ce": APGD(**ball, restarts=5 if norm == "l1" else restarts, eot=eot),
        "apgd-dlr": APGD(**ball, loss="dlr", restarts=restarts, eot=eot),
        "apgd-t": APGD(**ball, loss="dlr" if classes >= 4 else "ce", targets=targets),
        "fab": FAB(**ball, restarts=restarts, random=True),
        "fab-t": FAB(**ball, targets=min(9, classes - 1)),
    }
    if norm != "l1":
        found["square"] = Square(**ball)
    if classes < 3:
        del found["apgd-dlr"]
    return {name: found[name] for name in ORDER[version] if name in found}


def autoattack(
    model: Any,
    x: Any,
    y: Any,
    *,
    norm: str = "linf",
    eps: float = 8 / 255,
    version: str = "standard",
    attacks: Mapping[str, Staged] | None = None,
    batch_size: int = 128,
    seed: int = 0,
    on_progress: Callable[[str, int, int], None] = lambda *_: None,
) -> Result:
    """The pointwise worst case over several strong attacks.

    Each attack gets the images that are still classified correctly. An adversarial image counts
    only after it was looked at again: inside the ball and [0, 1], finite, and misclassified by the
    model itself.

    Args:
        model: Keras classifier with logits, any dtype policy; the attack runs in float32.
        x: images (N, H, W, C), uint8 or float in [0, 1].
        y: (N,) labels, or one-hot rows.
        norm: ``"linf"``, ``"l2"`` or ``"l1"``.
        eps: radius, pixels in [0, 1], as 8/255.
        version: ``"standard"``, ``"plus"`` or ``"rand"`` (for models that draw numbers).
        attacks: a list of your own in place of a version's, by name.
        batch_size: images at once.
        seed: fixes everything that is drawn.
        on_progress: called with attack, images that are still robust, images in all.

    Raises:
        UserError: unusable images, labels, model, norm or version.

    Example:
        >>> autoattack(model, x_test, y_test, eps=8/255).robust_accuracy  # doctest: +SKIP
    """
    net = getattr(model, "net", model)
    x, y = _checked(net, x, y, norm)
    judge = _Judge(net, norm, eps, batch_size)
    clean = judge.right(x, y)
    classes = int(net.output_shape[-1])
    chosen = dict(attacks) if attacks is not None else attacks_of(version, norm, eps, classes)
    for attack in chosen.values():
        attack.check_classes(classes)
    robust, adversarial, found = clean.copy(), x.copy(), []
    for name, attack in chosen.items():
        on_progress(name, int(robust.sum()), len(x))
        begun, left = time.monotonic(), np.flatnonzero(robust)
        if len(left):
            packed = Packed(net, attack, batch_size=batch_size, seed=seed)
            images, _ = packed.run(x[left], y[left], left)
            fooled = judge.accepts(x[left], y[left], images)
            adversarial[left[fooled]], robust[left[fooled]] = images[fooled], False
        seconds = round(time.monotonic() - begun, 2)
        count = len(left) - int(robust[left].sum())
        found.append(Found(name, registry.describe(attack), len(left), count, seconds))
    on_progress("", int(robust.sum()), len(x))
    return Result(clean, robust, adversarial, tuple(found))


def _checked(net: Any, x: Any, y: Any, norm: str) -> tuple[np.ndarray, np.ndarray]:
    if norm not in NORMS:
        raise UserError(f"unknown norm: {norm!r}.{did_you_mean(norm, NORMS)}")
    check_classifier(net)
    x = data.as_float(np.asarray(x))
    check_images(x, net.input_shape)
    check_labels(y, len(x), int(net.output_shape[-1]))
    return x, np.asarray(class_numbers(np.asarray(y)))


class _Judge:
    """Decides with the model itself, not with the folded twin that attacks run on."""

    def __init__(self, net: Any, norm: str, eps: float, batch_size: int):
        self.net, self.norm, self.eps, self.batch_size = net, norm, eps, batch_size

    def right(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """(N,) bool: classified correctly."""
        predicted = [
            self._predict(x[i : i + self.batch_size]) for i in range(0, len(x), self.batch_size)
        ]
        return np.concatenate(predicted) == y

    def _predict(self, x: np.ndarray) -> np.ndarray:
        z = self.net(ops.convert_to_tensor(x), training=False)
        return np.asarray(ops.cast(z, "float32")).argmax(-1)

    def accepts(self, x: np.ndarray, y: np.ndarray, adversarial: np.ndarray) -> np.ndarray:
        """(N,) bool: finite, in ball and cube, and misclassified when looked at again."""
        d = (adversarial.astype("float64") - x).reshape(len(x), -1)
        size = {"linf": abs(d).max(1), "l2": np.sqrt((d**2).sum(1)), "l1": abs(d).sum(1)}[self.norm]
        pixels = adversarial.reshape(len(x), -1)
        sound = np.isfinite(pixels).all(1) & (pixels.min(1) >= 0) & (pixels.max(1) <= 1)
        return sound & (size <= self.eps * (1 + _TOLERANCE) + 1e-7) & ~self.right(adversarial, y)
