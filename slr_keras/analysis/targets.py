"""Which class falls to which: test images driven towards every other class."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np

from slr_keras.analysis.confusion import confusion

MOST = 9  # classes an image is driven to, as in AutoAttack's targeted attacks


@dataclasses.dataclass(frozen=True)
class Fall:
    """So many of the ``tried`` images of class ``true`` became ``target``."""

    true: int
    target: int
    reached: int
    tried: int


@dataclasses.dataclass(frozen=True)
class Targeted:
    """What targeted attacks did to images that are classified correctly as they are.

    Attributes:
        images: (K,) images of each class.
        right: (K,) those of them that are classified correctly: they alone are attacked.
        robust: (K,) those of them that the untargeted attack does not fool.
        resisted: (K,) those of them that were driven into no class.
        tried: (K, K) attacks on images of the row's class towards the column's.
        reached: (K, K) those that made the network say the column's class.
        targets: classes that each image was driven to, the most likely wrong ones.
    """

    images: np.ndarray
    right: np.ndarray
    robust: np.ndarray
    resisted: np.ndarray
    tried: np.ndarray
    reached: np.ndarray
    targets: int

    @property
    def success(self) -> np.ndarray:
        """(K, K) share of attacks that reached their class; NaN where there were none."""
        nothing = np.full(self.tried.shape, np.nan)
        return np.divide(self.reached, self.tried, out=nothing, where=self.tried > 0)

    @property
    def whole(self) -> bool:
        """Whether every image was driven to every other class."""
        return self.targets == len(self.tried) - 1

    def easiest(self, true: int) -> Fall | None:
        """The class that images of this one become most often; None where they become none."""
        return next((fall for fall in self.falls() if fall.true == true), None)

    def falls(self) -> list[Fall]:
        """The classes that fall to another, the most frequent pair first."""
        order = np.argsort(-self.reached, axis=None, kind="stable")
        pairs = (divmod(int(place), len(self.reached)) for place in order)
        found = (Fall(i, j, int(self.reached[i, j]), int(self.tried[i, j])) for i, j in pairs)
        return [fall for fall in found if fall.reached]


def matrix(
    net: Any,
    x: Any,
    y: Any,
    attack: Any,
    *,
    most: int = MOST,
    adversarial: np.ndarray | None = None,
    seed: int = 0,
    batch_size: int = 128,
    on_target: Callable[[int, int], None] = lambda done, planned: None,
) -> Targeted:
    """Drive each image towards the other classes, and count where it arrives.

    An attack counts if its image lies in the ball and in [0, 1] and the network says the target
    class. It runs once for each rank of the wrong classes: first towards the most likely wrong
    class of every image, then the second, and so on; all classes that are right count alike.

    Args:
        net: Keras classifier with logits over K classes.
        x: images (N, H, W, C), uint8 or float in [0, 1].
        y: (N,) labels, or one-hot rows.
        attack: an untargeted attack that can be targeted, as :class:`~slr_keras.attacks.PGD`.
        most: classes that each image is driven to at most: up to ``most + 1`` classes all of them,
            else those of the largest logits.
        adversarial: (N, H, W, C) what the untargeted attack made of ``x``; made here if left out.
        seed: fixes the random starts, which are the same for every target.
        batch_size: images at once.
        on_target: called with the ranks done and those planned.

    Raises:
        UserError: unusable images, labels or model, or an attack that has no targets.

    Example:
        >>> found = matrix(net, x, y, PGD(eps=8/255, steps=20))    # doctest: +SKIP
        >>> found.falls()[0]                                       # doctest: +SKIP
        Fall(true=3, target=5, reached=34, tried=50)

    Source: targets by rank of the logits as in APGD-T, Croce and Hein 2020 (arXiv 2003.01690),
    section 5.
    """
    from slr_keras.attacks._arrays import Runner  # loads the framework
    from slr_keras.data import as_float
    from slr_keras.evaluation.inputs import usable
    from slr_keras.evaluation.judge import Judge, inside_ball

    aimed = attack.replace(targeted=True)
    x, y = usable(net, x, y)
    x, judge, run = as_float(x), Judge(net, batch_size), Runner(net, batch_size)
    logits = judge.logits(x)
    right = logits.argmax(-1) == y
    kept, true = x[right], y[right]
    wrong = _wrong_classes(logits[right], true, most)
    hit = np.zeros(wrong.shape, bool)
    robust = np.zeros(len(kept), bool)
    if len(kept):
        fooling = run(attack, kept, true, seed=seed) if adversarial is None else adversarial[right]
        robust = ~judge.look(kept, true, fooling, attack.norm, attack.eps).fooled
    for rank in range(wrong.shape[1] if len(kept) else 0):
        found = run(aimed, kept, wrong[:, rank], seed=seed)
        inside = inside_ball(kept, found, attack.norm, attack.eps)
        hit[:, rank] = inside & (judge.logits(found).argmax(-1) == wrong[:, rank])
        on_target(rank + 1, wrong.shape[1])
    return _counted(y, logits.shape[1], right, robust, wrong, hit)


def _wrong_classes(logits: np.ndarray, true: np.ndarray, most: int) -> np.ndarray:
    """(N, T) the wrong classes of the largest logits, largest first."""
    others = np.array(logits, "float64")
    others[np.arange(len(true)), true] = -np.inf
    return np.argsort(-others, axis=1, kind="stable")[:, : min(most, logits.shape[1] - 1)]


def _counted(
    y: np.ndarray,
    classes: int,
    right: np.ndarray,
    robust: np.ndarray,
    wrong: np.ndarray,
    hit: np.ndarray,
) -> Targeted:
    """By class: ``right`` is (N,), the others speak of the images that are right."""

    def count(labels: np.ndarray) -> np.ndarray:
        return np.bincount(labels, minlength=classes)

    true = y[right]
    pairs = np.repeat(true, wrong.shape[1]).reshape(wrong.shape)
    return Targeted(
        images=count(y),
        right=count(true),
        robust=count(true[robust]),
        resisted=count(true[~hit.any(axis=1)]),
        tried=confusion(pairs.ravel(), wrong.ravel(), classes),
        reached=confusion(pairs[hit], wrong[hit], classes),
        targets=wrong.shape[1],
    )
