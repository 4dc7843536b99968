"""Quantities that explain a run, against closed forms, automatic differentiation, scikit-learn."""

import dataclasses

import keras
import numpy as np
import pytest

from slr_keras.analyses import _reliability
from slr_keras.analyses._base import Images, Probe, softmax
from slr_keras.analyses.calibration import (
    adaptive_ece,
    brier,
    ece,
    ece_after_scaling,
    nll,
    scaled,
    temperature,
)
from slr_keras.analyses.gradient_norm import image_norms, last_input, last_layer_norms
from slr_keras.analyses.information import Information, slopes
from slr_keras.analyses.label_history import LabelHistory
from slr_keras.analyses.label_quality import (
    LabelQuality,
    auroc,
    precision_at_k,
    self_confidence,
)
from slr_keras.analyses.memorisation import Memorisation
from slr_keras.analyses.mutual_information import information, joint, mean_entropy
from slr_keras.config import AnalysisSettings
from slr_keras.errors import SettingError
from slr_keras.settings import registry

metrics = pytest.importorskip("sklearn.metrics")
N, K = 60, 4
ANALYSES = registry.variants("analyses")


@pytest.fixture(scope="module")
def rng():
    return np.random.default_rng(5)


@pytest.fixture(scope="module")
def linear():
    return keras.Sequential(
        [keras.Input((3, 3, 2)), keras.layers.Flatten(), keras.layers.Dense(K, name="logits")]
    )


@pytest.fixture(scope="module")
def probe(rng, linear):
    """A linear network on random images, a third of their labels wrong, their bank known."""
    x = rng.random((N, 3, 3, 2), "float32")
    attacked = np.clip(x + rng.uniform(-0.1, 0.1, x.shape), 0, 1).astype("float32")
    true = rng.integers(0, K, N)
    label = np.where(np.arange(N) % 3 == 0, (true + 1) % K, true)
    logits, attacked_logits = (
        keras.ops.convert_to_numpy(linear(part)).astype(float) for part in (x, attacked)
    )
    soft = rng.dirichlet(np.ones(K), N).astype("float32")
    images = Images(x, attacked, label, true, logits, attacked_logits, soft)
    start = [weight + 0.1 for weight in linear.get_weights()]
    return Probe(linear, images, images, N, start)


def test_last_layer_norm_is_that_of_automatic_differentiation(probe, linear):
    """Central differences of the loss in every weight of the last layer, for three samples."""
    seen, layer = probe.train, linear.layers[-1]
    found = last_layer_norms(seen.p_attacked, seen.soft, last_input(linear, seen.attacked))
    flat = seen.attacked.reshape(N, -1).astype(float)
    kernel, bias = (weight.astype(float) for weight in layer.get_weights())

    def loss(i, kernel, bias):
        z = flat[i] @ kernel + bias
        return -(seen.soft[i] * (z - np.log(np.exp(z).sum()))).sum()

    for i in (0, 7, 31):
        total, step = 0.0, 1e-5
        for array in (kernel, bias):
            for place in np.ndindex(array.shape):
                kept = array[place]
                array[place] = kept + step
                up = loss(i, kernel, bias)
                array[place] = kept - step
                down = loss(i, kernel, bias)
                array[place] = kept
                total += ((up - down) / (2 * step)) ** 2
        assert found[i] == pytest.approx(np.sqrt(total), rel=1e-4)


def test_image_norm_of_a_linear_model_is_in_closed_form(probe, linear):
    """``d CE / dx = W (p - y)``."""
    seen, kernel = probe.train, linear.layers[-1].get_weights()[0].astype(float)
    gap = seen.p_attacked - np.eye(K)[seen.label]
    wanted = np.linalg.norm(gap @ kernel.T, axis=1)
    np.testing.assert_allclose(image_norms(linear, seen.attacked, seen.label), wanted, rtol=1e-4)


