"""APGD, FAB and Square against NumPy by hand and closed forms."""

import functools

import keras
import numpy as np
import pytest

from slr_keras import backend, losses
from slr_keras.attacks import _packing
from slr_keras.attacks._objective import Objective
from slr_keras.attacks.apgd import APGD
from slr_keras.attacks.fab import FAB
from slr_keras.attacks.square import Square
from slr_keras.errors import SettingError, UserError

SHAPE, EPS = (4, 4, 1), 0.1


def linear(w, b):
    """Two classes with logits (0, <w, x> + b)."""

    def logits(x):
        lead = keras.ops.sum(x * w, axis=(1, 2, 3)) + b
        return keras.ops.stack([keras.ops.zeros_like(lead), lead], axis=1)

    return logits


def perturbed(attack, logits, y, x):
    """The pure loop from the images, compiled: it is long."""
    return backend.compiled(lambda x: attack.perturb(Objective(logits, y), x, x))(tensor(x))


def tensor(x):
    return keras.ops.convert_to_tensor(x)


# -- losses ------------------------------------------------------------------------------------


@pytest.mark.parametrize("classes", [4, 10, 100])
def test_dlr_by_hand(classes, rng):
    z, y = rng.normal(size=(20, classes)).astype("float32"), rng.integers(0, classes, 20)
    t = (y + 1 + rng.integers(0, classes - 1, 20)) % classes
    for i in range(20):
        top = np.sort(z[i])[::-1]
        rival = max(z[i][k] for k in range(classes) if k != y[i])
        want = -(z[i][y[i]] - rival) / (top[0] - top[2] + 1e-12)
        np.testing.assert_allclose(losses.dlr(z, y)[i], want, rtol=1e-4)
        want = -(z[i][y[i]] - z[i][t[i]]) / (top[0] - (top[2] + top[3]) / 2 + 1e-12)
        np.testing.assert_allclose(losses.targeted_dlr(z, y, t)[i], want, rtol=1e-4)
        np.testing.assert_allclose(losses.margin(z, y)[i], rival - z[i][y[i]], rtol=1e-4)


def test_dlr_does_not_change_with_the_scale_of_the_logits(rng):
    z, y = rng.normal(size=(8, 10)).astype("float32"), rng.integers(0, 10, 8)
    np.testing.assert_allclose(losses.dlr(1000 * z + 5, y), losses.dlr(z, y), rtol=1e-3)


# -- APGD --------------------------------------------------------------------------------------


def test_checkpoints_by_hand():
    """p = 0, 0.22, then + max(p_j - p_{j-1} - 0.03, 0.06), times 100."""
    assert APGD(steps=100).stops() == (22, 41, 57, 70, 80, 87, 93, 99, 100)


def test_the_ball_shrinks_after_thirty_and_sixty_steps():
    attack = APGD(norm="l1", eps=2.0, steps=200, shrinking=True)
    radii = [float(attack._radius(i)) for i in (0, 59, 60, 119, 120, 199)]
    assert radii == [6.0, 6.0, 4.0, 4.0, 2.0, 2.0]
    # parts of 60, 60 and 80 steps, each with a checkpoint every 2, 2 and 3 steps
    stops = (*range(2, 121, 2), *range(123, 200, 3), 200)
    assert attack.stops() == stops
    with pytest.raises(SettingError, match="norm l1"):
        APGD(shrinking=True)


def test_the_search_begins_three_times_while_the_ball_shrinks(rng):
    """A pass for each step and for each of three beginnings."""
    asked, w = [], rng.normal(size=SHAPE).astype("float32")

    def logits(x):
        asked.append(1)
        return linear(w, 0.0)(x)

    x = rng.random((2, *SHAPE), "float32")
    attack = APGD(norm="l1", eps=EPS, steps=10, shrinking=True)
    attack.perturb(Objective(logits, np.zeros(2, "int32")), x, x)
    assert len(asked) == 10 + 3


def test_what_fools_in_the_larger_balls_alone_does_not_count(rng):
    """The boundary of a linear model lies between one and three radii: nothing counts as found."""
    w = rng.normal(size=SHAPE).astype("float32")
    x = np.full((3, *SHAPE), 0.5, "float32")
    y, b = np.zeros(3, "int32"), keras.Variable(0.0)
    packed = _packing.Packed(linear(w, b), APGD(norm="l1", eps=EPS, steps=30, shrinking=True))
    for reach, hits in ((1.6, False), (0.7, True)):
        b.assign(-float((0.5 * w).sum()) - reach * EPS * float(abs(w).max()))
        found, fooled = packed.run(x, y)
        assert (fooled == hits).all()
        assert (abs(found - x).sum((1, 2, 3)) <= EPS * (1 + 1e-5)).all()


