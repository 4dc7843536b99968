"""What every attack keeps to."""

from __future__ import annotations

from typing import Any

import numpy as np

from slr_keras.testing._base import array, batch, need, net, one, rng, runner, same, tensor

SIZES = {
    "linf": lambda d: abs(d).max(1),
    "l2": lambda d: np.sqrt((d**2).sum(1)),
    "l1": lambda d: abs(d).sum(1),
    "l0": lambda d: (d != 0).sum(1),
}
VALUES = {"linf": 1, "l2": 9, "l1": 72, "l0": 0}  # whose rounding adds up in a norm


def _found(attack: Any, seed: int = 0) -> np.ndarray:
    x, y = batch()
    return np.asarray(runner()(attack, x, y, seed=seed))


def _sizes(attack: Any, found: np.ndarray) -> np.ndarray:
    d = (found - batch()[0]).astype("float64").reshape(len(found), -1)
    return np.asarray(SIZES[attack.norm](d))


def _boundless(attack: Any) -> bool:
    """Noise to train with, in no ball."""
    return bool(attack.training_only and np.isinf(attack.reach))


def _noise(attack: Any) -> np.ndarray:
    """Normal noise of the attack's radius; in L0 of length 1 on so many values."""
    noise = rng(3).normal(size=batch()[0].shape)
    flat = noise.reshape(len(noise), -1)
    if attack.norm == "l0":
        rank = abs(flat).argsort(1).argsort(1)
        flat = np.where(rank >= flat.shape[1] - attack.eps, np.sign(flat), 0)
        return np.asarray(flat.reshape(noise.shape))
    scale = attack.eps / np.asarray(SIZES[attack.norm](flat)).reshape(-1, 1, 1, 1)
    return np.asarray(noise * scale)


def stays_in_the_ball_and_in_the_pixel_range(part: Any) -> None:
    """``||x' - x|| <= eps`` (one ulp of rounding a value) and x' in [0, 1], float32.

    Noise to train with, whose ``reach`` is infinite, only has to be finite.
    """
    attack = one(part)
    found = _found(attack)
    need(found.dtype == np.float32 and found.shape == batch()[0].shape, "expected float32 images")
    need(np.isfinite(found).all(), "an image is NaN or infinite")
    if _boundless(attack):
        return
    need(found.min() >= 0 and found.max() <= 1, f"pixels from {found.min()} to {found.max()}")
    most = _sizes(attack, found).max() - attack.reach
    allowed = np.finfo("float32").eps * VALUES[attack.norm]
    need(most <= allowed, f"an image lies {most:.3g} outside the ball of radius {attack.reach:.3g}")


def beats_random_noise(part: Any) -> None:
    """The mean cross-entropy is higher, or more images fall, than with noise of the same radius."""
    from slr_keras import losses

    attack, (x, y) = one(part), batch()

    def judged(images: np.ndarray) -> tuple[float, float]:
        z = net()(tensor(images), training=False)
        raised = array(losses.cross_entropy(z, tensor(y))).mean()
        return float(raised), float((array(z).argmax(-1) != y).mean())

    raised, fallen = judged(_found(attack))
    noisy = np.clip(x + _noise(attack), 0, 1).astype("float32")
    raised_noise, fallen_noise = judged(noisy)
    need(
        raised > raised_noise or (not attack.ascends and fallen >= fallen_noise),
        f"the loss is {raised:.4g} after the attack, {raised_noise:.4g} after random noise",
    )


def radius_zero_returns_the_image(part: Any) -> None:
    """With ``eps`` 0 nothing changes, but with noise to train with."""
    attack = one(part).replace(eps=0.0)
    found = _found(attack)
    need(_boundless(attack) or same(found, batch()[0]), "with radius 0 an image has changed")


def same_seed_same_result(part: Any) -> None:
    """The result depends on images, labels, settings and seed alone."""
    attack = one(part)
    once = _found(attack)
    _found(attack, seed=6)
    need(same(once, _found(attack)), "twice the same seed, another result")


def leaves_the_network_alone(part: Any) -> None:
    """Weights and moving statistics are as before."""
    before = [weight.copy() for weight in net().get_weights()]
    _found(one(part))
    kept = all(same(old, new) for old, new in zip(before, net().get_weights(), strict=True))
    need(kept, "the attack has changed the network's weights or moving statistics")


CHECKS = (
    stays_in_the_ball_and_in_the_pixel_range,
    beats_random_noise,
    radius_zero_returns_the_image,
    same_seed_same_result,
    leaves_the_network_alone,
)


def fingerprint(attack: Any) -> np.ndarray | None:
    """Losses of what it finds from the images themselves; None where starts are random."""
    from slr_keras import losses

    if getattr(attack, "random", None) is None:
        return None
    found = _found(attack.replace(random=False))
    return array(losses.cross_entropy(net()(tensor(found), training=False), tensor(batch()[1])))
