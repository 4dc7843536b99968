"""Attacks on models of many kinds: classes, channels, sizes, precisions, preprocessing."""

import dataclasses
import random

import keras
import numpy as np
import pytest
from keras import layers

import slr_keras as slr
from slr_keras.attacks._arrays import Runner
from slr_keras.attacks.apgd import APGD
from slr_keras.attacks.deepfool import DeepFool
from slr_keras.attacks.fab import FAB
from slr_keras.attacks.square import Square
from slr_keras.evaluation.judge import inside_ball
from slr_keras.evaluation.specs import Ball, make_attack
from slr_keras.settings import registry

EPS = 0.15
OTHERS = ("fgsm", "fgsm-rs", "pgd-3", "mi-fgsm-3", "cw-3", "deepfool-3", "fmn-3")
ONE_NORM = {"ddn-3": "l2", "sigma_zero-3": "l0"}


def suite(norm="linf", eps=EPS, classes=10):
    """AutoAttack in a few steps; the weakest comes first, so that each has images to attack."""
    ball, targets = {"norm": norm, "eps": eps}, min(2, classes - 1)
    loss = "dlr" if classes > 3 else "ce"
    return {
        "square": Square(**ball, queries=5),
        "apgd-t": APGD(**ball, steps=2, targets=targets, loss=loss),
        "apgd-ce": APGD(**ball, steps=3),
        "fab-t": FAB(**ball, steps=2, targets=targets),
    }


def right(net, x, y):
    """(N,) bool: what the model itself says."""
    return net.predict(x, verbose=0).argmax(-1) == y


def assert_believable(result, net, x, y, norm="linf", eps=EPS):
    """The images are float32 and in the ball, and the model says what the result says."""
    assert result.adversarial.dtype == np.float32 and result.adversarial.shape == x.shape
    assert inside_ball(x, result.adversarial, norm, eps).all()
    np.testing.assert_array_equal(result.clean, right(net, x, y))
    np.testing.assert_array_equal(result.robust, right(net, result.adversarial, y))


# -- classes, channels and sizes --------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class Case:
    """A kind of images, and about the radius at which attacks fool some of them and not all."""

    shape: tuple[int, int, int]
    classes: int
    norm: str
    eps: float

    def __str__(self):
        return f"{'x'.join(map(str, self.shape))}, {self.classes} classes, {self.norm}"


CASES = [
    Case((5, 7, 3), 2, "linf", 0.05),
    Case((28, 28, 1), 3, "linf", 0.01),
    Case((1, 2, 3), 10, "l2", 0.2),
    Case((9, 4, 1), 100, "l2", 0.1),
]


@pytest.fixture(scope="module", params=CASES, ids=str)
def kind(request):
    """Case, network with random weights, eight random images and what it says of them."""
    case = request.param
    random.seed(0)
    convolution = layers.Conv2D(4, 3, padding="same", activation="tanh")
    dense = layers.Dense(case.classes)
    net = keras.Sequential([keras.Input(case.shape), convolution, layers.Flatten(), dense])
    x = np.random.default_rng(0).random((8, *case.shape), "float32")
    y = net.predict(x, verbose=0).argmax(-1)
    return dataclasses.replace(case, eps=fooling_a_few(case, net, x, y)), net, x, y


def fooling_a_few(case, net, x, y):
    """The smallest radius at which the strongest attack of the suite fools two of eight images."""
    run = Runner(net)
    for eps in case.eps * 2 ** np.arange(-6, 6, 0.125):
        attack = suite(case.norm, float(eps), case.classes)["apgd-t"]
        if (np.array(net(run(attack, x, y))).argmax(-1) != y).sum() >= 2:
            return float(eps)
    raise AssertionError("there is none")


def test_every_registered_attack_is_tried_here():
    made = [*(make_attack(name, Ball()) for name in OTHERS), *suite().values()]
    made += [make_attack(name, Ball(norm, 1.0)) for name, norm in ONE_NORM.items()]
    assert {attack.name for attack in made} == {
        name for name, cls in registry.variants("attacks").items() if not cls.training_only
    }


def test_autoattack(kind):
    case, net, x, y = kind
    ball = {"norm": case.norm, "eps": case.eps}
    attacks = suite(classes=case.classes, **ball)
    result = slr.evaluation.autoattack(net, x, y, **ball, attacks=attacks, batch_size=1)
    assert_believable(result, net, x, y, **ball)
    assert all(found.given for found in result.attacks)
    assert 0 < result.robust.sum() < len(x)


