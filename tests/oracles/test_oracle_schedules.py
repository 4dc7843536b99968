"""Learning rates step by step against the formulae, as an optimiser reads them."""

import math

import numpy as np
import pytest

from slr_keras.optimizers import SGD
from slr_keras.schedules.constant import Constant
from slr_keras.schedules.cosine import Cosine
from slr_keras.schedules.cyclic import Cyclic
from slr_keras.schedules.step import Step
from slr_keras.settings import registry


def rates(schedule, lr, epochs, steps):
    """The rate that an optimiser uses at each step, as a table (epoch, step of the epoch)."""
    optimizer = SGD(schedule.build(lr, epochs, steps))
    found = []
    for step in range(epochs * steps):
        optimizer.iterations.assign(step)
        found.append(float(np.asarray(optimizer.learning_rate)))
    return np.array(found).reshape(epochs, steps)


def test_constant():
    assert Constant().build(0.3, 5, 7) == 0.3


def test_the_papers_drops_act_when_epochs_100_and_150_begin():
    found = rates(Step(milestones=(100, 150)), 0.1, 200, 2)
    epoch = np.arange(1, 201)
    wanted = np.where(epoch < 100, 0.1, np.where(epoch < 150, 0.01, 0.001))
    np.testing.assert_allclose(found, np.stack([wanted] * 2, axis=1), rtol=1e-6)


def test_a_drop_acts_on_the_update_itself():
    """w moves by the rate of its step: SGD on gradient 1 without momentum."""
    import keras

    w = keras.Variable(0.0)
    optimizer = SGD(Step(milestones=(2, 3), factor=0.5).build(1.0, 3, 2), momentum=0.0)
    moved = []
    for _ in range(6):
        before = float(w.value)
        optimizer.apply([keras.ops.ones(())], [w])
        moved.append(before - float(w.value))
    np.testing.assert_allclose(moved, [1, 1, 0.5, 0.5, 0.25, 0.25], rtol=1e-6)


@pytest.mark.parametrize(
    ("milestones", "epochs", "drops"),
    [
        ((0.5, 0.75), 30, (16, 23)),
        ((0.5, 0.75), 100, (51, 76)),
        ((0.5,), 31, (16,)),
        ((0.29, 0.57, 0.58), 100, (30, 58, 59)),  # 0.29 * 100 is 28.999... in floating point
        ((100, 150), 200, (100, 150)),
        ((150, 100), 200, (100, 150)),
        ((0.5, 0.75), 1, (2, 2)),  # a share never lowers the rate of the whole run
        ((), 10, ()),
    ],
)
def test_drops(milestones, epochs, drops):
    assert Step(milestones=milestones).drops(epochs) == drops


@pytest.mark.parametrize(
    ("milestones", "wanted"),
    [
        ((), [1, 1, 1, 1]),
        ((1,), [0.1] * 4),
        ((1, 3), [0.1, 0.1, 0.01, 0.01]),
        ((3, 3), [1, 1, 0.01, 0.01]),
        ((0.5,), [1, 1, 0.1, 0.1]),
        ((9,), [1, 1, 1, 1]),
    ],
)
def test_steps_in_corner_cases(milestones, wanted):
    found = rates(Step(milestones=milestones), 1.0, 4, 3)
    np.testing.assert_allclose(found, np.repeat(np.array(wanted)[:, None], 3, axis=1), rtol=1e-6)


@pytest.mark.parametrize("final", [0.0, 0.1])
@pytest.mark.parametrize("warmup", [0, 2])
def test_cosine(final, warmup):
    epochs, steps, lr = 6, 4, 0.2
    warm, total = warmup * steps, epochs * steps
    wanted = []
    for t in range(total):
        share = (t - warm) / (total - warm)
        falling = final + (1 - final) * (1 + math.cos(math.pi * share)) / 2
        wanted.append(lr * (t / warm if t < warm else falling))
    np.testing.assert_allclose(
        rates(Cosine(final=final, warmup=warmup), lr, epochs, steps).ravel(), wanted, atol=1e-7
    )


@pytest.mark.parametrize("peak", [0.25, 0.4, 0.9])
def test_cyclic(peak):
    epochs, steps, lr = 5, 4, 0.3
    total, top = epochs * steps, peak * epochs * steps
    t = np.arange(total)
    wanted = lr * np.minimum((t + 1) / top, (total - t) / (total - top)).clip(0, 1)
    found = rates(Cyclic(peak=peak), lr, epochs, steps).ravel()
    np.testing.assert_allclose(found, wanted, rtol=1e-5)
    assert found.argmax() in (math.floor(top) - 1, math.floor(top)) and found[0] <= lr / top * 1.01


@pytest.mark.parametrize("cls", registry.variants("schedules").values(), ids=lambda c: c.name)
def test_every_schedule_stays_between_zero_and_the_rate(cls):
    found = rates(cls(), 0.1, 8, 3)
    assert (found >= 0).all() and (found <= 0.1 * (1 + 1e-6)).all()
    assert found.max() == pytest.approx(0.1, rel=0.1)


@pytest.mark.parametrize("cls", registry.variants("schedules").values(), ids=lambda c: c.name)
def test_every_schedule_survives_the_optimisers_config(cls):
    optimizer = SGD(cls().build(0.1, 8, 3))
    again = SGD.from_config(optimizer.get_config())
    for step in (0, 11, 12, 20):
        for one in (optimizer, again):
            one.iterations.assign(step)
        assert float(again.learning_rate) == float(optimizer.learning_rate)
