"""What attacks compile: the network as often however long their loops are."""

import keras
import numpy as np
import pytest

from slr_keras import backend
from slr_keras.attacks._base import Objective, seeded
from slr_keras.attacks.apgd import APGD
from slr_keras.attacks.cw import CW
from slr_keras.attacks.fab import FAB
from slr_keras.attacks.square import Square

pytestmark = pytest.mark.skipif(backend.name() == "torch", reason="compiles nothing")
SHAPE, CLASSES = (6, 6, 1), 5


class Net:
    """A linear model that counts how often it is called; a compiled call does not call it."""

    def __init__(self):
        rng = np.random.default_rng(0)
        self.weights = rng.normal(size=(36, CLASSES)).astype("float32")
        self.calls = 0

    def __call__(self, x):
        self.calls += 1
        return keras.ops.reshape(x, (-1, 36)) @ self.weights


@pytest.fixture
def batch(rng):
    x = rng.random((3, *SHAPE), "float32")
    return x, np.array(Net()(x)).argmax(-1)  # all are classified correctly


def changed(attack, **values):
    names = vars(attack)
    return attack.replace(**{k: v for k, v in values.items() if k in names})


@pytest.mark.parametrize(
    "attack",
    [APGD(targets=1), APGD(norm="l1", eps=1.0, shrinking=True), FAB(), Square(), CW(norm="l2")],
    ids=lambda a: f"{a.name}-{a.norm}",
)
def test_longer_loops_compile_no_more(attack, batch):
    def passes(**lengths):
        net, seeds, tried = Net(), seeded(0), changed(attack, **lengths)

        def run(x, y):
            return tried.run(Objective(net, y), x, seeds)

        backend.compiled(run)(*map(keras.ops.convert_to_tensor, batch))
        return net.calls

    short = passes(steps=5, queries=50, searches=1)
    assert passes(steps=60, queries=350, searches=3, restarts=3) == short
    if getattr(attack, "targets", 0):
        assert passes(steps=5, targets=CLASSES - 1) == short
