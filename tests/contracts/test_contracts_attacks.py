"""What every registered attack keeps to, in every norm; a new file in attacks/ is tested here."""

import dataclasses
import random

import keras
import numpy as np
import pytest

from slr_keras.attacks._arrays import Runner
from slr_keras.attacks._norms import NORMS
from slr_keras.attacks._numbers import seeded
from slr_keras.attacks._objective import Objective
from slr_keras.attacks._staged import Staged
from slr_keras.attacks.apgd import APGD
from slr_keras.batch_norm import BatchNorm
from slr_keras.errors import SettingError
from slr_keras.settings import registry

EPS = 8 / 255
RADII = {"l0": 9.0}  # values; in the other norms EPS
ATTACKS = registry.variants("attacks")


def mean(tensor):
    return keras.ops.convert_to_numpy(tensor).mean()


def knows(cls, norm):
    """Whether the attack has this norm."""
    try:
        return bool(cls(norm=norm))
    except SettingError:
        return False


every_attack = pytest.mark.parametrize(
    ("cls", "norm"),
    [
        pytest.param(cls, norm, id=f"{name}-{norm}")
        for name, cls in ATTACKS.items()
        for norm in NORMS
        if knows(cls, norm)
    ],
    scope="module",  # all tests of an attack in a row: what is compiled for one serves the others
)
SHAPE, CLASSES = (6, 6, 2), 4


@pytest.fixture(scope="module")
def net():
    """Convolution, BatchNorm with statistics that are not the initial ones, dense."""
    random.seed(1)
    inputs = x = keras.Input(SHAPE)
    x = BatchNorm()(keras.layers.Conv2D(6, 3, activation="tanh")(x))
    net = keras.Model(inputs, keras.layers.Dense(CLASSES)(keras.layers.Flatten()(x)))
    for _ in range(5):
        net(np.random.default_rng(0).random((32, *SHAPE), "float32"), training=True)
    return net


@pytest.fixture(scope="module")
def logits(net):
    """The network in inference mode, without Keras' layers, whose calls take most of the time."""
    kernel, bias, gamma, beta, mean, variance, dense, shift = map(tensor, net.get_weights())
    epsilon = next(layer.epsilon for layer in net.layers if isinstance(layer, BatchNorm))
    scale = gamma * keras.ops.rsqrt(variance + epsilon)

    def logits(x):
        z = keras.ops.tanh(keras.ops.conv(x, kernel) + bias)
        return keras.ops.reshape((z - mean) * scale + beta, (-1, len(dense))) @ dense + shift

    x = np.random.default_rng(1).random((5, *SHAPE), "float32")
    expected = keras.ops.convert_to_numpy(net(x, training=False))
    np.testing.assert_allclose(logits(tensor(x)), expected, atol=1e-5)
    return logits


@pytest.fixture(scope="module")
def aimed(logits):
    """The same on the plain function, for which less is compiled: for the targeted attacks."""
    return Runner(logits)


@pytest.fixture(scope="module")
def batch(logits):
    """Eight images, the smallest batch to which an attack shrinks; two are classified wrong."""
    x = np.random.default_rng(2).random((8, *SHAPE), "float32")
    x[0], x[1] = 0, 1  # the corners of the pixel cube
    y = keras.ops.convert_to_numpy(logits(tensor(x))).argmax(-1)
    y[::4] = (y[::4] + 1) % CLASSES
    return x, y.astype("int32")


def noise_like(x):
    return np.random.default_rng(3).normal(size=x.shape).astype("float32")


def make(cls, norm, **settings):
    """The attack with as few steps as reach its aim."""
    names = {field.name for field in dataclasses.fields(cls)}
    searching = {"steps": 6, "queries": 30, "step_size": 0.1}
    searching |= {"searches": 1, "learning_rate": 0.1, "first_weight": 10}
    short = {"steps": 12} if "loss" in names else {} if cls.ascends else searching
    given = {"eps": RADII.get(norm, EPS)} | short | settings
    return cls(norm=norm, **{k: v for k, v in given.items() if k in names})


def brief(cls, norm, **settings):
    """Fewer steps still, for what holds after any number of them: these loops run eagerly."""
    return make(cls, norm, **{"steps": 4, "queries": 10} | settings)


def or_skip(made, cls, norm, **settings):
    """``made(cls, norm, **settings)``, or a skip where the attack knows no targets."""
    try:
        return made(cls, norm, **settings)
    except SettingError:
        pytest.skip("has no targets")


def tensor(x):
    return keras.ops.convert_to_tensor(x)


@every_attack
@pytest.mark.parametrize("targeted", [False, True])
def test_never_lowers_the_mean_objective(cls, norm, targeted, logits, batch):
    if not cls.ascends:
        pytest.skip("looks for a boundary, not for the optimum")
    x, objective = tensor(batch[0]), Objective(logits, batch[1], targeted)
    attack = or_skip(brief, cls, norm, targeted=targeted)
    for start in (x, attack.inside(x, x + noise_like(x))):
        found = attack.perturb(objective, x, start)
        assert mean(objective(found)) > mean(objective(start))


