"""Attacks that look for the nearest image: closed forms of linear models, algorithms by hand."""

import keras
import numpy as np
import pytest

from slr_keras.attacks import _packing
from slr_keras.attacks._arrays import Runner
from slr_keras.attacks._fewer import fewer
from slr_keras.attacks._norms import NORMS
from slr_keras.attacks._numbers import seeded
from slr_keras.attacks._objective import Objective
from slr_keras.attacks.cw import CW
from slr_keras.attacks.ddn import DDN
from slr_keras.attacks.deepfool import DeepFool
from slr_keras.attacks.fab import FAB
from slr_keras.attacks.fmn import FMN
from slr_keras.attacks.pgd import PGD
from slr_keras.attacks.sigma_zero import SigmaZero
from slr_keras.errors import SettingError
from slr_keras.evaluation.judge import distances
from slr_keras.settings import registry

SHAPE = (4, 4, 1)
EVERY = [*(FMN(norm=norm) for norm in NORMS), DDN(), SigmaZero()]
every_attack = pytest.mark.parametrize("attack", EVERY, ids=lambda a: f"{a.name}-{a.norm}")


def linear(w, b):
    """Two classes with logits (0, <w, x> + b)."""

    def logits(x):
        lead = keras.ops.sum(x * keras.ops.convert_to_tensor(w), axis=(1, 2, 3)) + b
        return keras.ops.stack([keras.ops.zeros_like(lead), lead], axis=1)

    return logits


@pytest.fixture(scope="module")
def near_grey():
    """Images of class 0 of a linear model, its weight and offset, and <w, x> + b."""
    rng = np.random.default_rng(0)
    w = rng.normal(size=SHAPE).astype("float32")
    x = (0.5 + 0.02 * rng.normal(size=(6, *SHAPE))).astype("float32")
    b = -float((0.5 * w).sum()) - 1.5
    lead = (x * w).sum((1, 2, 3)) + b
    assert (lead < 0).all()
    return x, w, b, lead


def closest(norm, x, w, lead):
    """The distance to the plane, by image: |f| / ||w||_dual; in L0 the fewest values that do."""
    if norm == "l0":
        room = np.where(w > 0, 1 - x, x) * abs(w)
        gained = np.cumsum(-np.sort(-room.reshape(len(x), -1), axis=1), axis=1)
        return 1 + (gained < abs(lead)[:, None]).sum(1)
    dual = {"linf": abs(w).sum(), "l2": np.sqrt((w**2).sum()), "l1": abs(w).max()}[norm]
    return abs(lead) / dual


@pytest.fixture(scope="module")
def run(near_grey):
    """``run(attack, x, y)`` on that model; each attack is compiled once."""
    _, w, b, _ = near_grey
    return Runner(linear(w, b))


@pytest.mark.parametrize(
    ("attack", "targeted"),
    [*((attack, False) for attack in EVERY), *((EVERY[i], True) for i in (0, 4, 5))],
    ids=lambda a: f"{a.name}-{a.norm}" if hasattr(a, "norm") else f"targeted-{a}",
)
def test_the_exact_distance_of_a_linear_model(attack, targeted, near_grey, run):
    x, w, b, lead = near_grey
    far = attack.replace(targeted=targeted).unbounded(SHAPE)
    found = run(far, x, np.full(6, int(targeted)))
    assert (((found.astype("float64") * w).sum((1, 2, 3)) + b) > 0).all(), "not beyond the plane"
    exact, got = closest(attack.norm, x, w, lead), distances(x, found, attack.norm)
    if attack.norm == "l1":  # one pixel may not have the room: then two are the nearest
        room = np.where(w > 0, 1 - x, x)[:, abs(w) == abs(w).max()][:, 0]
        assert (got[room < exact] > exact[room < exact]).all()
        exact, got = exact[room > exact], got[room > exact]
        assert len(got) or attack.norm == "l1"
    assert (got >= exact * (1 - 1e-5)).all(), "nearer than possible"
    np.testing.assert_allclose(got, exact, rtol=0.01)


@every_attack
def test_what_lies_beyond_the_radius_is_given_back(attack, near_grey, run):
    x, right = near_grey[0], np.zeros(6)
    far = distances(x, run(attack.unbounded(SHAPE), x, right), attack.norm)
    radius = float(np.sort(far)[2]) * (1 + 1e-6)
    found = run(attack.replace(eps=radius), x, right)
    np.testing.assert_allclose(distances(x, found, attack.norm), far * (far <= radius), rtol=1e-5)
    np.testing.assert_array_equal(run(attack, x, 1 - right), x)


# -- by hand -----------------------------------------------------------------------------------


