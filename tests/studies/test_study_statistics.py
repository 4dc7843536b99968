"""Differences between accuracies, against closed forms, SciPy and simulation."""

import math

import numpy as np
import pytest

from slr_keras.evaluation.bits import bits_of, images_of
from slr_keras.evaluation.intervals import newcombe
from slr_keras.studies.statistics import Spread, mcnemar, newcombe_paired, paired, student

scipy_stats = pytest.importorskip("scipy.stats")


def pairs(both, first, second, neither):
    """Booleans with so many pairs of each kind."""
    counts = (both, first, second, neither)
    return np.repeat([True, True, False, False], counts), np.repeat(
        [True, False, True, False], counts
    )


@pytest.mark.parametrize(("first", "second"), [(8, 2), (2, 8), (0, 5), (30, 31), (0, 0)])
def test_mcnemar_is_the_binomial_tail(first, second):
    n = first + second
    tail = sum(math.comb(n, k) for k in range(min(first, second) + 1)) / 2**n
    assert mcnemar(first, second) == pytest.approx(min(1.0, 2 * tail))


def test_students_interval_is_that_of_a_t_test():
    values = [0.01, 0.03, -0.005, 0.02]
    wanted = scipy_stats.ttest_1samp(values, 0).confidence_interval(0.95)
    assert student(values) == pytest.approx((wanted.low, wanted.high))


def test_uncorrelated_pairs_have_the_unpaired_interval():
    a, b = pairs(30, 30, 20, 20)  # 30 * 20 = 30 * 20: phi is 0
    assert newcombe_paired(a, b) == pytest.approx(newcombe(0.6, 0.5, 100))


def test_pairs_that_agree_give_a_narrower_interval_and_its_mirror():
    a, b = pairs(45, 15, 5, 35)
    low, high = newcombe_paired(a, b)
    wide = newcombe(0.6, 0.5, 100)
    assert wide[0] < low < 0.1 < high < wide[1]
    assert newcombe_paired(b, a) == pytest.approx((-high, -low))
    same = newcombe_paired(a, a)
    assert same[0] <= 0 <= same[1]


def test_the_interval_covers_the_truth_19_times_in_20():
    rng = np.random.default_rng(0)
    share = np.array([0.15, 0.06, 0.03, 0.76])  # a robust accuracy of 21 against 18 %
    hits = []
    for counts in rng.multinomial(500, share, 2000):
        low, high = newcombe_paired(*pairs(*counts))
        hits.append(low <= share[1] - share[2] <= high)
    assert np.mean(hits) == pytest.approx(0.95, abs=0.02)


def test_over_seeds_where_there_are_three_else_over_images():
    rng = np.random.default_rng(1)
    theirs = [rng.random(400) < 0.2 for _ in range(3)]
    ours = [t | (rng.random(400) < 0.05) for t in theirs]
    gaps = [a.mean() - b.mean() for a, b in zip(ours, theirs, strict=True)]
    many, one = paired(ours, theirs), paired(ours[:1], theirs[:1])
    assert many.mean == pytest.approx(np.mean(gaps)) and many.by == "seeds"
    assert many.interval == pytest.approx(student(gaps)) and many.p < 1e-6
    assert one.by == "images" and one.interval == pytest.approx(newcombe_paired(ours[0], theirs[0]))


def test_a_spread_and_the_bits_of_a_row():
    found = Spread((0.3, 0.1, 0.2))
    assert found.mean == pytest.approx(0.2) and found.range == (0.1, 0.3)
    right = np.random.default_rng(0).random(501) < 0.3
    np.testing.assert_array_equal(images_of(bits_of(right), 501), right)