@every_attack
def test_one_image_equals_its_row_of_a_batch(cls, norm, logits, batch):
    x, y = tensor(batch[0]), batch[1]
    far = {"eps": 1.0 if norm == "linf" else 72.0 if norm == "l0" else 9.0}  # there is a boundary
    long = {"steps": 12} if cls is APGD else {}  # some of its steps are halved
    attack = brief(cls, norm, **long, **({} if cls.ascends else far))
    start = tensor(attack.inside(x, x + 0.1 * noise_like(x)))
    together = attack.perturb(Objective(logits, y), x, start)
    moved = keras.ops.convert_to_numpy(keras.ops.any(together != x, axis=(1, 2, 3)))
    assert moved.any(), "the attack found nothing"
    row = slice(moved.argmax(), moved.argmax() + 1)

    def rounded_as_there(one):  # at the same place of a batch as large: else a few signs turn
        return logits(keras.ops.repeat(one, len(y), axis=0))[row]

    alone = attack.perturb(Objective(rounded_as_there, y[row]), x[row], start[row])
    assert abs(keras.ops.convert_to_numpy(alone - together[row])).max() <= 3e-5


@every_attack
def test_linear_model_has_its_closed_form_optimum(cls, norm, rng):
    """Two classes with logits (0, w.x), label 0: raising the loss is raising w.x."""
    w = rng.normal(size=SHAPE).astype("float32")
    w[0, 0, 0] = 0
    x = rng.random((5, *SHAPE), "float32")
    if not cls.ascends:
        pytest.skip("looks for a boundary, not for the optimum")
    step = np.sign(w)
    if norm != "linf":  # away from the cube's walls, where the optimum is the ball's
        x, step = 0.3 + 0.4 * x, w / np.linalg.norm(w)
    if norm == "l1":
        step = np.sign(w) * (abs(w) == abs(w).max())

    def logits(images):
        score = keras.ops.sum(images * tensor(w), axis=(1, 2, 3))
        return keras.ops.stack([keras.ops.zeros_like(score), score], axis=1)

    objective = Objective(logits, np.zeros(5, "int32"))
    found = make(cls, norm).perturb(objective, tensor(x), tensor(x))
    if (cls, norm) == (APGD, "l1"):  # its steps are sparse, none is a single pixel's
        gain = ((np.array(found) - x) * w).sum((1, 2, 3)) / (EPS * abs(w).max())
        assert (gain > 0.75).all() and (gain < 1 + 1e-5).all()
        return
    np.testing.assert_allclose(found, np.clip(x + EPS * step, 0, 1), atol=1e-6)


@every_attack
def test_targeted_lowers_the_loss_of_the_target(cls, norm, aimed, logits, batch):
    x, y = batch
    target = (y + 1) % CLASSES
    far = {} if cls.ascends else {"eps": 72.0 if norm == "l0" else 1.0}  # to the target's region
    found = aimed(or_skip(make, cls, norm, targeted=True, **far), x, target)
    loss = Objective(logits, target)
    assert mean(loss(found)) < mean(loss(x))


@every_attack
def test_the_loop_is_its_step_again_and_again(cls, norm, logits, batch):
    if not hasattr(cls, "step"):
        pytest.skip("has no step")
    x, objective = tensor(batch[0]), Objective(logits, batch[1])
    attack = brief(cls, norm)
    candidate = start = tensor(attack.start(x, seeded(6)))
    for _ in range(getattr(attack, "steps", 1)):
        candidate = attack.step(objective, x, candidate)
    np.testing.assert_array_equal(candidate, attack.perturb(objective, x, start))
    whole = attack.run(objective, x, seeded(6))
    np.testing.assert_array_equal(candidate, whole)


RESTARTING = {
    n: c for n, c in ATTACKS.items() if "restarts" in {f.name for f in dataclasses.fields(c)}
}


@pytest.mark.parametrize("norm", ["linf", "l2"])
@pytest.mark.parametrize("cls", RESTARTING.values(), ids=RESTARTING)
def test_restarts_never_do_worse(cls, norm, logits, batch):
    x, y = tensor(batch[0]), batch[1]
    objective = Objective(logits, y)
    attack = brief(cls, norm, steps=3)
    one = attack.run(objective, x, seeded(7))
    best = attack.replace(restarts=4).run(objective, x, seeded(7))  # its first start is the same
    fooled_one, fooled_best = np.array(objective.fooled(one)), np.array(objective.fooled(best))
    assert (fooled_best >= fooled_one).all()
    same = fooled_best == fooled_one
    assert (np.array(objective(best)) >= np.array(objective(one)))[same].all()
    if cls.ascends and not issubclass(cls, Staged):  # those find the same top from most starts
        assert mean(objective(best)) > mean(objective(one))
