"""Metrics for compile, against sums by hand."""

import numpy as np
import pytest

from slr_keras import metrics
from slr_keras.backend import keras, ops
from slr_keras.errors import UserError

P = np.random.default_rng(0).dirichlet(np.ones(3) / 2, 200).astype("float32")
Y = np.random.default_rng(1).integers(0, 3, 200)
W = np.random.default_rng(2).random(200).astype("float32")


def ece(p, y, w, bins):
    gaps = 0.0
    for m in range(bins):
        chosen = [i for i in range(len(p)) if m / bins < p[i].max() <= (m + 1) / bins]
        gaps += abs(sum(w[i] * (float(p[i].argmax() == y[i]) - p[i].max()) for i in chosen))
    return gaps / w.sum()


def worst(p, y, w):
    hits = p.argmax(-1) == y
    return min((w * hits)[y == k].sum() / w[y == k].sum() for k in np.unique(y))


def brier(p, y, w):
    return sum(w[i] * ((p[i] - np.eye(3)[y[i]]) ** 2).sum() for i in range(len(p))) / w.sum()


MADE = {
    "ece": (lambda **k: metrics.ExpectedCalibrationError(7, **k), lambda *a: ece(*a, 7)),
    "brier": (metrics.BrierScore, brier),
    "worst": (lambda from_logits=0: metrics.WorstClassAccuracy(3), worst),
}


@pytest.mark.parametrize("name", MADE)
@pytest.mark.parametrize("form", ["numbers", "column", "rows", "logits", "weights"])
def test_by_hand_over_batches(name, form):
    make, expected = MADE[name]
    metric = make(from_logits=form == "logits")
    p = np.log(P) + 5 if form == "logits" else P
    y = {"column": Y[:, None], "rows": np.eye(3)[Y]}.get(form, Y)
    weight = W if form == "weights" else None
    for part in (slice(0, 90), slice(90, 91), slice(91, 200)):
        metric.update_state(y[part], p[part], None if weight is None else weight[part])
    ones = np.ones(200) if weight is None else W
    assert float(ops.convert_to_numpy(metric.result())) == pytest.approx(
        expected(P.astype("float64"), Y, ones), abs=2e-6
    )
    again = type(metric).from_config(metric.get_config())
    assert float(ops.convert_to_numpy(again.result())) == 0 and again.name == metric.name


def test_in_a_plain_fit_and_after_saving(tmp_path):
    net = keras.Sequential([keras.Input((4, 4, 1)), keras.layers.Flatten(), keras.layers.Dense(3)])
    made = [metrics.ExpectedCalibrationError(), metrics.WorstClassAccuracy(3)]
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    net.compile("sgd", loss, metrics=made)
    x = np.random.default_rng(0).random((30, 4, 4, 1)).astype("float32")
    net.fit(x, Y[:30], verbose=0)
    net.save(tmp_path / "net.keras")
    first = net.evaluate(x, Y[:30], verbose=0, return_dict=True)
    second = keras.models.load_model(tmp_path / "net.keras").evaluate(
        x, Y[:30], verbose=0, return_dict=True
    )
    assert first == pytest.approx(second) and {"ece", "worst_class_accuracy"} < set(first)


@pytest.mark.parametrize(
    "make", [lambda: metrics.ExpectedCalibrationError(0), lambda: metrics.WorstClassAccuracy(1)]
)
def test_refused(make):
    with pytest.raises(UserError, match="expected . or more, received"):
        make()
