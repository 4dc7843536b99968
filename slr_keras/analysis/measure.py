"""What the model of a run makes of test images before and after an attack."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np

from slr_keras.analyses import _reliability as calibration
from slr_keras.analysis import confusion, gallery, targets
from slr_keras.backend import ops
from slr_keras.settings import schema

STEPS = 20


@dataclasses.dataclass(frozen=True)
class Answers:
    """The model's answers to one version of the images.

    Attributes:
        accuracy: share classified correctly.
        matrix: confusion (K, K), rows are the true classes.
        per_class: accuracy of each class, None where it has no images.
        mistakes: the most frequent confusions.
        calibration: reliability and ECE.
    """

    accuracy: float
    matrix: np.ndarray
    per_class: list[float | None]
    mistakes: list[confusion.Mistake]
    calibration: calibration.Calibration


@dataclasses.dataclass(frozen=True)
class Measured:
    """Clean and attacked, on the first ``samples`` images of the test set.

    Attributes:
        attack: its name and ``settings``.
        counts: test images of each class.
        exhibits: the gallery; ``factor`` magnifies its perturbations.
        digest: of the network's weights.
        device: that computed.
        targeted: what targeted attacks did to the first images; None where none were made.
    """

    samples: int
    attack: str
    settings: dict[str, Any]
    class_names: tuple[str, ...]
    counts: list[int]
    clean: Answers
    adversarial: Answers
    exhibits: list[gallery.Exhibit]
    factor: int
    digest: str
    device: str
    targeted: targets.Targeted | None = None


def measure(
    net: Any,
    dataset: Any,
    attack: Any,
    name: str,
    *,
    samples: int,
    targeted: int = 0,
    seed: int = 0,
    batch_size: int = 250,
    on_batch: Callable[[int], None] = lambda done: None,
    on_target: Callable[[int, int], None] = lambda done, planned: None,
) -> Measured:
    """Attack the first test images and look at the answers.

    Args:
        net: Keras classifier with logits.
        dataset: a :class:`~slr_keras.data.Dataset` that fits it.
        attack: an untargeted attack, and its ``name`` on the page.
        samples: images that are attacked.
        targeted: images of them that are driven to the other classes too.
        on_batch: called with the number of images done.
        on_target: called with the targets of each image that are done, and those planned.

    Raises:
        UserError: images or classes do not fit the network.
    """
    from slr_keras import backend
    from slr_keras.data import as_float
    from slr_keras.evaluation.inputs import usable
    from slr_keras.evaluation.runner import Evaluator
    from slr_keras.evaluation.suite import network_digest

    x, y = usable(net, as_float(dataset.x_test[:samples]), dataset.y_test[:samples])
    evaluator, found = Evaluator(net, attack, seed=seed, batch_size=batch_size), []
    for *_, images in evaluator.batches(x, y):
        found.append(images)
        on_batch(sum(map(len, found)))
    x_adv = np.concatenate(found)
    clean, adversarial = (_probabilities(net, images, batch_size) for images in (x, x_adv))
    names = tuple(dataset.class_names)
    shown, factor = gallery.exhibits(x, x_adv, y, clean, adversarial, names)
    driven = None
    if targeted:
        first = slice(targeted)
        driven = targets.matrix(
            net,
            x[first],
            y[first],
            attack,
            adversarial=x_adv[first],
            seed=seed,
            batch_size=batch_size,
            on_target=on_target,
        )
    return Measured(
        samples=len(y),
        attack=name,
        settings=schema.to_dict(attack),
        class_names=names,
        counts=np.bincount(y, minlength=len(names)).tolist(),
        clean=answers(clean, y),
        adversarial=answers(adversarial, y),
        exhibits=shown,
        factor=factor,
        digest=network_digest(net),
        device=backend.describe_device(),
        targeted=driven,
    )


def answers(probabilities: np.ndarray, labels: np.ndarray) -> Answers:
    """Everything that follows from probabilities (N, K) and true classes (N,)."""
    matrix = confusion.confusion(labels, probabilities.argmax(1), probabilities.shape[1])
    return Answers(
        accuracy=float(np.trace(matrix) / matrix.sum()),
        matrix=matrix,
        per_class=confusion.per_class(matrix),
        mistakes=confusion.worst_mistakes(matrix),
        calibration=calibration.calibrate(probabilities, labels),
    )


def _probabilities(net: Any, x: np.ndarray, batch_size: int) -> np.ndarray:
    parts = [x[i : i + batch_size] for i in range(0, len(x), batch_size)]
    return softmax(
        np.concatenate([ops.convert_to_numpy(net(part, training=False)) for part in parts])
    )


def softmax(logits: np.ndarray) -> np.ndarray:
    """``exp(z - max z) / sum`` along the last axis, in float64."""
    powers = np.exp(logits.astype(float) - logits.max(-1, keepdims=True))
    return powers / powers.sum(-1, keepdims=True)
