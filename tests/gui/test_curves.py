from __future__ import annotations

import csv
import io

import numpy as np
import pytest

from gui.models.curves import GAP, BatchCurve, RunCurves, images_behind, thin
from gui.models.curves_csv import Shown, tidy_csv
from gui.models.run_labels import differing, labels
from slr_keras.protocol.events import BatchEnded, EpochEnded


def epoch(number, robust=None, **values):
    fields = {
        "epoch": number,
        "epochs": 100,
        "loss": 2.0,
        "accuracy": 0.5,
        "robust_accuracy": 0.4,
        "train_accuracy": None if robust is None else 0.6,
        "train_robust_accuracy": None if robust is None else robust + 0.1,
        "val_accuracy": None if robust is None else 0.5,
        "val_robust_accuracy": robust,
        "label_entropy": 0.1 * number,
        "label_agreement": 1.0,
        "learning_rate": 0.1,
        "images_per_second": 100.0,
        "seconds": 1.0 * number,
    }
    return EpochEnded(**fields | values)


def batch(number, of=10, at=1, loss=1.0):
    return BatchEnded(at, number, of, loss, None, None, None)


def test_epochs_without_evaluation_are_joined():
    curves = RunCurves([epoch(1), epoch(2, 0.2), epoch(3), epoch(4, 0.3), epoch(5)])
    x, y = curves.points("val_robust_accuracy")
    assert x.tolist() == [2, 4] and y.tolist() == [0.2, 0.3]
    assert curves.points(GAP)[1] == pytest.approx([0.1, 0.1])
    assert len(curves.points("loss")[0]) == 5
    assert curves.best == (4, 0.3) and curves.last_epoch == 5


def test_values_at_an_epoch_and_the_nearest_evaluation():
    curves = RunCurves([epoch(1), epoch(2, 0.2), epoch(3), epoch(4, 0.3), epoch(5)])
    assert curves.at(4)["val_robust_accuracy"] == 0.3 and curves.at(4)[GAP] == pytest.approx(0.1)
    assert curves.at(3)["val_robust_accuracy"] is None and curves.at(3)["loss"] == 2.0
    assert set(curves.at(99).values()) == {None}
    assert curves.nearest(4.6) == 4 and curves.nearest(-5) == 2 and RunCurves().nearest(1) is None
    assert (
        curves.neighbour(2, 1) == 4 and curves.neighbour(4, 1) == 4 and curves.neighbour(2, -1) == 2
    )


def test_a_resumed_run_replaces_what_it_repeats():
    curves = RunCurves([epoch(n, 0.1 * n) for n in range(1, 6)])
    curves.append(epoch(3, 0.9))
    assert curves.epochs.tolist() == [1, 2, 3] and curves.best == (3, 0.9)
    assert RunCurves([epoch(1), epoch(2), epoch(2, 0.5), epoch(3)]).epochs.tolist() == [1, 2, 3]


def test_one_by_one_equals_all_at_once():
    events = [epoch(n, n / 500 if n % 3 == 0 else None, loss=1 / n) for n in range(1, 301)]
    whole, grown = RunCurves(events), RunCurves()
    for event in events:
        grown.append(event)
    for key in ("val_robust_accuracy", GAP, "loss", "label_entropy"):
        np.testing.assert_array_equal(whole.series(key), grown.series(key))


def test_points_come_back_until_the_run_grows_and_follow_the_screen():
    curves = RunCurves([epoch(n, 0.2) for n in range(1, 101)])
    assert curves.points("loss", 50)[0] is curves.points("loss", 50, (0, 101))[0]
    assert curves.points("loss", 0, (10.5, 12.5))[0].tolist() == [10, 11, 12, 13]
    before = curves.points("loss", 50)[0]
    curves.append(epoch(101, 0.2))
    assert curves.points("loss", 50)[0] is not before


def test_smoothing_is_the_mean_of_the_last_evaluations():
    curves = RunCurves([epoch(n, v) for n, v in enumerate([0.0, 0.3, 0.6, 0.9], 1)])
    y = curves.points("val_robust_accuracy", smooth=3, scale=100)[1]
    assert y == pytest.approx([0, 15, 30, 60])


