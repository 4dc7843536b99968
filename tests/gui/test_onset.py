"""The detector on curves that are known.

Where curves are drawn, there are so many that a bound is broken by chance in less than one of a
million streams; the rate beside each bound was measured on 10,000 curves or more.
"""

from __future__ import annotations

import json
import pathlib

import numpy as np
import pytest

from slr_keras.analysis.onset import FEWEST, NONE, SINCE, WATCH, Onset, detect, headline

MEASURED = json.loads((pathlib.Path(__file__).parent / "data" / "phenomenon.json").read_text())
NAN = float("nan")


def images(rng, shares, samples=500):
    return rng.binomial(samples, shares) / samples


def wiggle(length):
    """What looks like noise, of standard deviation 0.014, and is the same everywhere."""
    return 0.02 * np.sin(np.arange(length) ** 2.0)


def judge(validation, training=None, samples=500):
    rising = np.linspace(0.2, 0.9, len(validation))
    epochs = np.arange(1, len(validation) + 1)
    return detect(epochs, validation, rising if training is None else training, samples)


def test_noise_around_a_flat_curve_is_no_overfitting():
    rng = np.random.default_rng(0)
    told = sum(
        any(judge(curve[:end]).state == SINCE for end in range(20, 121, 10))
        for curve in (images(rng, np.full(120, 0.2)) for _ in range(500))
    )
    assert told <= 10  # 2 %; the rate is 0.2 %


def test_jitter_beyond_sampling_noise_is_no_overfitting():
    rng = np.random.default_rng(1)
    flat = np.full(100, 0.3)
    curves = [images(rng, flat) + rng.normal(0, 0.04, 100) for _ in range(1500)]
    told = sum(judge(np.clip(curve, 0, 1)).state == SINCE for curve in curves)
    assert told <= 30  # 2 %; the rate is 0.6 %


def test_a_rising_curve_is_no_overfitting():
    assert judge(np.linspace(0.1, 0.4, 100) + wiggle(100)).state == NONE


@pytest.mark.parametrize(("fall", "within"), [(0.05, 15), (0.10, 5), (0.20, 3)])
def test_a_fall_is_told_soon_after_it(fall, within):
    rng = np.random.default_rng(3)
    shares = np.r_[np.full(60, 0.25), np.full(40, 0.25 - fall)]
    told = [judge(images(rng, shares)) for _ in range(2000)]
    late = sum(not (t.state == SINCE and 60 < t.since <= 60 + within) for t in told)
    assert late <= 20  # 1 %; the rate is 0.2 % at most


def test_what_is_told_does_not_change_as_the_run_goes_on():
    curve = np.r_[np.linspace(0.1, 0.3, 30), np.linspace(0.3, 0.1, 70)] + wiggle(100)
    told = [judge(curve[:end]).since for end in range(1, 101)]
    first = next(since for since in told if since)
    assert set(told[told.index(first) :]) == {first}
    assert told.index(first) + 1 == first  # at the very epoch, from the past alone


def test_a_run_that_diverges_does_not_overfit():
    curve = np.r_[np.full(30, 0.3), np.full(30, 0.1)]
    assert judge(curve, training=curve + 0.05).state == NONE
    assert judge(curve, training=np.full(60, NAN)).state == SINCE  # nothing speaks against it


def test_recovery_takes_it_back():
    curve = np.r_[np.full(30, 0.3), np.full(15, 0.15), np.full(30, 0.35)]
    assert judge(curve[:45]).state == SINCE
    assert judge(curve).state == NONE


def test_watch_comes_between():
    curve = np.r_[np.full(40, 0.3), np.linspace(0.3, 0.1, 60)] + wiggle(100) / 2
    states = [judge(curve[:end], samples=2000).state for end in range(1, 101)]
    assert states.index(WATCH) < states.index(SINCE)
    assert "may still be chance" in headline(judge(curve[: states.index(WATCH) + 1], samples=2000))


@pytest.mark.parametrize("length", range(FEWEST))
def test_short_runs_are_not_judged(length):
    curve = np.linspace(0.9, 0.1, length) if length else np.array([])
    assert judge(curve).state == NONE
    assert headline(judge(curve))


def test_epochs_without_evaluation_do_not_count():
    curve = np.r_[np.full(20, 0.3), np.full(20, 0.1)]
    sparse = np.full(80, NAN)
    sparse[1::2] = curve
    told = detect(
        np.arange(1, 81), sparse, np.where(np.isnan(sparse), NAN, 1.0) * np.arange(80), 500
    )
    assert told.since == 2 * judge(curve).since and told.evaluations == 40


@pytest.mark.parametrize("name", sorted(MEASURED["runs"]))
def test_measured_runs(name):
    run = MEASURED["runs"][name]
    told = detect(run["epoch"], run["validation"], run["training"], MEASURED["samples"])
    if "-at-" in name:
        assert told.state == SINCE and 16 <= told.since <= 40
    else:
        assert told.state == NONE
        part = slice(0, 30)
        again = detect(run["epoch"][part], run["validation"][part], run["training"][part], 500)
        assert again.state != SINCE


def test_sentences():
    told = Onset(SINCE, 30, 45, 12, 0.199, 0.064, 0.25, 0.98)
    assert headline(told) == (
        "Overfitting since epoch 45: robust accuracy fell from 19.9 % to 6.4 % while on training "
        "images it rose from 25.0 % to 98.0 %."
    )
    assert headline(Onset(NONE, 30, best=0.2, latest=0.2)) == "No robust overfitting so far."
    assert "10 evaluations" in headline(Onset(NONE, 3, best=0.2, latest=0.2))
    assert "not been measured" in headline(Onset())
