"""Adversarial images made on one model and judged on another."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from slr_keras import networks
from slr_keras.attacks._base import Attack
from slr_keras.checks import check_classifier, check_images, check_labels
from slr_keras.data import as_float
from slr_keras.errors import DataError, UserError
from slr_keras.evaluation.judge import Judge
from slr_keras.evaluation.outcome import Outcome


@dataclasses.dataclass(frozen=True)
class Transferred(Outcome):
    """The outcome for each image, on the model that the attack knows nothing of.

    Attributes:
        source_fooled: (N,) bool, the adversarial image fools the source.
    """

    source_fooled: np.ndarray


def transfer(
    attack: Attack,
    source: Any,
    model: Any,
    x: Any,
    y: Any,
    *,
    seed: int = 0,
    batch_size: int = 128,
) -> Transferred:
    """Attack ``source``, judge on ``model``.

    A model that such images fool more often than an attack on itself hides its gradients.

    Args:
        attack: an untargeted attack; MI-FGSM was made for this.
        source: Keras classifier with logits that the attack sees.
        model: Keras classifier with logits and the same classes, of which it knows nothing.
        x: images (N, H, W, C), uint8 or float in [0, 1].
        y: (N,) labels, or one-hot rows.
        seed: fixes the random starts.
        batch_size: images at once.

    Raises:
        UserError: unusable images, labels, attack or models.

    Example:
        >>> transfer(MIFGSM(eps=8/255), source, model, x, y).robust_accuracy  # doctest: +SKIP
    """
    check_untargeted(attack)
    nets = [networks.unwrapped(net) for net in (source, model)]
    x, y = _checked(nets, x, y)
    adversarial = attack(nets[0], x, y, seed=seed, batch_size=batch_size)
    judge = Judge(nets[1], batch_size)
    clean = judge.right(x, y)
    ball = attack.norm, attack.eps
    fooled, source_fooled = (
        looked.look(x, y, adversarial, *ball).fooled
        for looked in (judge, Judge(nets[0], batch_size))
    )
    return Transferred(clean, clean & ~fooled, adversarial, source_fooled)


def check_untargeted(attack: Attack) -> None:
    """Raise :class:`UserError` if the attack aims at a class."""
    if attack.targeted:
        raise UserError("expected an untargeted attack, received targeted=True: set it to False")


def _checked(nets: list[Any], x: Any, y: Any) -> tuple[np.ndarray, np.ndarray]:
    x, (source, net) = as_float(np.asarray(x)), nets
    check_classifier(net)
    check_images(x, networks.input_shape(net))
    check_source(source, net, x)
    return x, check_labels(y, len(x), networks.num_classes(net))


def check_source(source: Any, net: Any, x: np.ndarray) -> None:
    """Raise :class:`UserError` unless images ``x`` can be attacked on ``source`` for ``net``."""
    check_classifier(source)
    check_images(as_float(x[:1]), networks.input_shape(source))
    counts = [networks.num_classes(model) for model in (source, net)]
    if counts[0] != counts[1]:
        raise DataError(
            f"expected models of the same classes, received {counts[0]} (source) and {counts[1]}"
        )