def test_learning_rate_drops():
    rates = [0.1] * 4 + [0.01] * 3 + [0.001] * 2
    curves = RunCurves([epoch(n, learning_rate=rate) for n, rate in enumerate(rates, 1)])
    assert curves.drops == [(5, 0.01), (8, 0.001)]
    cosine = 0.05 * (1 + np.cos(np.pi * np.arange(50) / 50))
    smooth = RunCurves([epoch(n, learning_rate=float(rate)) for n, rate in enumerate(cosine, 1)])
    assert smooth.drops == []


def test_thinning_keeps_ends_peaks_and_order():
    x = np.arange(10_000.0)
    y = np.sin(x / 300)
    y[1234], y[7777] = 5, -5
    thinned_x, thinned_y = thin(x, y, 400)
    assert len(thinned_x) <= 404 and thinned_x[0] == 0 and thinned_x[-1] == 9999
    assert thinned_y.max() == 5 and thinned_y.min() == -5
    assert np.all(np.diff(thinned_x) > 0)
    np.testing.assert_array_equal(thinned_y, y[thinned_x.astype(int)])
    assert thin(x[:50], y[:50], 400)[0] is not None and len(thin(x[:50], y[:50], 400)[0]) == 50
    for length in range(1, 40):
        assert thin(x[:length], y[:length], 10)[0][[0, -1]].tolist() == [0, length - 1]


def test_images_behind_the_accuracies():
    rng = np.random.default_rng(0)
    assert images_behind(rng.integers(0, 501, 30) / 500, 500) == 500
    assert images_behind(rng.integers(0, 145, 60) / 144, 500) == 144  # a smaller validation set
    assert images_behind(rng.integers(0, 145, 60) / 144, 0) == 144  # all of an unknown number
    assert images_behind(np.array([]), 500) == 500
    curves = RunCurves([epoch(n, n / 144, val_accuracy=(n + 5) / 144) for n in range(1, 12)], 500)
    assert curves.samples == 144
    curves.append(epoch(12, 3 / 144, val_accuracy=7 / 144))
    assert curves.samples == 144


def test_batches_stay_bounded_and_repeats_replace():
    curve = BatchCurve(most=100)
    for number in range(1, 1001):
        curve.append(batch(number, of=1000, loss=float(number)))
    assert len(curve) <= 100
    x, y = curve.points()
    assert x[-1] <= 1 and np.all(np.diff(x) > 0) and y[0] == 1
    curve.append(batch(5, of=10, loss=0.5))
    assert curve.points()[0][-1] == 0.5
    curve.append(batch(6, loss=None))
    assert curve.points()[0][-1] == 0.5


def test_labels_name_what_differs():
    settings = [
        {"method.name": "at", "seed": 0, "run_dir": "a", "attack.eps": "8/255", "method.x": 1},
        {"method.name": "slr", "seed": 0, "run_dir": "b", "attack.eps": "8/255"},
    ]
    assert differing(settings) == ["method.name"]
    assert labels(["a", "b"], settings) == ["a · AT", "b · SLR"]
    other = [settings[0] | {"labels.name": name} for name in ("hard", "slr")]
    assert labels(["a", "b"], other) == ["a · hard labels", "b · slr labels"]
    either = [{"attack.gaussian": value} for value in (True, False)]
    assert labels(["a", "b"], either) == ["a · gaussian on", "b · gaussian off"]
    assert labels(["a"], settings[:1]) == ["a"] and labels([], []) == []
    assert (
        labels(["a", "b"], [{"attack.eps": "4/255"}, {"attack.eps": "8/255"}])[1] == "b · eps 8/255"
    )


def test_tidy_csv():
    one = RunCurves([epoch(1), epoch(2, 0.2)], samples=500)
    two = RunCurves([epoch(1, 0.5, loss=None)], samples=500)
    keys = ["val_robust_accuracy", "loss"]
    rows = list(
        csv.DictReader(
            io.StringIO(tidy_csv([Shown("a, b", "/r/a", one, keys), Shown("c", "/r/c", two, keys)]))
        )
    )
    values = [(row["run"], row["epoch"], row["series"], float(row["value"])) for row in rows]
    assert values == [
        ("a, b", "2", "val_robust_accuracy", 0.2),
        ("a, b", "1", "loss", 2.0),
        ("a, b", "2", "loss", 2.0),
        ("c", "1", "val_robust_accuracy", 0.5),
    ]
    assert float(rows[0]["low"]) == pytest.approx(0.167, abs=2e-3) and rows[1]["low"] == ""
