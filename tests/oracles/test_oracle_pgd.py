"""PGD against NumPy: a two-layer network whose input gradient is derived by hand."""

import dataclasses

import keras
import numpy as np
import pytest

from slr_keras.attacks._objective import Objective
from slr_keras.attacks.fgsm import FGSM
from slr_keras.attacks.pgd import PGD

SHAPE, HIDDEN, CLASSES = (4, 4, 1), 7, 3


class Net:
    """``z = V' tanh(W' x + b) + c`` in float64, so small that ``1 - softmax`` loses no digits."""

    def __init__(self, rng):
        n = int(np.prod(SHAPE))
        self.w, self.b = rng.normal(0, 0.6, (n, HIDDEN)), rng.normal(size=HIDDEN)
        self.v, self.c = rng.normal(0, 0.3, (HIDDEN, CLASSES)), rng.normal(0, 0.3, CLASSES)

    def logits(self, x):
        return np.tanh(x.reshape(len(x), -1) @ self.w + self.b) @ self.v + self.c

    def loss(self, x, y):
        z = self.logits(x)
        z = z - z.max(1, keepdims=True)
        return np.log(np.exp(z).sum(1)) - z[np.arange(len(y)), y]

    def gradient(self, x, y):
        """dL/dz = softmax(z) - e_y; through V; through tanh (1 - h^2); through W."""
        h = np.tanh(x.reshape(len(x), -1) @ self.w + self.b)
        z = h @ self.v + self.c
        p = np.exp(z - z.max(1, keepdims=True))
        p /= p.sum(1, keepdims=True)
        p[np.arange(len(y)), y] -= 1
        return (((p @ self.v.T) * (1 - h**2)) @ self.w.T).reshape(x.shape)

    def keras(self):
        """In float64 too: where a gradient is nearly zero, rounding would turn it."""
        net = keras.Sequential(
            [
                keras.Input(SHAPE),
                keras.layers.Flatten(dtype="float64"),
                keras.layers.Dense(HIDDEN, activation="tanh", dtype="float64"),
                keras.layers.Dense(CLASSES, dtype="float64"),
            ]
        )
        net.set_weights([self.w, self.b, self.v, self.c])
        return net


def flat_norm(d):
    return np.sqrt((d.reshape(len(d), -1) ** 2).sum(1)).reshape(-1, 1, 1, 1)


def numpy_pgd(net, x, y, start, norm, eps, step, steps, sign=1):
    """Madry et al.: ascend, project on the ball, clip to the pixel range."""
    adv = start.astype("float64")
    for _ in range(steps):
        g = sign * net.gradient(adv, y)
        if norm == "linf":
            adv = np.clip(adv + step * np.sign(g), x - eps, x + eps)
        else:
            d = adv + step * g / flat_norm(g) - x
            adv = x + d * np.minimum(1, eps / flat_norm(d))
        adv = np.clip(adv, 0, 1)
    return adv


@pytest.fixture
def case(rng):
    x = rng.random((20, *SHAPE), "float32")
    return Net(rng), x, rng.integers(0, CLASSES, 20)


def objective(net, y, targeted=False):
    return Objective(net.keras(), y.astype("int32"), targeted)


def test_the_hand_derived_gradient_is_that_of_the_loss(case, rng):
    net, x, y = case
    x, d, h = x.astype("float64"), rng.normal(size=x.shape), 1e-6
    along = (net.gradient(x, y) * d).sum((1, 2, 3))
    np.testing.assert_allclose(along, (net.loss(x + h * d, y) - net.loss(x - h * d, y)) / (2 * h),
                               atol=1e-7)  # fmt: skip


def test_input_gradient(case):
    from slr_keras import backend

    net, x, y = case
    found = backend.input_gradient(objective(net, y), keras.ops.convert_to_tensor(x))
    np.testing.assert_allclose(found, net.gradient(x, y), atol=1e-6)


@pytest.mark.parametrize("targeted", [False, True])
@pytest.mark.parametrize(
    ("norm", "eps", "step"), [("linf", 8 / 255, 2 / 255), ("linf", 0.3, 0.1), ("l2", 0.5, 0.125)]
)
def test_pgd_10(case, rng, norm, eps, step, targeted):
    net, x, y = case
    noise = rng.uniform(-eps, eps, x.shape) / (1 if norm == "linf" else 4)
    start = np.clip(x + noise, 0, 1).astype("float32")
    aim, (image, found) = objective(net, y, targeted), map(keras.ops.convert_to_tensor, (x, start))
    attack = PGD(norm=norm, eps=eps, step_size=step, steps=10)
    whole = attack.perturb(aim, image, found)
    one = dataclasses.replace(attack, steps=1)
    for _ in range(10):  # each from the same point: where it is steep, roundings would grow
        before = keras.ops.convert_to_numpy(found)
        found = one.perturb(aim, image, found)
        wanted = numpy_pgd(net, x, y, before, norm, eps, step, 1, -1 if targeted else 1)
        np.testing.assert_allclose(found, wanted, atol=1e-6)
    np.testing.assert_array_equal(whole, found)
    assert np.abs(wanted - x).max() > eps / 4


def test_pgd_10_as_a_compiled_loop(case):
    net, x, y = case
    found = PGD(eps=0.1, step_size=0.025, random=False)(net.keras(), x, y)
    np.testing.assert_allclose(found, numpy_pgd(net, x, y, x, "linf", 0.1, 0.025, 10), atol=2e-6)


def test_linf_steps_are_whole_sign_steps(case):
    """Away from ball and cube, every pixel has moved by an odd number of steps out of three."""
    net, x, y = case
    x = (0.4 + 0.2 * x).astype("float32")
    found = PGD(eps=0.3, step_size=1 / 64, steps=3, random=False)(net.keras(), x, y)
    moved = np.abs(found - x) * 64
    np.testing.assert_allclose(moved, np.where(moved < 2, 1, 3), atol=1e-4)


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_fgsm_is_one_full_step_from_the_image(case, norm):
    net, x, y = case
    found = FGSM(norm=norm, eps=0.2)(net.keras(), x, y)
    np.testing.assert_allclose(found, numpy_pgd(net, x, y, x, norm, 0.2, 0.2, 1), atol=2e-6)


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_random_starts_fill_the_ball_evenly(norm):
    """Uniform in the ball: (|d| / eps)^n is uniform in [0, 1] for the norm that makes the ball."""
    from slr_keras.attacks._numbers import seeded

    x = keras.ops.full((4000, 1, 3, 1), 0.5)
    d = np.array(PGD(norm=norm, eps=0.25).start(x, seeded(0)), "float64") - 0.5
    size = np.abs(d).reshape(len(d), -1).max(1) if norm == "linf" else flat_norm(d).ravel()
    levels = np.sort((size / 0.25) ** 3)
    assert np.abs(levels - np.arange(4000) / 4000).max() < 1.63 / np.sqrt(4000)  # KS, 1 %
    assert np.abs(d.mean(0)).max() < 0.01
