"""What attacks compile: each kind once, and the network as often however long their loops are."""

import keras
import numpy as np
import pytest

from slr_keras import backend
from slr_keras.attacks import _arrays, _packing
from slr_keras.attacks._arrays import Runner
from slr_keras.attacks._numbers import seeded
from slr_keras.attacks._objective import Objective
from slr_keras.attacks.apgd import APGD
from slr_keras.attacks.cw import CW
from slr_keras.attacks.fab import FAB
from slr_keras.attacks.gaussian import Gaussian
from slr_keras.attacks.mi_fgsm import MIFGSM
from slr_keras.attacks.pgd import PGD
from slr_keras.attacks.square import Square
from slr_keras.settings import registry

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


KINDS = [
    *(cls() for cls in registry.variants("attacks").values() if cls is not Gaussian),  # asks no net
    APGD(norm="l1", eps=1.0, loss="dlr", targets=1, shrinking=True),
    FAB(norm="l2", targets=1, restarts=2),
    Square(norm="l2", eps=0.1, rescale=False),
    CW(norm="l2", eps=0.1, searches=2),
]
SHORT = {"steps": 6, "queries": 5, "eps": 1e-4}  # too near to fool: every part of the attack runs


def changed(attack, **values):
    names = vars(attack)
    return attack.replace(**{k: v for k, v in values.items() if k in names})


def moved(attack):
    """The attack with another value of each of its numbers (0 targets are another loss)."""
    numbers = attack.numbers().items()
    return attack.replace(
        **{k: v + (v > 0) if type(v) is int else 1.01 * v + 1e-3 for k, v in numbers}
    )


@pytest.mark.parametrize("attack", KINDS, ids=lambda a: f"{a.name}-{a.norm}")
def test_other_numbers_and_seeds_compile_nothing(attack, batch):
    attack, net = changed(attack, **SHORT), Net()
    other, run = moved(attack), Runner(net)
    assert other.kind() == attack.kind() and other.eps != attack.eps
    first = run(attack, *batch)
    compiled = net.calls
    assert compiled > 0
    second = run(other, *batch, seed=7)
    np.testing.assert_array_equal(run(attack, *batch), first)
    assert net.calls == compiled
    np.testing.assert_array_equal(second, other(Net(), *batch, seed=7))


def test_words_and_switches_make_another_kind():
    kinds = {APGD(), APGD(loss="dlr"), APGD(norm="l2"), APGD(targeted=True), APGD(eot=2), PGD()}
    assert len({attack.kind() for attack in kinds}) == len(kinds)
    assert APGD(steps=3, eps=0.1, restarts=4, targets=9).kind() == APGD().kind()
    with pytest.raises(ValueError, match="loss='dlr'"):
        _packing.Packed(Net(), APGD()).like(APGD(loss="dlr"))


def test_the_newest_kinds_are_kept(batch, monkeypatch):
    monkeypatch.setattr(_arrays, "KEPT", 2)
    net = Net()
    run, kinds = Runner(net), [MIFGSM(), PGD(), PGD(random=False)]
    for attack in (*kinds, kinds[1]):
        run(attack, *batch)
    compiled = net.calls
    run(kinds[2], *batch)
    assert net.calls == compiled
    run(kinds[0], *batch)
    assert net.calls > compiled


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