def test_other_attacks(kind):
    case, net, x, y = kind
    options = {"norm": case.norm, "eps": case.eps, "checks": "none"}
    names = ["clean", *OTHERS, *(name for name, norm in ONE_NORM.items() if norm == case.norm)]
    report = slr.evaluation.evaluate(net, x, y, names, **options)
    clean, *others, worst = (row.accuracy for row in report.rows)
    assert clean == 1 > min(others) >= worst == report.robust.mean()


def test_few_pixels(kind):
    _, net, x, y = kind
    (row,) = slr.evaluation.evaluate(net, x, y, ["sigma_zero-3"], norm="l0", eps=3.0).rows
    found = [value for value in row.distance.values if value is not None]
    assert found and all(value == round(value) > 0 for value in found)
    assert row.accuracy == 1 - sum(value <= 3 for value in found) / len(x)


# -- precision --------------------------------------------------------------------------------

PRECISIONS = {  # policy of the process, and of the convolution where it has one of its own
    "float16 everywhere": ("mixed_float16", None),
    "bfloat16 everywhere": ("mixed_bfloat16", None),
    "bfloat16 in one layer": ("float32", "mixed_bfloat16"),
}


@pytest.fixture
def policy():
    """Set a policy for the process, until the test is over."""
    before = keras.config.dtype_policy()
    yield keras.config.set_dtype_policy
    keras.config.set_dtype_policy(before)


@pytest.fixture(params=PRECISIONS)
def half(request, net, policy):
    """The digits' network in another precision, with a BatchNorm that changes nothing."""
    everywhere, of_convolution = PRECISIONS[request.param]
    policy(everywhere)
    convolution, dense = layers.Conv2D(8, 3, dtype=of_convolution), layers.Dense(10)
    norm = layers.BatchNormalization(epsilon=0.0)
    made = [convolution, norm, layers.ReLU(), layers.Flatten(), dense]
    half = keras.Sequential([keras.Input((8, 8, 1)), *made])
    mean, scale = np.linspace(-1, 1, 8), np.linspace(0.5, 2, 8)
    half.set_weights(
        [*net.layers[0].get_weights(), scale, mean, mean, scale**2, *net.layers[-1].get_weights()]
    )
    return half


def test_autoattack_in_half_precision(half, forty):
    x, y = (array[:12] for array in forty)
    attacks = {name: suite()[name] for name in ("square", "apgd-ce")}
    result = slr.evaluation.autoattack(half, x, y, eps=EPS, attacks=attacks, batch_size=1)
    assert_believable(result, half, x, y)
    images = result.adversarial
    assert (images.astype("float16") != images).any(), "images were rounded to half precision"
    assert 0 < result.robust.sum() < result.clean.sum()


def test_what_an_attack_takes_for_adversarial_fools_the_model_itself(half, forty):
    """DeepFool ends right behind the boundary, where rounding decides, or gives the image back."""
    x, y = forty
    found = DeepFool(eps=EPS, steps=10)(half, x, y)
    moved = (found != x).any(axis=(1, 2, 3))
    assert 5 < moved.sum() < 40
    assert not right(half, found, y)[moved].any()


# -- preprocessing ----------------------------------------------------------------------------


def rescaling(x):
    return [layers.Rescaling(255), layers.Rescaling(1 / 255)]


def normalization(x):
    there = layers.Normalization()
    there.adapt(x)
    mean, variance = x.mean(), x.var()
    return [there, layers.Normalization(mean=mean, variance=variance, invert=True)]


def resizing(x):
    return [layers.Resizing(16, 16, interpolation="nearest"), layers.AveragePooling2D(2)]


def random_flip(x):
    return [layers.RandomFlip(), layers.RandomRotation(0.5)]


@pytest.fixture(scope="module")
def robust(net, forty):
    """``robust(*before)``: which images withstand attacks on the network with layers before it."""

    def measure(*before):
        model = keras.Sequential([keras.Input((8, 8, 1)), *before, net])
        report = slr.evaluation.evaluate(model, *forty, ["pgd-3"], eps=EPS, checks="none")
        return report.robust

    return measure


@pytest.fixture(scope="module")
def plain(robust):
    return robust()


@pytest.mark.parametrize("before", [rescaling, normalization, resizing, random_flip])
def test_preprocessing_that_undoes_itself_changes_nothing(robust, plain, forty, before):
    assert 0 < plain.sum() < 40
    np.testing.assert_array_equal(robust(*before(forty[0])), plain)