def test_apgd_trace_by_hand(rng):
    """The same trajectory as a plain NumPy program of algorithm 1, step sizes halved included."""
    w = rng.normal(size=(3, *SHAPE)).astype("float32")
    x = rng.random((5, *SHAPE), "float32")
    y = np.array([0, 1, 2, 0, 1], "int32")

    def logits(v):  # curved, so that steps overshoot and are halved
        features = keras.ops.sin(6 * v)
        return keras.ops.stack([keras.ops.sum(features * k, axis=(1, 2, 3)) for k in w], axis=1)

    attack = APGD(eps=0.3, steps=40)
    start = np.clip(x + 0.3 * rng.uniform(-1, 1, x.shape).astype("float32"), 0, 1)
    objective = Objective(logits, y)
    state, first, halvings = attack.begin_at(objective, x, start), 0, []
    for last in attack.stops():
        state = attack.advance(objective, x, state, first, last, {})
        halvings.append(np.array(state["halved"]))
        first = last
    want, want_halvings = apgd_by_hand(w, x, y, start, 0.3, 40, attack.stops())
    np.testing.assert_array_equal(halvings, want_halvings)
    assert np.any(want_halvings), "no step was ever halved: the test shows nothing"
    np.testing.assert_allclose(state["top_value"], want, rtol=1e-4)


def apgd_by_hand(w, x, y, start, eps, steps, stops):
    def loss_and_gradient(v, label):
        s, c = np.sin(6 * v), 6 * np.cos(6 * v)
        z = np.array([(s * k).sum() for k in w])
        p = np.exp(z - z.max())
        p /= p.sum()
        gradient = sum((p[k] - (k == label)) * w[k] * c for k in range(3))
        return -np.log(p[label]), gradient

    tops, marks = [], []
    for i in range(len(x)):
        clip = lambda v, i=i: np.clip(np.clip(v, x[i] - eps, x[i] + eps), 0, 1)  # noqa: E731
        here = before = start[i].astype("float64")
        value, gradient = loss_and_gradient(here, y[i])
        top, best, best_gradient = value, here, gradient
        step, checked, halved, previous, raises, last = 2 * eps, value, True, 0.0, 0, 0
        mark = []
        for n in range(steps):
            ahead = clip(here + step * np.sign(gradient))
            a = 0.75 if n else 1.0
            moved = clip(here + a * (ahead - here) + (1 - a) * (here - before))
            before, here = here, moved
            value, gradient = loss_and_gradient(here, y[i])
            raises += value > previous
            previous = value
            if value > top:
                top, best, best_gradient = value, here, gradient
            if n + 1 in stops:
                few = raises <= 0.75 * (n + 1 - last)
                halved = bool(few or (not halved and checked >= top))
                if halved:
                    step, here, gradient = step / 2, best, best_gradient
                checked, raises, last = top, 0, n + 1
                mark.append(halved)
        tops.append(top)
        marks.append(mark)
    return np.array(tops), np.array(marks, "float32").T


def test_losses_that_are_not_defined_for_few_classes_are_refused():
    APGD(loss="dlr").check_classes(3)
    for attack, classes in ((APGD(loss="dlr"), 2), (APGD(loss="dlr", targets=2), 3)):
        with pytest.raises(UserError, match="classes"):
            attack.check_classes(classes)
    with pytest.raises(UserError, match="fewer targets"):
        APGD(loss="ce", targets=9).check_classes(9)


# -- FAB ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("norm", ["linf", "l2", "l1"])
def test_fab_finds_the_exact_distance_of_a_linear_model(norm, rng):
    """Away from the walls the distance to <w, x> + b = 0 is |<w, x> + b| / ||w||_dual."""
    w = rng.normal(size=SHAPE).astype("float32")
    x = (0.5 + 0.02 * rng.normal(size=(6, *SHAPE))).astype("float32")
    b = -float((0.5 * w).sum()) - 0.2
    lead = (x * w).sum((1, 2, 3)) + b
    assert (lead < 0).all()
    dual = {"linf": abs(w).sum(), "l2": np.sqrt((w**2).sum()), "l1": abs(w).max()}[norm]
    attack = FAB(norm=norm, eps=5.0 if norm == "l1" else 1.0, eta=1.01)
    found = perturbed(attack, linear(w, b), np.zeros(6, "int32"), x)
    d = (np.array(found) - x).reshape(6, -1).astype("float64")
    size = {"linf": abs(d).max(1), "l2": np.sqrt((d**2).sum(1)), "l1": abs(d).sum(1)}[norm]
    np.testing.assert_allclose(size, abs(lead) / dual, rtol=0.02)
    assert (size >= abs(lead) / dual * (1 - 1e-4)).all(), "nearer than possible"


