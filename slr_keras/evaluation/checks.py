"""What an evaluation says of itself: named checks that pass, warn or fail."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from slr_keras import backend, losses
from slr_keras.attacks.apgd import APGD
from slr_keras.attacks.pgd import PGD
from slr_keras.attacks.square import Square
from slr_keras.backend import ops
from slr_keras.data import as_float
from slr_keras.evaluation.intervals import wilson
from slr_keras.evaluation.measurement import Measurement
from slr_keras.evaluation.specs import Step

LEVELS = ("basic", "all", "none")
PASS, WARN, FAIL = VERDICTS = ("pass", "warn", "fail")
FEW = 32  # images that a check looks at itself
MANY_STEPS = 50
SQUARES = 300  # queries
SMALL = 0.01  # share of the images that may be noise
GRADIENT_FREE = ("square",)


@dataclasses.dataclass(frozen=True)
class Check:
    """The outcome of a check: ``pass``, ``warn`` or ``fail``, and a sentence."""

    name: str
    verdict: str
    says: str


def run(
    measured: Measurement,
    level: str = "basic",
    *,
    recorded: tuple[float, int] | None = None,
    curve: Sequence[float] = (),
    noisy: bool | None = None,
    seed: int = 0,
) -> list[Check]:
    """The checks of a level on a finished measurement.

    Args:
        level: ``basic`` takes a few passes, ``all`` attacks a few images as well, ``none``.
        recorded: clean accuracy as it was recorded, and the number of first images it is of.
        curve: accuracies of the curve, the smallest radius first.
        noisy: whether the model was trained on noisy images, None: not known.
    """
    if level == "none":
        return []
    probe = _Probe(measured, seed)
    found: list[Check | None] = [
        logits(probe.z),
        finite(measured),
        deterministic(probe.z, probe.z_again, averaged=_averaged(measured)),
        gradients(probe),
        recheck(measured),
    ]
    if recorded:
        found.append(as_recorded(measured.clean, *recorded))
    if len(curve) > 1:
        found.append(monotone(curve, len(measured.y)))
    if any(step.certificate for step in measured.steps):
        found.append(certificate(noisy))
    found.append(_masking_seen(measured) if level == "basic" else probe.masking())
    if level == "all":
        found += [probe.unbounded(), probe.more_steps()]
    return [check for check in found if check]


class _Probe:
    """A few images that are classified correctly, and what the model says of them."""

    def __init__(self, measured: Measurement, seed: int):
        right = np.flatnonzero(measured.clean)
        rows = right[np.linspace(0, len(right) - 1, min(FEW, len(right))).astype(int)]
        self.measured, self.net, self.judge, self.seed = (
            measured,
            measured.net,
            measured.judge,
            seed,
        )
        some = rows if len(rows) else np.arange(min(FEW, len(measured.y)))
        self.x, self.y = as_float(measured.x[some]), measured.y[some]
        self.z, self.z_again = (self.judge.logits(self.x) for _ in range(2))

    def gradient_of(self, loss: Callable[..., Any]) -> np.ndarray:
        """Gradients (N, H, W, C) of a loss of logits and labels."""
        shape = (None, *self.x.shape[1:])
        function = backend.compiled(
            lambda x, y: backend.input_gradient(
                lambda v: loss(ops.cast(self.net(v, training=False), "float32"), y), x
            ),
            (shape, "float32"),
            ((None,), "int32"),
        )
        y = ops.convert_to_tensor(self.y, "int32")
        return ops.convert_to_numpy(function(ops.convert_to_tensor(self.x), y))

    def robust_under(self, *attacks: Any) -> np.ndarray:
        """(N,) bool: correct after all of these."""
        steps = [Step(str(number), attack, "check") for number, attack in enumerate(attacks)]
        size = self.judge.batch_size
        few = Measurement(self.net, self.x, self.y, steps, seed=self.seed, batch_size=size)
        few.run()
        return few.robust(len(steps) - 1)

    def masking(self) -> Check:
        """:func:`masking`; where Square did not run, on a few images as well: the worse verdict."""
        seen = _masking_seen(self.measured)
        if seen and any(map(_searches, self.measured.steps)):
            return seen
        few = self._masking_on_a_few()
        return max(seen or few, few, key=lambda check: VERDICTS.index(check.verdict))

    def _masking_on_a_few(self) -> Check:
        norm, eps = _ball(self.measured)
        ball: dict[str, Any] = {"norm": norm, "eps": eps}
        strong = self.robust_under(
            PGD(**ball, step_size=eps / 4 or 1, steps=20), APGD(**ball, loss="margin", steps=30)
        )
        return masking(strong, self.robust_under(Square(**ball, queries=SQUARES)))

    def unbounded(self) -> Check:
        """With a radius that reaches grey, accuracy must fall to chance."""
        eps, steps = 0.5, MANY_STEPS
        attack = PGD(norm="linf", eps=eps, step_size=eps / 10, steps=steps)
        return unbounded(self.robust_under(attack), self.z.shape[-1])

    def more_steps(self) -> Check:
        """Four times the steps must not leave more images robust."""
        norm, eps = _ball(self.measured)
        ball: dict[str, Any] = {"norm": norm, "eps": eps, "step_size": eps / 4 or 1}
        few, many = (self.robust_under(PGD(**ball, steps=n)) for n in (10, 40))
        return more_steps(int(few.sum()), int(many.sum()), len(self.y))


def _averaged(measured: Measurement) -> bool:
    return any(getattr(step.attack, "eot", 1) > 1 for step in measured.steps)


def _ball(measured: Measurement) -> tuple[str, float]:
    """Norm and radius of the first attack."""
    attacks = [step.attack for step in measured.steps if step.attack is not None]
    return (attacks[0].norm, attacks[0].eps) if attacks else ("linf", 8 / 255)


def _searches(step: Step) -> bool:
    """Whether the attack asks the model and needs no gradient."""
    return step.attack is not None and step.attack.name in GRADIENT_FREE and step.source is None


def _masking_seen(measured: Measurement) -> Check | None:
    """:func:`masking` by the attacks that ran; None unless there are some of both kinds.

    An attack in another ball than the first one's cannot be compared with it and is left out.
    """
    white: list[int] = []
    black: list[int] = []
    ball, fooled = _ball(measured), measured.tally.fooled
    for number, step in enumerate(measured.steps):
        attack = step.attack
        if attack and (attack.norm, attack.eps) == ball and fooled[number].max() >= 0:
            (black if _searches(step) or step.source else white).append(number)
    if not white or not black:
        return None
    kinds = (measured.clean & ~(fooled[kind] > 0).any(axis=0) for kind in (white, black))
    return masking(*kinds)


# -- each check -------------------------------------------------------------------------------


def logits(z: np.ndarray) -> Check:
    """Attacks need logits: a softmax flattens gradients and the DLR loss is no more invariant."""
    rows = np.asarray(z, "float64")
    if (rows >= 0).all() and np.allclose(rows.sum(-1), 1, atol=1e-3):
        text = "the outputs are >= 0 and sum to 1: remove the softmax of the last layer"
        return Check("logits", FAIL, text)
    return Check("logits", PASS, "the outputs are no probabilities")


def finite(measured: Measurement) -> Check:
    """NaN or infinite logits on adversarial images count as errors of the model."""
    count = int(measured.tally.unsound.sum())
    if count:
        text = f"logits were NaN or infinite on {count} adversarial images, counted as fooled"
        return Check("finite", FAIL, text)
    return Check("finite", PASS, "all logits were finite")


def deterministic(z: np.ndarray, again: np.ndarray, averaged: bool = False) -> Check:
    """A model that draws numbers needs attacks that average over them (EoT)."""
    scale = float(np.abs(z).max()) or 1.0
    change = float(np.abs(z - again).max()) / scale
    if change <= 1e-5:
        return Check("deterministic", PASS, "two passes gave the same outputs")
    text = f"two passes differ by {change:.1g} of the largest output"
    if averaged:
        return Check("deterministic", WARN, f"{text}; attacks averaged over passes")
    return Check(
        "deterministic", FAIL, f"{text}: the model draws numbers, use autoattack --version rand"
    )


def gradients(probe: _Probe) -> Check:
    """Attacks with gradients see nothing where the gradient of the margin is zero."""
    margin, entropy = (
        (np.abs(probe.gradient_of(loss)).reshape(len(probe.x), -1).max(1) > 0)
        for loss in (losses.margin, losses.cross_entropy)
    )
    if not margin.all():
        text = f"the gradient is zero on {(~margin).sum()} of {len(margin)} images"
        return Check("gradients", FAIL, f"{text}: only attacks without gradients mean anything")
    if not entropy.all():
        text = f"that of the cross-entropy vanishes on {(~entropy).sum()} of {len(entropy)} images"
        return Check("gradients", WARN, f"{text}: trust attacks on margin and DLR alone")
    return Check("gradients", PASS, f"no gradient is zero on {len(margin)} images")


def recheck(measured: Measurement) -> Check:
    """Every adversarial was looked at again by the model itself, in float64 distance."""
    outside = int(measured.tally.outside.sum())
    attacked = [step.attack is not None for step in measured.steps]
    count = int((measured.tally.fooled[attacked][:, measured.clean] > 0).sum())
    if outside:
        text = f"{outside} left the ball, [0, 1] or the finite numbers and were not counted"
        return Check("recheck", FAIL, text)
    return Check("recheck", PASS, f"all {count} adversarial images hold when looked at again")


def certificate(noisy: bool | None) -> Check:
    """Smoothing proves something of a model that knows noise; others abstain on most images."""
    if noisy is None:
        return Check("certificate", PASS, "proved for the smoothed model, not for the model itself")
    if noisy:
        return Check("certificate", PASS, "the model was trained on noisy images")
    text = "the model was trained without noise, so that little is proved: --attack.name gaussian"
    return Check("certificate", WARN, text)


def as_recorded(clean: np.ndarray, accuracy: float, count: int) -> Check | None:
    """Clean accuracy equals that which was recorded after training, on the same images."""
    if len(clean) < count:
        return None
    now, then = int(clean[:count].sum()), round(accuracy * count)
    if now == then:
        return Check("recorded", PASS, f"clean accuracy is that of summary.json ({now} of {count})")
    text = f"{now} of {count} images are right, summary.json says {then}"
    far = abs(now - then) > SMALL * count
    return Check("recorded", FAIL if far else WARN, text)


def monotone(accuracies: Sequence[float], count: int) -> Check:
    """Accuracy must not rise with the radius."""
    rise = max(0.0, *(b - a for a, b in zip(accuracies, accuracies[1:], strict=False)))
    images = round(rise * count)
    if not images:
        return Check("curve", PASS, "accuracy never rises with the radius")
    text = f"accuracy rises with the radius, by {images} of {count} images"
    verdict = FAIL if rise > SMALL and images > 1 else WARN
    return Check("curve", verdict, f"{text}: the attack is too weak, give it more steps")


def masking(white: np.ndarray, black: np.ndarray) -> Check:
    """Square and transferred images fool nothing that all attacks with gradients left robust.

    Args:
        white, black: (N,) bool: correct after all attacks with the model's gradients, and after all
            without: gradient-free ones and those made on another model.
    """
    found, left = int((white & ~black).sum()), int(white.sum())
    if not found:
        text = f"no attack without its gradients fools any of the {left} images left robust"
        return Check("masking", PASS, text)
    text = f"without its gradients {found} more of {left} images are fooled"
    far = found > max(1, SMALL * len(white))
    why = "gradients are masked, or the attacks with gradients too weak"
    return Check("masking", FAIL if far else WARN, f"{text}: {why}")


def unbounded(robust: np.ndarray, classes: int) -> Check:
    """At a radius at which every image can become any other one, accuracy is at most chance."""
    hits, count = int(robust.sum()), len(robust)
    low = wilson(hits, count)[0]
    text = f"{hits} of {count} images withstand a radius of 0.5"
    if low > 1 / classes:
        return Check(
            "unbounded", FAIL, f"{text}, more than chance: the attack does not work on this model"
        )
    return Check("unbounded", PASS, f"{text}, no more than chance")


def more_steps(few: int, many: int, count: int) -> Check:
    """More steps leave at most as many images robust."""
    if many <= few:
        text = f"10 steps leave {few} of {count} images robust, 40 steps {many}"
        return Check("steps", PASS, text)
    text = f"40 steps leave {many} of {count} images robust, 10 steps only {few}"
    verdict = FAIL if many - few > max(1, 2 * SMALL * count) else WARN
    return Check("steps", verdict, f"{text}: the step size or the attack is wrong")