def test_information_of_a_linear_model_is_in_closed_form(probe, linear):
    """``g_W = x^T (p - y) / B``, so the quadratic form is a sum of products."""
    rng, seen = np.random.default_rng(9), probe.train
    start = [w + 0.1 * rng.normal(size=w.shape) for w in linear.get_weights()]
    away = [w - w0 for w, w0 in zip(linear.get_weights(), start, strict=True)]
    start = [w0.astype("float32") for w0 in start]
    wanted = []
    for i in range(0, N, 25):
        part = slice(i, i + 25)
        x = seen.x[part].reshape(len(seen.x[part]), -1)
        gap = (seen.p[part] - np.eye(K)[seen.label[part]]) / len(x)
        wanted.append((away[0] * (x.T @ gap)).sum() + (away[1] * gap.sum(axis=0)).sum())
    found = slopes(linear, start, seen.x, seen.label, size=25)
    np.testing.assert_allclose(found, wanted, rtol=1e-3, atol=1e-5)
    scalars, arrays = Information().measure(Probe(linear, seen, seen, size=700, start=start))
    assert scalars["clean"] == pytest.approx(700 * np.mean(arrays["clean"] ** 2))
    still = Information().measure(Probe(linear, seen, seen, 700, linear.get_weights()))[0]
    assert still["clean"] == 0


def test_a_network_without_a_dense_end_has_no_last_layer():
    net = keras.Sequential([keras.Input((4, 4, 1)), keras.layers.Conv2D(3, 4)])
    net = keras.Model(net.inputs, keras.layers.Flatten()(net.outputs[0]))
    assert last_input(net, np.zeros((2, 4, 4, 1), "float32")) is None


def test_memorisation_counts_wrong_labels_alone(probe):
    scalars, _ = Memorisation().measure(probe)
    seen = probe.train
    wrong = [i for i in range(N) if seen.label[i] != seen.true[i]]
    called = {i: int(np.argmax(seen.logits[i])) for i in wrong}
    given = [called[i] == seen.label[i] for i in wrong]
    true = [called[i] == seen.true[i] for i in wrong]
    assert scalars["given"] == pytest.approx(np.mean(given)) and len(wrong) == 20
    assert scalars["true"] == pytest.approx(np.mean(true))


@pytest.mark.parametrize("digits", [6, 1])  # one digit: many ties
def test_ranking_is_that_of_scikit_learn(rng, digits):
    score, positive = np.round(rng.random(200), digits), rng.random(200) < 0.3
    assert auroc(score, positive) == pytest.approx(metrics.roc_auc_score(positive, score))
    if digits == 6:
        k = positive.sum()
        top = np.argsort(-score)[:k]
        assert precision_at_k(score, positive) == pytest.approx(positive[top].mean())
    assert precision_at_k(np.ones(200), positive) == pytest.approx(positive.mean())


def test_a_bank_that_knows_the_truth_finds_every_wrong_label(probe):
    seen = probe.train
    knowing = Images(*[getattr(seen, n) for n in ("x", "attacked", "label", "true", "logits",
                     "attacked_logits")], soft=np.eye(K)[seen.true])  # fmt: skip
    scalars, _ = LabelQuality().measure(Probe(probe.net, knowing, knowing))
    assert scalars["precision"] == scalars["auroc"] == 1.0


def test_the_network_ranks_as_cleanlab_does(probe):
    """What get_label_quality_scores of cleanlab 2.9.0 gave for these; 1 is a label to trust."""
    p = [[0.59, 0.21, 0.2], [0.28, 0.41, 0.31], [0.03, 0.03, 0.94], [0.7, 0.25, 0.05]]
    theirs = [0.59, 0.28, 0.03, 0.25]
    np.testing.assert_allclose(self_confidence(p, [0, 0, 1, 1]), theirs)
    scalars, arrays = LabelQuality().measure(probe)
    seen = probe.train
    given = [seen.p[i, seen.label[i]] for i in range(N)]
    assert scalars["network_auroc"] == pytest.approx(
        metrics.roc_auc_score(seen.wrong, -np.array(given))
    )
    np.testing.assert_allclose(arrays["network_suspicion"], 1 - np.array(given))


def test_without_a_bank_the_network_is_ranked_alone(probe):
    plain = dataclasses.replace(probe.train, soft=None)
    scalars, arrays = LabelQuality().measure(Probe(probe.net, plain, plain))
    assert scalars["auroc"] is None and scalars["network_auroc"] is not None
    assert set(arrays) == {"wrong", "network_suspicion"}


