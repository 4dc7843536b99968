"""Projections, steps and sizes against closed forms and brute force."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slr_keras.attacks import _norms
from slr_keras.attacks._norms import NORMS
from slr_keras.backend import keras

CONVEX = ("linf", "l2", "l1")
few = settings(max_examples=30, deadline=None)
seeds, radii = st.integers(0, 10**6), st.sampled_from([0.0, 1e-3, 8 / 255, 0.5, 3.0])


def draw(seed, scale=1.0, shape=(3, 2, 2, 1)):
    return (scale * np.random.default_rng(seed).normal(size=shape)).astype("float32")


def size(norm, d):
    flat = np.asarray(d, "float64").reshape(len(d), -1)
    size = {"linf": abs(flat).max, "l2": lambda _: np.sqrt((flat**2).sum(1)), "l1": abs(flat).sum}
    return size[norm](1)


def length(d):
    return np.sqrt((np.asarray(d, "float64") ** 2).sum((1, 2, 3)))


@pytest.mark.parametrize("norm", CONVEX)
@few
@given(seed=seeds, eps=radii)
def test_projection_is_the_nearest_point_of_the_ball(norm, seed, eps):
    d = draw(seed)
    p = np.array(NORMS[norm].project(d, eps))
    assert (size(norm, p) <= eps * (1 + 1e-6)).all()
    rivals = draw(seed + 1, shape=(2000 * len(d), *d.shape[1:]))
    reach = size(norm, rivals).reshape(2000, -1, 1, 1, 1)
    rivals = rivals.reshape(2000, *d.shape) / np.maximum(reach, 1e-9) * eps
    rivals = rivals * np.random.default_rng(seed).random(reach.shape)
    nearest = length((d - rivals).reshape(-1, *d.shape[1:])).reshape(2000, -1).min(axis=0)
    assert (length(d - p) <= nearest + 1e-6).all()


@pytest.mark.parametrize("norm", CONVEX)
@few
@given(seed=seeds, eps=radii.filter(bool))
def test_projection_leaves_the_inside_alone_and_is_idempotent(norm, seed, eps):
    d = draw(seed)
    inside = (d / size(norm, d).reshape(-1, 1, 1, 1) * eps * 0.99).astype("float32")
    np.testing.assert_array_equal(NORMS[norm].project(inside, eps), inside)
    once = NORMS[norm].project(d, eps)
    np.testing.assert_allclose(NORMS[norm].project(once, eps), once, rtol=1e-6, atol=1e-6 * eps)


def test_there_is_a_test_for_every_norm():
    assert set(NORMS) == {*CONVEX, "l0"}


@few
@given(seed=seeds, ties=st.booleans())
def test_l0_keeps_as_many_of_the_largest_values(seed, ties):
    """Against all subsets, by hand: the nearest point with ``eps`` values that are not 0."""
    d = np.round(draw(seed), 0 if ties else 7)
    radius = np.array([0.0, 2.9, 4.0], "float32")
    p = np.array(NORMS["l0"].project(d, keras.ops.array(radius)))
    np.testing.assert_array_equal(NORMS["l0"].size(p), (p != 0).sum((1, 2, 3)))
    for i, kept in enumerate((0, 2, 4)):
        rest = np.sort(abs(d[i]).ravel())[: 4 - kept]
        assert (p[i] != 0).sum() <= kept and np.isin(p[i], [0, *d[i].ravel()]).all()
        assert ((d[i] - p[i]) ** 2).sum() == pytest.approx((rest**2).sum(), abs=1e-6)
    assert abs(np.array(NORMS["l0"].project(d, 1.0)) - d).max() <= abs(d).max()
    np.testing.assert_array_equal(NORMS["l0"].project(d, 4.0), d)


@pytest.mark.parametrize("norm", NORMS)
def test_a_radius_of_each_image_is_its_own(norm):
    d, radius = draw(7), np.array([0.3, 1.0, 2.0], "float32")
    together = np.array(NORMS[norm].project(d, keras.ops.array(radius)))
    for i in range(3):
        alone = NORMS[norm].project(d[i : i + 1], float(radius[i]))
        np.testing.assert_allclose(together[i : i + 1], alone, atol=1e-7)


@pytest.mark.parametrize("norm", NORMS)
def test_the_farthest_images_are_black_and_white(norm):
    d = np.ones((1, 3, 2, 2), "float32")
    assert NORMS[norm].farthest(12) == pytest.approx(float(np.array(NORMS[norm].size(d))[0]))


@few
@given(seed=seeds, eps=radii)
def test_projections_in_closed_form(seed, eps):
    d = draw(seed)
    np.testing.assert_array_equal(NORMS["linf"].project(d, eps), np.clip(d, -eps, eps))
    shrink = np.minimum(1, eps / length(d)).reshape(-1, 1, 1, 1)
    np.testing.assert_allclose(NORMS["l2"].project(d, eps), d * shrink, atol=1e-6)


@pytest.mark.parametrize("norm", CONVEX)
@few
@given(seed=seeds)
def test_steepest_step_gains_most_on_a_linear_function(norm, seed):
    g, rivals = draw(seed, shape=(1, 2, 2, 1)), draw(seed + 1, shape=(3000, 2, 2, 1))
    rivals = rivals / size(norm, rivals).reshape(-1, 1, 1, 1)
    step = np.array(NORMS[norm].steepest(g))
    np.testing.assert_allclose(size(norm, step), 1, rtol=1e-6)
    dual = {"linf": np.abs(g).sum(), "l2": length(g)[0], "l1": np.abs(g).max()}[norm]
    np.testing.assert_allclose((g * step).sum(), dual, rtol=1e-5)
    assert (g * rivals).sum((1, 2, 3)).max() <= dual + 1e-5


@pytest.mark.parametrize("norm", CONVEX)
@pytest.mark.parametrize("scale", [1e-30, 1e-12, 1.0, 1e12, 1e30])
def test_steepest_step_does_not_depend_on_the_gradients_scale(norm, scale):
    g = draw(5)
    np.testing.assert_allclose(
        NORMS[norm].steepest((scale * g.astype("float64")).astype("float32")),
        NORMS[norm].steepest(g),
        rtol=1e-4,
    )


@pytest.mark.parametrize("norm", CONVEX)
def test_vanished_gradient_gives_no_step(norm):
    zero = np.zeros((2, 2, 2, 1), "float32")
    np.testing.assert_array_equal(NORMS[norm].steepest(zero), zero)
    np.testing.assert_array_equal(NORMS[norm].project(zero, 0.0), zero)


@pytest.mark.parametrize("norm", CONVEX)
def test_sizes_and_steps_are_per_image(norm):
    d = draw(3) * np.array([1, 10, 0], "float32").reshape(-1, 1, 1, 1)
    np.testing.assert_allclose(NORMS[norm].size(d), size(norm, d), rtol=1e-6)
    for i in range(3):
        row = slice(i, i + 1)
        np.testing.assert_allclose(
            NORMS[norm].steepest(d)[row], NORMS[norm].steepest(d[row]), rtol=1e-6
        )


def box_problem(seed, reachable=True):
    """An image in the cube, a plane through the cube (or beyond it), as float64."""
    rng = np.random.default_rng(seed)
    x, w = rng.random((4, 2, 3, 1)), rng.normal(size=(4, 2, 3, 1))
    w[0, 0, 0] = 0
    target = rng.random((4, 2, 3, 1)) if reachable else x + 10 * np.sign(w)
    return x, w, (w * (x - target)).sum((1, 2, 3))


@pytest.mark.parametrize("norm", CONVEX)
@pytest.mark.parametrize("seed", range(5))
def test_step_to_a_plane_is_the_shortest_inside_the_cube(norm, seed):
    """Linear programs (L1, L-infinity) and a quadratic one (L2) say how short it can be."""
    x, w, offset = box_problem(seed)
    d = np.array(NORMS[norm].to_plane(*(v.astype("float32") for v in (x, w, offset))), "float64")
    assert (x + d).min() >= -1e-6 and (x + d).max() <= 1 + 1e-6
    np.testing.assert_allclose((w * d).sum((1, 2, 3)), -offset, atol=1e-5)
    for i in range(4):
        shortest = shortest_step(norm, x[i].ravel(), w[i].ravel(), -offset[i])
        np.testing.assert_allclose(size(norm, d[i : i + 1])[0], shortest, rtol=1e-3, atol=1e-5)


def shortest_step(norm, x, w, amount):
    from scipy import optimize

    n = len(x)
    if norm == "l2":
        found = optimize.minimize(
            lambda d: (d**2).sum(),
            np.zeros(n),
            bounds=list(zip(-x, 1 - x, strict=True)),
            constraints={"type": "eq", "fun": lambda d: w @ d - amount},
            options={"maxiter": 1000, "ftol": 1e-14},
        )
        return np.sqrt(found.fun)
    # variables: d and bounds of |d| (one for L-infinity, n for L1)
    extra = 1 if norm == "linf" else n
    bound = np.ones((n, 1)) if norm == "linf" else np.eye(n)
    found = optimize.linprog(
        np.r_[np.zeros(n), np.ones(extra)],
        A_ub=np.block([[np.eye(n), -bound], [-np.eye(n), -bound]]),
        b_ub=np.zeros(2 * n),
        A_eq=np.r_[w, np.zeros(extra)][None],
        b_eq=[amount],
        bounds=[*zip(-x, 1 - x, strict=True), *[(0, None)] * extra],
    )
    return found.fun


@pytest.mark.parametrize("norm", CONVEX)
def test_step_to_a_plane_out_of_reach_goes_to_the_walls(norm):
    x, w, offset = box_problem(1, reachable=False)
    d = np.array(NORMS[norm].to_plane(*(v.astype("float32") for v in (x, w, offset))))
    wall = np.where(w > 0, 1 - x, -x)
    np.testing.assert_allclose(d[w != 0], wall[w != 0], atol=1e-6)


@pytest.mark.parametrize("share", [0.0, 1e-4, 0.3, 0.999])
def test_the_climb_ends_at_the_level_among_many_pixels(share):
    """Against bisection in float64; gradients of many sizes, walls that coincide."""
    rng = np.random.default_rng(0)
    reach = np.round(rng.random((3, 3072)), 2).astype("float32")
    slope = np.exp(rng.normal(0, 5, (3, 3072))).astype("float32")
    filled = lambda t: (slope * np.minimum(t, reach).astype("float64")).sum(1)  # noqa: E731
    total = (share * filled(1.0)).astype("float32")
    low, high = np.zeros((3, 1)), np.ones((3, 1))
    for _ in range(60):
        middle = (low + high) / 2
        below = filled(middle)[:, None] < total[:, None]
        low, high = np.where(below, middle, low), np.where(below, high, middle)
    found = np.array(_norms._climbed(*map(keras.ops.array, (reach, slope, total))))
    np.testing.assert_allclose(filled(found), filled(high), rtol=2e-6, atol=1e-9)


def test_the_climb_ends_where_nothing_is_a_number():
    reach, slope = np.ones((2, 3), "float32"), np.array([[1, np.nan, 1], [1, 1, 1]], "float32")
    found = np.array(_norms._climbed(*map(keras.ops.array, (reach, slope, np.ones(2, "float32")))))
    assert found[1] == pytest.approx(1 / 3)


@few
@given(seed=seeds, eps=st.sampled_from([0.01, 0.3, 1.0, 5.0]))
def test_l1_ball_and_cube_together(seed, eps):
    """Against bisection on the common level, in float64."""
    rng = np.random.default_rng(seed)
    x, candidate = rng.random((3, 2, 3, 1)), rng.normal(0.5, 1.5, (3, 2, 3, 1))
    found = np.array(NORMS["l1"].inside(x.astype("float32"), candidate.astype("float32"), eps))
    for i in range(3):
        d = candidate[i] - x[i]
        beyond = abs(candidate[i] - np.clip(candidate[i], 0, 1))
        low, high = 0.0, abs(d).max()
        for _ in range(100):
            level = (low + high) / 2
            left = (abs(d) - np.clip(level, beyond, abs(d))).sum()
            low, high = (level, high) if left > eps else (low, level)
        want = x[i] + np.sign(d) * (abs(d) - np.clip(high, beyond, abs(d)))
        np.testing.assert_allclose(found[i], want, atol=1e-5)
