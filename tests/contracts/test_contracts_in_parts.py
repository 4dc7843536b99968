"""The pixels are the same in however many parts a batch is attacked."""

import functools

import keras
import numpy as np
import pytest

from slr_keras import backend, losses
from slr_keras.attacks._objective import Objective
from slr_keras.attacks.apgd import APGD
from slr_keras.attacks.fab import FAB
from slr_keras.attacks.fmn import FMN
from slr_keras.attacks.mi_fgsm import MIFGSM
from slr_keras.attacks.pgd import PGD
from slr_keras.attacks.square import Square
from slr_keras.methods.trades import TRADES

pytestmark = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="TensorFlow alone takes a batch in parts"
)
SHAPE, CLASSES, IMAGES = (6, 6, 2), 4, 49  # in parts of 24 and 25, or of 16, 16 and 17
ATTACKS = [
    PGD(eps=0.1, steps=5, restarts=2),
    MIFGSM(eps=0.1, steps=5),
    FMN(eps=0.1, steps=5),
    APGD(eps=0.1, steps=10),
    FAB(eps=0.1, steps=5),
    Square(eps=1 / 8, queries=150),
]


@pytest.fixture(scope="module")
def net():
    keras.utils.set_random_seed(0)
    layers = keras.layers.Conv2D(6, 3, activation="relu"), keras.layers.Flatten()
    made = keras.Sequential([keras.Input(SHAPE), *layers, keras.layers.Dense(CLASSES)])
    made.set_weights([in_steps(weight, 64) for weight in made.get_weights()])
    return made


def in_steps(values, count):
    """Rounded to multiples of 1 / count, whose sums of products are exact.

    With AVX2 the rounding of a row of a matrix product depends on its place in the batch.
    """
    return np.round(values * count) / count


@pytest.fixture(scope="module")
def data(net):
    x = in_steps(np.random.default_rng(0).random((IMAGES, *SHAPE), "float32"), 64)
    return x, net.predict(x, verbose=0).argmax(-1)


def in_parts(monkeypatch, count):
    """A batch is parted into so many."""
    monkeypatch.setattr("slr_keras.backend.tensorflow.cores_to_share", lambda: count)


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.name)
def test_the_pixels_do_not_depend_on_the_parts(net, data, attack, monkeypatch):
    found = []
    for count in (1, 2, 3):
        in_parts(monkeypatch, count)
        found.append(attack(net, *data))
    found.append(attack(net, data[0][:1], data[1][:1]))
    assert (found[0] != data[0]).any()
    rounding = 1e-6 if isinstance(attack, FAB) else 0  # of a product's rows; the others take signs
    for images in found[1:]:
        np.testing.assert_allclose(images, found[0][: len(images)], rtol=0, atol=rounding)


def traced(objective, x, monkeypatch):
    """Images that PGD returns, and the rows of each call of the network that was traced."""
    rows = []

    def logits(x):
        rows.append(x.shape[0])
        return objective.logits(x)

    noting = Objective(logits, objective.labels, loss=objective.loss, beside=objective.beside)

    def run(x):
        return PGD(eps=0.1, steps=5).perturb(noting, x, 0.999 * x)

    made = backend.compiled(run, (x.shape, "float32"))
    return np.asarray(made(x)), rows


HOLDING = {
    "a closure": lambda z: lambda z_adv, _: losses.divergence(z, z_adv),
    "an object": lambda z: functools.partial(lambda z, z_adv, _: losses.divergence(z, z_adv), z),
    "a default": lambda z: lambda z_adv, _, z=z: losses.divergence(z, z_adv),
}


@pytest.mark.parametrize("holds", ["tensors beside", *HOLDING])
def test_what_a_loss_holds_of_the_batch_is_parted_or_the_batch_is_not(
    net, data, holds, monkeypatch
):
    x, y = map(keras.ops.convert_to_tensor, data)
    own = TRADES().objective(net, x, y)
    if holds in HOLDING:
        own = Objective(net, y, loss=HOLDING[holds](own.beside[0]))
    in_parts(monkeypatch, 1)
    expected, whole = traced(own, x, monkeypatch)
    in_parts(monkeypatch, 3)
    found, rows = traced(own, x, monkeypatch)
    np.testing.assert_array_equal(found, expected)
    assert set(whole) == {IMAGES}
    assert set(rows) == ({IMAGES} if holds in HOLDING else {None})