def test_calibration_by_other_hands(probe):
    seen = probe.val
    p, y = seen.p, seen.true
    assert ece(p, y) == _reliability.calibrate(p, y).ece
    assert nll(p, y) == pytest.approx(metrics.log_loss(y, p, labels=range(K)))
    each = [metrics.brier_score_loss(y == k, p[:, k]) for k in range(K)]
    assert brier(p, y) == pytest.approx(sum(each))
    order = np.argsort(p.max(axis=1), kind="stable")
    gap = p.max(axis=1) - (p.argmax(axis=1) == y)
    gaps = [abs(gap[i].sum()) for i in np.array_split(order, 15)]
    assert adaptive_ece(p, y) == pytest.approx(sum(gaps) / N)
    sure = np.eye(K)[y]
    assert ece(sure, y) == adaptive_ece(sure, y) == brier(sure, y) == 0 and nll(sure, y) == 0
    assert np.isfinite(nll(np.eye(K)[(y + 1) % K], y))


def test_the_temperature_undoes_what_made_a_model_too_sure(rng):
    z = rng.normal(0, 2, (4000, K))
    y = np.array([rng.choice(K, p=row) for row in softmax(z)])  # the logits are the truth
    assert temperature(softmax(3 * z), y) == pytest.approx(3, rel=0.1)
    assert temperature(softmax(z / 2), y) == pytest.approx(0.5, rel=0.1)
    np.testing.assert_allclose(scaled(softmax(3 * z), 3), softmax(z), atol=1e-9)
    assert ece(softmax(3 * z), y) > 0.1 > 0.03 > ece_after_scaling(softmax(3 * z), y)


def test_mutual_information_is_that_of_scikit_learn_and_its_correction(rng):
    true = rng.integers(0, K, 500)
    predicted = np.where(rng.random(500) < 0.6, true, rng.integers(0, K, 500))
    counts = joint(true, predicted, K)
    np.testing.assert_array_equal(counts, metrics.confusion_matrix(true, predicted))
    plain = metrics.mutual_info_score(true, predicted)
    assert information(counts) == pytest.approx(plain + (2 * (K - 1) - (K * K - 1)) / 1000)
    many = np.mean([information(joint(*rng.integers(0, K, (2, 300)), K)) for _ in range(200)])
    assert abs(many) < 0.003  # of independent labels: without the correction it is 0.015
    assert mean_entropy(np.full((3, K), 1 / K)) == pytest.approx(np.log(K))


@pytest.mark.parametrize("cls", ANALYSES.values(), ids=ANALYSES)
def test_every_analysis_measures_what_it_names(cls, probe):
    scalars, arrays = cls().measure(probe)
    assert list(scalars) == list(cls.columns) and all(np.isfinite(list(scalars.values())))
    assert all(isinstance(array, np.ndarray) for array in arrays.values())
    plain = Images(*[getattr(probe.train, n) for n in ("x", "attacked", "true", "true", "logits",
                   "attacked_logits")])  # fmt: skip
    scalars, _ = cls().measure(Probe(probe.net, plain, plain))  # nothing wrong, no bank
    assert all(value is None or np.isfinite(value) for value in scalars.values())


def test_names_of_analyses():
    assert AnalysisSettings(record="calibration, memorisation").names == [
        "calibration",
        "memorisation",
    ]
    assert AnalysisSettings(record="all").names == list(ANALYSES)
    with pytest.raises(SettingError, match="record: expected .*Did you mean 'calibration'"):
        AnalysisSettings(record="calibraton")


def test_label_history_keeps_the_rows(probe):
    scalars, arrays = LabelHistory().measure(probe)
    seen = probe.train
    np.testing.assert_allclose(arrays["rows"], seen.soft, atol=1e-3)
    assert arrays["rows"].dtype == np.float16 and (arrays["true"] == seen.true).all()
    wanted = [seen.soft[i, seen.true[i]] for i in range(N) if seen.label[i] != seen.true[i]]
    assert scalars["true_wrong"] == pytest.approx(np.mean(wanted))