def projected(norm, d, radius):
    """The nearest point of a ball, in NumPy."""
    size = abs(d)
    if norm == "linf":
        return np.clip(d, -radius, radius)
    if norm == "l2":
        return d * min(1, radius / np.linalg.norm(d))
    if norm == "l0":
        return d * (size.argsort().argsort() >= d.size - int(radius))
    low, high = 0.0, size.max()
    for _ in range(100):
        level = (low + high) / 2
        low, high = (level, high) if np.maximum(size - level, 0).sum() > radius else (low, level)
    return np.sign(d) * np.maximum(size - high, 0)


def fmn_by_hand(norm, x, lead, slope, steps):
    """Algorithm 1 of the paper for two classes, with ours in L0; distance of the nearest image."""
    order = {"linf": np.inf, "l2": 2, "l1": 1, "l0": 0}[norm]
    dual = {"linf": 1, "l2": 2, "l1": np.inf}.get(norm)
    d, radius, nearest, best = 0 * x, float(norm == "l0"), np.inf, x
    farthest = np.linalg.norm(np.maximum(x, 1 - x), order)
    for i in range(steps):
        share = (1 + np.cos(np.pi * i / steps)) / 2
        length, gamma = 0.01 + 0.99 * share, 0.001 + 0.049 * share
        f, g, size = lead(x + d), slope(x + d), np.linalg.norm(d, order)
        if f > 0:
            nearest, best = min((nearest, best), (size, x + d), key=lambda found: found[0])
            fewer = max(1, min(radius - 1, np.floor(radius * (1 - gamma)), nearest))
            radius = fewer if norm == "l0" else min(radius * (1 - gamma), nearest)
        elif norm == "l0":
            more = max(radius + 1, np.floor(radius * (1 + gamma)))
            radius, d = 2 * radius if nearest == np.inf else more, d / 2
        elif nearest < np.inf:
            radius *= 1 + gamma
        else:
            radius = max(size + abs(f) / np.linalg.norm(g, dual), radius * (1 + gamma))
        radius = min(radius, farthest)
        ahead = projected(norm, d + length * g / np.linalg.norm(g), radius)
        d = np.clip(x + ahead, 0, 1) - x
    return len(without_the_needless(x, best, lead)) if norm == "l0" else nearest


def without_the_needless(x, best, lead):
    """The values of an image that have to differ, taken back one by one."""
    walls = np.where(best == x, x, best > x)
    image = walls if lead(walls) > 0 else best.copy()
    for i in sorted(np.flatnonzero(best != x), key=lambda i: abs(best - x)[i])[:10]:
        kept, image[i] = image[i], x[i]
        image[i] = image[i] if lead(image) > 0 else kept
    return np.flatnonzero(image != x)


@pytest.mark.parametrize("norm", NORMS)
def test_fmn_by_hand_on_a_curved_model(norm, rng):
    w = rng.normal(size=SHAPE).astype("float32")
    x = rng.random((6, *SHAPE), "float32")

    def logits(v):
        bent = keras.ops.sin(3 * v) * keras.ops.convert_to_tensor(w)
        lead = keras.ops.sum(bent, axis=(1, 2, 3)) + b
        return keras.ops.stack([keras.ops.zeros_like(lead), lead], axis=1)

    b = -float((np.sin(3 * x) * w).sum((1, 2, 3)).max()) - 0.4
    found = FMN(norm=norm, steps=15).unbounded(SHAPE)(logits, x, np.zeros(6))
    flat = w.ravel().astype("float64")
    want = [
        fmn_by_hand(
            norm,
            image.ravel().astype("float64"),
            lambda v: (np.sin(3 * v) * flat).sum() + b,
            lambda v: 3 * np.cos(3 * v) * flat,
            15,
        )
        for image in x
    ]
    got = distances(x, found, norm)
    assert np.isfinite(want).any(), "nothing was found: the test shows little"
    np.testing.assert_allclose(got, np.where(np.isfinite(want), want, 0), rtol=1e-3)


def test_in_l0_values_that_are_not_needed_are_taken_back():
    """<d, w> > 1 needs the two largest weights; at the walls the largest alone is enough."""
    w = np.zeros(SHAPE, "float32")
    w.ravel()[:4] = [1.1, 0.7, 0.5, 0.1]
    logits = linear(w, -1.0)
    image = np.zeros((2, *SHAPE), "float32")
    image[0].ravel()[:4] = [0.8, 0.6, 0.9, 0.3]
    x, image = keras.ops.zeros((2, *SHAPE)), keras.ops.convert_to_tensor(image)
    zero = np.zeros(2, "int32")
    fools = Objective(logits, keras.ops.convert_to_tensor(zero)).fooled
    found = keras.ops.convert_to_numpy(fewer(fools, x, image))
    np.testing.assert_array_equal(found[0].ravel()[:4], [1, 0, 0, 0])
    np.testing.assert_array_equal(found[1], 0)


