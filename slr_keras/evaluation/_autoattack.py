"""AutoAttack: Croce & Hein 2020 (arXiv 2003.01690), natively in Keras."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

from slr_keras import networks
from slr_keras.attacks._norms import NORMS
from slr_keras.attacks._staged import Staged
from slr_keras.errors import UserError, did_you_mean
from slr_keras.evaluation import suite
from slr_keras.evaluation.inputs import usable
from slr_keras.evaluation.measurement import Measurement, Progress
from slr_keras.evaluation.outcome import Outcome
from slr_keras.evaluation.specs import AUTOATTACK, Step
from slr_keras.evaluation.versions import attacks_of
from slr_keras.settings import registry


@dataclasses.dataclass(frozen=True)
class Found:
    """What one attack of the suite did: images it was given, and how many of them it fooled."""

    attack: str
    settings: dict[str, Any]
    given: int
    fooled: int
    seconds: float


@dataclasses.dataclass(frozen=True)
class Result(Outcome):
    """The outcome for each image, after every attack.

    Attributes:
        adversarial: images like ``x``; the image itself where no attack succeeded.
        attacks: what each attack did, in order.
    """

    attacks: tuple[Found, ...]


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
        model: Keras classifier with logits, any dtype policy; images and steps stay in float32.
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
    net = networks.unwrapped(model)
    if norm not in NORMS:
        raise UserError(f"unknown norm: {norm!r}.{did_you_mean(norm, NORMS)}")
    x, y = usable(net, x, y)
    classes = networks.num_classes(net)
    chosen = dict(attacks) if attacks is not None else attacks_of(version, norm, eps, classes)
    steps = [Step(name, attack, AUTOATTACK) for name, attack in chosen.items()]
    suite.check_steps(steps, x, classes)

    def tell(progress: Progress) -> None:
        on_progress(progress.name, progress.robust, progress.samples)

    options: dict[str, Any] = {"seed": seed, "batch_size": batch_size, "keep_images": True}
    measured = Measurement(net, x, y, steps, on_progress=tell, **options)
    measured.run()
    tally = measured.tally
    found = (
        Found(
            step.name,
            registry.describe(step.attack),
            int((tally.fooled[number] >= 0).sum()),
            int((tally.fooled[number] > 0).sum()),
            round(float(tally.seconds[number]), 2),
        )
        for number, step in enumerate(steps)
    )
    worst = suite.worst_case(measured)
    return Result(measured.clean, worst, measured.adversarial, tuple(found))
