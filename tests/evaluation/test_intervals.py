from __future__ import annotations

import math

import numpy as np
import pytest

from slr_keras.evaluation.intervals import Z95, deviation, wilson_bounds


@pytest.mark.parametrize(
    ("share", "samples", "low", "high"),
    [  # Newcombe 1998, Statistics in Medicine 17, 857-872, table I, method 3
        (81 / 263, 263, 0.2553, 0.3662),
        (15 / 148, 148, 0.0624, 0.1605),
        (0 / 20, 20, 0.0000, 0.1611),
        (1 / 29, 29, 0.0061, 0.1718),
    ],
)
def test_published_values(share, samples, low, high):
    assert np.array(wilson_bounds(share, samples)) == pytest.approx([low, high], abs=5e-5)


def test_closed_forms():
    narrow = Z95**2 / (10 + Z95**2)
    assert wilson_bounds(0.0, 10)[1] == pytest.approx(narrow)
    assert wilson_bounds(1.0, 10)[0] == pytest.approx(1 - narrow)
    half = Z95 / 2 / np.sqrt(100 + Z95**2)
    assert np.array(wilson_bounds(0.5, 100)) == pytest.approx([0.5 - half, 0.5 + half])


def test_covers_about_95_percent():
    rng = np.random.default_rng(0)
    low, high = wilson_bounds(rng.binomial(500, 0.2, 4000) / 500, 500)
    assert 0.94 < np.mean((low <= 0.2) & (high >= 0.2)) < 0.96


def test_gaps_stay_gaps_and_one_deviation_is_that_of_a_binomial():
    low, high = wilson_bounds([0.5, math.nan], 100)
    assert np.isnan(low[1]) and np.isnan(high[1]) and low[0] < 0.5 < high[0]
    assert deviation(0.5, 10_000) == pytest.approx(0.005, rel=1e-3)
