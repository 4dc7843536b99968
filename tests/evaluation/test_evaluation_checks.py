"""Each check fires on the model or the figures that it is there for, and on no sound one."""

import keras
import numpy as np
import pytest

from slr_keras.evaluation import checks, suite
from slr_keras.evaluation.measurement import Measurement
from slr_keras.evaluation.specs import Ball, make_steps

ops = keras.ops
EPS = 0.15
ATTACKS = ("pgd-10", "apgd-dlr-20")


def measured(net, digits, *names):
    found = Measurement(net, *digits, make_steps(names, Ball("linf", EPS)), batch_size=40)
    found.run()
    return found


def transferred(net, source, digits, own, name):
    """An attack on the network, and one made on another network."""
    ball = Ball("linf", EPS)
    made = suite.transfer_step(name, ball, source, "other", net, digits[0])
    found = Measurement(net, *digits, [*make_steps([own], ball), made], batch_size=40)
    found.run()
    return found


def verdicts(found):
    return {check.name: check.verdict for check in found}


def test_a_sound_model_passes_everything(rng):
    """A linear model, of which attacks find the optimum: half of the images can be fooled."""
    sign = np.sign(rng.normal(size=(64, 1))).astype("float32")
    net = keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Flatten(), keras.layers.Dense(3)])
    half = sign.sum() / 2
    net.set_weights([np.hstack([-sign, sign, 0 * sign]), np.array([half, -half, -50.0])])
    y = np.arange(40) // 2 % 2
    reach = np.where(np.arange(40) % 2, 0.5 * EPS, 1.5 * EPS)  # the radius that it takes
    x = 0.5 + ((2 * y - 1) * reach)[:, None] * sign[:, 0]
    model = measured(net, (x.reshape(40, 8, 8, 1).astype("float32"), y), "clean", *ATTACKS)
    found = checks.run(model, "all", recorded=(1.0, 40), curve=[1.0, 0.5, 0.5, 0.0])
    names = {
        *("logits", "finite", "deterministic", "gradients", "recheck", "recorded", "curve"),
        *("masking", "unbounded", "steps"),
    }
    assert verdicts(found) == dict.fromkeys(names, "pass")
    assert model.clean.all() and [model.robust(i).sum() for i in (1, 2)] == [20, 20]


def test_none_are_none(net, forty):
    assert checks.run(measured(net, forty, "clean"), "none") == []


def test_probabilities(net, forty):
    z = net.predict(forty[0], verbose=0)
    soft = np.exp(z) / np.exp(z).sum(-1, keepdims=True)
    assert checks.logits(soft).verdict == "fail"
    assert checks.logits(np.abs(z)).verdict == "pass"
    assert checks.logits(np.log(soft)).verdict == "pass"


def test_a_model_that_draws_numbers(preceded, forty):
    noisy = preceded(lambda x: x + 0.1 * keras.random.normal(ops.shape(x)))
    found = checks.run(measured(noisy, forty, "clean"))
    (check,) = [check for check in found if check.name == "deterministic"]
    assert check.verdict == "fail" and "--version rand" in check.says


@pytest.mark.parametrize(
    "function",
    [lambda x: ops.floor(8 * x) / 8, lambda x: ops.round(x * 4) / 4, ops.sign],
    ids=["floor", "round", "sign"],
)
def test_zero_gradients(preceded, forty, function):
    found = checks.run(measured(preceded(function), forty, "clean", "pgd-3"))
    (check,) = [check for check in found if check.name == "gradients"]
    assert check.verdict == "fail" and "zero" in check.says


def test_a_cross_entropy_that_vanishes(net, forty):
    sharp = keras.Sequential([keras.Input((8, 8, 1)), net, keras.layers.Rescaling(1e4)])
    assert verdicts(checks.run(measured(sharp, forty, "clean")))["gradients"] == "warn"