def test_fab_returns_the_image_where_the_boundary_lies_outside_the_ball(rng):
    w = rng.normal(size=SHAPE).astype("float32")
    x = np.full((1, *SHAPE), 0.5, "float32")
    b = -float((0.5 * w).sum()) - 0.5 * float(abs(w).sum())  # half the cube away
    attack = FAB(eps=0.1)
    found = perturbed(attack, linear(w, b), np.zeros(1, "int32"), x)
    np.testing.assert_array_equal(found, x)


def test_fab_begins_at_the_image_then_at_random_points_within_half_the_radius(rng):
    attack = FAB(restarts=2, targets=3)
    assert [attack.random_begin(i) for i in range(6)] == [False] * 3 + [True] * 3
    assert [FAB(restarts=2).random_begin(i) for i in range(2)] == [False, True]
    x = rng.random((2, *SHAPE), "float32")
    aim = Objective(linear(np.ones(SHAPE, "float32"), 1.0), np.zeros(2, "int32"))
    np.testing.assert_array_equal(attack.begin(aim, x, np.zeros_like(x))["x"], x)
    for norm in ("linf", "l2", "l1"):
        attack = FAB(norm=norm, eps=EPS)
        start = attack.begin(aim, x, rng.normal(size=x.shape).astype("float32"))["x"]
        size = np.array(attack.ball.size(start - x))
        assert (size > 0).all() and (size <= EPS / 2 * 1.001).all()


def test_fab_has_no_targeted_mode():
    with pytest.raises(SettingError, match="targeted"):
        FAB(targeted=True)


# -- Square ------------------------------------------------------------------------------------


@functools.cache
def counting(norm):
    """How often a model was asked that is never fooled, and Square's two parts, compiled."""
    asked, attack = keras.Variable(0), Square(norm=norm, eps=EPS)

    def logits(x):
        asked.assign_add(1)  # as often as the graph computes it
        rows = keras.ops.shape(x)[0]
        return keras.ops.stack([keras.ops.ones(rows), keras.ops.zeros(rows)], axis=1)

    aim = attack.aim(logits, np.zeros(2, "int32"))
    begin = backend.compiled(lambda *given: attack.begin(aim, *given))
    return asked, begin, backend.compiled(lambda *given: attack.advance(aim, *given))


@pytest.mark.parametrize("norm", ["linf", "l2", "l1"])
@pytest.mark.parametrize("queries", [1, 7, 100, 230])
def test_square_asks_exactly_as_often_as_told(norm, queries, rng):
    asked, begin, advance = counting(norm)
    asked.assign(0)
    attack, x = Square(norm=norm, eps=EPS, queries=queries), rng.random((2, 10, 10, 3), "float32")
    state, first = begin(tensor(x), tensor(rng.normal(size=x.shape).astype("float32"))), 0
    for last in attack.stops():
        plan = keras.tree.map_structure(tensor, attack.plan(first, last, x.shape[1:], 0))
        state = advance(tensor(x), state, tensor(first), tensor(last), plan)
        first = last
    assert int(asked) == queries


def test_square_windows_shrink_as_the_paper_says():
    attack = Square(rescale=False)
    queries = [1, 10, 11, 51, 201, 501, 1001, 2001, 4001]
    assert [attack.share(q) for q in queries] == [0.8 / 2**k for k in (0, 0, 1, 2, 3, 4, 5, 6, 7)]


def test_square_windows_shrink_at_the_same_shares_of_fewer_queries():
    attack = Square(queries=1000)
    assert [attack.share(q) for q in (1, 2, 6, 801)] == [0.8 / 2**k for k in (0, 1, 2, 9)]