# -- on a network ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def net():
    """A small network with bends, and 16 images that it calls as they are labelled."""
    keras.utils.set_random_seed(0)
    image = keras.Input((6, 6, 1))
    x = keras.layers.Conv2D(8, 3, activation="gelu", kernel_initializer="he_normal")(image)
    net = keras.Model(image, 3 * keras.layers.Dense(4)(keras.layers.Flatten()(x)))
    x = np.random.default_rng(1).random((16, 6, 6, 1), "float32")
    return net, x, np.asarray(keras.ops.convert_to_numpy(net(x))).argmax(-1)


@pytest.fixture(scope="module")
def nearest(net):
    """Distances of what an attack finds at any distance."""
    model, x, y = net
    run = Runner(model)

    def nearest(attack):
        found = run(attack.unbounded(x.shape[1:]), x, y)
        wrong = keras.ops.convert_to_numpy(model(found)).argmax(-1) != y
        return np.where(wrong, distances(x, found, attack.norm), np.inf)

    return nearest


@pytest.mark.parametrize(
    ("attack", "other", "ratio"),
    [
        (FMN(), DeepFool(), 1.0),
        (DDN(), DeepFool(norm="l2"), 1.03),  # its radius ends up five percent to and fro
        (SigmaZero(), FMN(norm="l0"), 1.1),
    ],
    ids=lambda a: f"{a.name}-{a.norm}" if hasattr(a, "norm") else "",
)
def test_no_farther_than_another_attack(attack, other, ratio, nearest):
    ours, theirs = nearest(attack), nearest(other)
    assert np.isfinite(ours).all()
    assert ours.mean() <= ratio * theirs.mean()


# -- FAB at any distance -----------------------------------------------------------------------


def test_fab_without_a_radius_goes_on_and_keeps_the_nearest_of_its_rounds(net):
    model, x, y = net
    attack = FAB(steps=12, targets=2)
    far = attack.unbounded(x.shape[1:])
    assert far.nearest and far.searches_on and not attack.searches_on

    def run(attack):
        packed = _packing.Packed(model, attack)
        stops = list(packed.stops(x, y, np.arange(len(x))))
        return packed, stops, distances(x, stops[-1].best, "linf")

    packed, stops, together = run(far)
    _, _, first = run(attack.replace(eps=far.eps))
    assert [stop.round for stop in stops if not stop.state] == [1, 2]
    assert stops[-1].fooled.all() and (together <= first).all() and (together < first).any()
    passed = [distances(x, s.best, "linf") for s in stops if s.fooled.all()]
    assert all((later <= sooner).all() for sooner, later in zip(passed, passed[1:], strict=False))
    kept = _packing.Stop.restore(stops[1].keep())
    *_, last = packed.stops(x, y, np.arange(len(x)), kept)
    np.testing.assert_array_equal(last.best, stops[-1].best)
    tensor = keras.ops.convert_to_tensor
    logits = lambda v: model(v, training=False)  # noqa: E731
    whole = far.run(Objective(logits, tensor(y.astype("int32"))), tensor(x), seeded(0))
    whole = distances(x, keras.ops.convert_to_numpy(whole), "linf")
    np.testing.assert_allclose(whole, together, rtol=0.02)


# -- what is said of them ----------------------------------------------------------------------


def test_which_attacks_look_for_the_nearest_image():
    found = {
        (name, norm)
        for name, cls in registry.variants("attacks").items()
        for norm in cls.norms
        if norm in cls.nearest_in
    }
    assert found == {
        *(("fmn", norm) for norm in NORMS),
        *(("fab", norm) for norm in ("linf", "l2", "l1")),
        *(("deepfool", norm) for norm in ("linf", "l2")),
        *(("ddn", "l2"), ("cw", "l2"), ("sigma_zero", "l0")),
    }
    assert CW(norm="l2").minimal and not CW().minimal and not PGD().minimal


def test_without_a_radius():
    sizes = {norm: FMN(norm=norm).unbounded((2, 8, 1)).eps for norm in NORMS}
    assert sizes == {"linf": 1.0, "l2": 4.0, "l1": 16.0, "l0": 16.0}
    assert DeepFool().unbounded((2, 8, 1)).replace(eps=8 / 255) == DeepFool()
    with pytest.raises(TypeError, match="pgd in linf looks for no nearest image"):
        PGD().unbounded(SHAPE)


@pytest.mark.parametrize(
    ("cls", "settings", "said"),
    [
        (PGD, {"norm": "l0"}, "pgd knows linf, l2 and l1, received 'l0'"),
        (FAB, {"norm": "l0"}, "fab knows linf, l2 and l1, received 'l0'"),
        (DDN, {"norm": "linf"}, "expected one of l2, received 'linf'"),
        (SigmaZero, {"norm": "l1"}, "expected one of l0, received 'l1'"),
        (FMN, {"gamma": 1.0}, "expected a number > 0, < 1"),
    ],
)
def test_refused(cls, settings, said):
    with pytest.raises(SettingError, match=said):
        cls(**settings)