@pytest.mark.parametrize("names", [("pgd-20", "square-300"), ("pgd-20",)], ids=["ran", "runs"])
@pytest.mark.parametrize(
    "function",
    [lambda x: ops.round(x * 8) / 8, lambda x: x + 0.02 * ops.sin(600 * x)],
    ids=["quantised", "shattered"],
)
def test_masked_gradients(preceded, forty, names, function):
    """Square, which sees no gradient, beats the attacks that follow it."""
    found = measured(preceded(function), forty, *names)
    level = "basic" if len(names) == 2 else "all"
    check = next(check for check in checks.run(found, level) if check.name == "masking")
    assert check.verdict == "fail" and "masked" in check.says


@pytest.mark.parametrize("level", ["basic", "all"])
def test_masked_gradients_that_a_transferred_attack_gives_away(net, preceded, forty, level):
    """Images made on the network alone fool it behind steps that PGD finds no way up."""
    found = transferred(preceded(lambda x: ops.round(x * 8) / 8), net, forty, "pgd-20", "mi-fgsm")
    check = next(check for check in checks.run(found, level) if check.name == "masking")
    assert check.verdict == "fail" and "masked" in check.says


@pytest.mark.parametrize("attack", ["pgd-3", "square-20"])
def test_a_transferred_attack_that_is_no_better_gives_nothing_away(net, forty, attack):
    found = transferred(net, net, forty, "pgd-20", attack)
    assert suite.rows_of(found)[1].accuracy < found.clean.mean()
    assert verdicts(checks.run(found))["masking"] == "pass"


def test_attacks_in_balls_of_their_own_are_not_compared(net, forty):
    steps = [
        *make_steps(["pgd-5"], Ball("linf", EPS / 10)),
        *make_steps(["square-100"], Ball("linf", 4 * EPS)),
    ]
    found = Measurement(net, *forty, steps, batch_size=40)
    found.run()
    weak, strong, _ = (row.accuracy for row in suite.rows_of(found))
    assert strong < weak and "masking" not in verdicts(checks.run(found))


def test_an_attack_that_does_not_work_at_any_radius(preceded, forty):
    found = checks.run(measured(preceded(ops.sign), forty, "clean"), "all")
    assert verdicts(found)["unbounded"] == "fail"


def test_steps_and_curve_that_go_the_wrong_way():
    assert checks.more_steps(10, 10, 32).verdict == "pass"
    assert checks.more_steps(10, 11, 32).verdict == "warn"
    assert checks.more_steps(10, 16, 32).verdict == "fail"
    assert checks.monotone([1.0, 0.6, 0.6], 100).verdict == "pass"
    assert checks.monotone([1.0, 0.6, 0.61], 100).verdict == "warn"
    assert checks.monotone([1.0, 0.6, 0.7], 100).verdict == "fail"


def test_clean_accuracy_that_is_not_the_recorded_one():
    clean = np.arange(1000) < 900
    assert checks.as_recorded(clean, 0.9, 1000).verdict == "pass"
    assert checks.as_recorded(clean, 0.901, 1000).verdict == "warn"
    assert checks.as_recorded(clean, 0.95, 1000).verdict == "fail"
    assert checks.as_recorded(clean[:500], 0.9, 1000) is None


def test_logits_that_are_not_finite_on_adversarial_images(net, forty):
    """Clean pixels are multiples of 1/16; off them the model gives NaN."""
    inputs = keras.Input((8, 8, 1))

    class Odd(keras.layers.Layer):
        def call(self, x):
            off = ops.max(ops.abs(ops.round(16 * x) / 16 - x), axis=(1, 2, 3))[:, None]
            return ops.where(off > 1e-3, np.nan, 0.0)

    odd = keras.Model(inputs, net(inputs) + Odd()(inputs))
    found = measured(odd, forty, "square-20", "pgd-2")
    assert verdicts(checks.run(found))["finite"] == "fail"
    assert found.tally.outside[1] > 0, "images that became NaN were counted"


def test_adversarials_outside_the_ball_do_not_count(net, forty, monkeypatch):
    from slr_keras.attacks.pgd import PGD

    monkeypatch.setattr(PGD, "run", lambda self, objective, x, seed: 1.0 - x)
    found = measured(net, forty, "clean", "pgd-2")
    clean, attacked = suite.rows_of(found)[:2]
    assert attacked.accuracy == clean.accuracy
    assert verdicts(checks.run(found))["recheck"] == "fail"