@pytest.mark.parametrize("power", [1, 2])
@pytest.mark.parametrize("channels", [1, 3])
def test_a_query_of_square_in_l2_and_l1_by_hand(power, channels, rng):
    """Algorithm 3 of the paper: a channel's weight in both windows and its share of what the ball
    leaves unused move into the first window."""
    size, eps = (9, 9), 0.4
    norm = {1: "l1", 2: "l2"}[power]
    attack = Square(norm=norm, eps=eps)
    x = np.full((1, *size, channels), 0.5, "float32")  # far from the walls
    d = 0.002 * rng.normal(size=x.shape).astype("float32")
    row = {k: v[0] for k, v in attack.plan(1, 2, (*size, channels), 0).items()}
    found = np.array(attack._hill_candidate(x, x + d, row))[0] - 0.5
    length = lambda v: (abs(v.astype("float64")) ** power).sum() ** (1 / power)  # noqa: E731
    unused = max(eps**power - length(d) ** power, 0) / channels
    first, second = row["window"][..., 0] > 0, row["second"][..., 0] > 0
    want = d[0].astype("float64")
    for c in range(channels):
        budget = (unused + length(d[0, ..., c] * (first | second)) ** power) ** (1 / power)
        old = d[0, ..., c] * first
        fresh = row["pattern"][..., c] + old / length(old)
        fresh *= budget / length(fresh)
        want[..., c] = np.where(first, 0, want[..., c] * ~second) + fresh * first
    if power == 2:
        want *= eps / length(want)
    else:  # projected, here by bisection
        low, high = 0.0, abs(want).max() * channels
        want[first] *= channels
        for _ in range(100):
            level = (low + high) / 2
            left = np.maximum(abs(want) - level, 0).sum()
            low, high = (level, high) if left > eps else (low, level)
        want = np.sign(want) * np.maximum(abs(want) - low, 0)
    np.testing.assert_allclose(found, want, atol=2e-5)


@pytest.mark.parametrize("norm", ["linf", "l2", "l1"])
def test_square_windows_reach_every_pixel_and_stay_in_the_image(norm):
    shape = (7, 9, 1)
    plan = Square(norm=norm, queries=400).plan(0, 400, shape, 0)
    drawn = plan["window"][..., 0] > 0
    assert drawn.any(0).all(), "pixels that no window covers"
    for window in drawn:
        rows, columns = np.flatnonzero(window.any(1)), np.flatnonzero(window.any(0))
        assert len(rows) == len(columns) == np.sqrt(window.sum()), "not a whole square"


def test_square_never_raises_the_margin_and_uses_no_gradient(rng):
    w = rng.normal(size=(8, 8, 3)).astype("float32")

    def logits(x):  # piecewise constant: no gradient at all
        lead = keras.ops.sum(keras.ops.floor(x * 30) / 30 * w, axis=(1, 2, 3))
        never_fooled = keras.ops.zeros_like(lead) + 1000
        return keras.ops.stack([never_fooled, lead], axis=1)

    x = rng.random((4, 8, 8, 3), "float32")
    attack, y = Square(eps=0.05, queries=300), np.zeros(4, "int32")
    first = attack.replace(queries=1)
    aim = attack.aim(logits, y)
    noise = rng.normal(size=x.shape).astype("float32")
    plan = attack.plan(0, 300, x.shape[1:], 0)

    def search(x, noise, plan):
        state = attack.begin(aim, x, noise)
        return state["value"], attack.advance(aim, x, state, 0, 300, plan)["value"]

    given = keras.tree.map_structure(tensor, (x, noise, plan))
    before, after = map(np.array, backend.compiled(search)(*given))
    assert first.stops() == (1,)
    assert (after >= before).all()
    assert np.mean(after) > np.mean(before) + 0.1


# -- packing -----------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [1, 2, 7, 8, 9, 33, 128, 150, 1000])
def test_batches_hold_every_row_once_in_three_sizes(count):
    sizes, seen = [8, 32, 128], []
    for rows, size in _packing.batches(count, sizes):
        assert size in sizes and len(rows) <= size
        seen.extend(rows.tolist())
    assert seen == list(range(count))


def test_packing_changes_nothing(digits):
    """Every image ends as it does alone: in other batches, with others, at other sizes."""
    x, y = digits[0][:40], digits[1][:40]
    keras.utils.set_random_seed(0)
    net = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            keras.layers.Conv2D(8, 3, activation="relu"),
            keras.layers.Flatten(),
            keras.layers.Dense(10),
        ]
    )
    net.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    net.fit(*digits, epochs=15, verbose=0)
    attack = APGD(eps=0.15, steps=30, loss="dlr", targets=3)
    number = np.arange(40)
    large, fooled = _packing.Packed(net, attack, batch_size=32).run(x, y, number)
    few = _packing.Packed(net, attack, batch_size=8)
    small, again = few.run(x, y, number)
    one, alone = few.run(x[7:8], y[7:8], number[7:8])
    assert 0 < fooled.sum() < 40
    np.testing.assert_array_equal(fooled, again)
    np.testing.assert_allclose(large, small, atol=1e-5)
    np.testing.assert_allclose(one[0], large[7], atol=1e-5)
    assert alone[0] == fooled[7]
