"""Calibration, confusion, gallery and intervals against figures made by hand."""

import base64
import io
import math

import numpy as np
import pytest
from PIL import Image

from slr_keras.analyses._reliability import calibrate
from slr_keras.analysis import gallery
from slr_keras.analysis.confusion import Mistake, confusion, per_class, worst_mistakes
from slr_keras.analysis.measure import answers, softmax
from slr_keras.analysis.verdict import DIVERGED, NOT_SEEN, SEEN, judge
from slr_keras.evaluation.intervals import newcombe, wilson
from slr_keras.protocol.events import EpochEnded

# -- calibration ------------------------------------------------------------------------------


def test_ece_by_hand():
    # Two bins: confidences 0.4 0.5 (one right) and 0.6 0.8 1.0 (two right), of three classes.
    p = [[0.4, 0.3, 0.3], [0.5, 0.3, 0.2], [0.2, 0.6, 0.2], [0.1, 0.1, 0.8], [1.0, 0.0, 0.0]]
    result = calibrate(p, [0, 1, 1, 2, 2], bins=2)
    low, high = result.bins
    assert (low.low, low.high, low.count) == (0.0, 0.5, 2)  # 0.5 belongs to the lower bin
    assert (low.confidence, low.accuracy) == pytest.approx((0.45, 0.5))
    assert (high.count, high.confidence, high.accuracy) == (3, pytest.approx(0.8), 2 / 3)
    assert result.ece == pytest.approx(2 / 5 * 0.05 + 3 / 5 * (0.8 - 2 / 3))
    assert (result.confidence, result.accuracy) == pytest.approx((3.3 / 5, 3 / 5))


def test_ece_against_a_loop_over_intervals(rng):
    p, y = rng.dirichlet([0.5] * 4, 700), rng.integers(0, 4, 700)
    expected = 0.0
    for m in range(15):
        chosen = [i for i in range(700) if m / 15 < max(p[i]) <= (m + 1) / 15]
        right = sum(int(p[i].argmax() == y[i]) for i in chosen)
        expected += abs(right - sum(max(p[i]) for i in chosen)) / 700
    result = calibrate(p, y)
    assert result.ece == pytest.approx(expected)
    assert sum(b.count for b in result.bins) == 700


def test_a_model_that_is_as_often_right_as_it_says_has_no_error(rng):
    p = rng.dirichlet([1.0, 1.0, 1.0], 60_000)
    y = (rng.random((60_000, 1)) > p.cumsum(1)).sum(1)
    assert calibrate(p, y).ece < 0.01
    assert calibrate(p, (p.argmax(1) + 1) % 3).ece > 0.5  # never right


def test_certain_and_wrong_is_the_largest_error():
    result = calibrate([[1.0, 0.0]] * 3, [1, 1, 1])
    assert result.ece == 1.0
    assert [b.count for b in result.bins] == [0] * 14 + [3]
    assert result.bins[0].accuracy is None


# -- confusion --------------------------------------------------------------------------------


def test_confusion_against_counting(rng):
    y, found = rng.integers(0, 5, 300), rng.integers(0, 5, 300)
    matrix = confusion(y, found, 6)
    for i in range(6):
        for j in range(6):
            assert matrix[i, j] == sum(a == i and b == j for a, b in zip(y, found, strict=True))
    shares = per_class(matrix)
    assert shares[5] is None  # no image of this class
    assert shares[2] == pytest.approx(np.mean(found[y == 2] == 2))


def test_mistakes_are_ordered_and_hits_are_none():
    matrix = np.array([[9, 0, 2], [5, 1, 2], [0, 0, 7]])
    assert worst_mistakes(matrix, 2) == [Mistake(1, 0, 5), Mistake(0, 2, 2)]
    assert len(worst_mistakes(matrix, 9)) == 3
    assert worst_mistakes(np.diag([3, 4])) == []
    assert matrix[0, 0] == 9  # left as it was


def test_answers_agree_with_each_other(rng):
    p, y = rng.dirichlet([1.0] * 3, 50), rng.integers(0, 3, 50)
    found = answers(p, y)
    assert found.accuracy == pytest.approx(np.mean(p.argmax(1) == y))
    assert found.calibration.accuracy == pytest.approx(found.accuracy)
    assert found.matrix.sum() == 50


def test_softmax_holds_at_extreme_logits():
    p = softmax(np.array([[1e4, 0.0, -1e4], [0.0, math.log(3), 0.0]], "float32"))
    assert p == pytest.approx(np.array([[1, 0, 0], [0.2, 0.6, 0.2]]), abs=1e-7)


# -- gallery ----------------------------------------------------------------------------------


def _image(uri):
    head, data = uri.split(",")
    assert head == "data:image/png;base64"
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(data))))


def test_pictures_are_the_images(rng):
    grey, colour = rng.random((8, 8, 1)), rng.random((5, 7, 3))
    assert (_image(gallery.picture(grey)) == np.round(255 * grey[..., 0])).all()
    assert (_image(gallery.picture(colour)) == np.round(255 * colour)).all()
    assert max(_image(gallery.picture(rng.random((400, 300, 3)))).shape) == gallery.LARGEST


def test_the_magnified_perturbation_fits_and_is_what_it_says(rng):
    x = rng.uniform(0.2, 0.8, (40, 6, 6, 3)).astype("float32")
    x_adv = x + rng.uniform(-8 / 255, 8 / 255, x.shape).astype("float32")
    y = np.arange(40) % 3
    clean, attacked = np.eye(3)[y], np.eye(3)[(y + (np.arange(40) % 2)) % 3]
    shown, factor = gallery.exhibits(x, x_adv, y, clean, attacked, ("a", "b", "c"))
    assert factor == 15 and factor * 8 / 255 <= 0.5
    for one in shown:
        drawn = _image(one.pictures[1]) / 255
        expected = 0.5 + 15 * (x_adv[one.index] - x[one.index])
        assert np.abs(drawn - expected).max() < 0.503 / 255
        assert one.true == "abc"[y[one.index]] == one.clean.name and one.clean.right
        assert one.adversarial.right == (one.index % 2 == 0) == (one.kind == gallery.RESISTED)


def test_the_first_of_each_kind_are_shown():
    y = np.zeros(30, int)
    clean, attacked = (np.arange(30) % 3 == 2).astype(int), (np.arange(30) % 3 >= 1).astype(int)
    chosen = gallery.choose(y, clean, attacked)
    assert [i for i, kind in chosen if kind == gallery.RESISTED] == [0, 3, 6]
    assert [i for i, kind in chosen if kind == gallery.FOOLED] == [1, 4, 7, 10, 13, 16]
    assert [i for i, kind in chosen if kind == gallery.WRONG] == [2, 5, 8]


@pytest.mark.parametrize(("largest", "factor"), [(0, 1), (1, 1), (0.5, 1), (0.1, 5), (24 / 255, 5)])
def test_factor(largest, factor):
    assert gallery.factor_for(np.array([0.0, -largest])) == factor


# -- intervals and verdict --------------------------------------------------------------------


def test_newcombe_against_his_table():
    # Newcombe 1998, table II, method 10, the contrasts of 10 images each.
    assert newcombe(0.9, 0.3, 10) == pytest.approx((0.1705, 0.8090), abs=5e-5)
    assert newcombe(1.0, 0.0, 10) == pytest.approx((0.6075, 1.0), abs=5e-5)
    assert newcombe(0.0, 0.0, 10) == pytest.approx((-0.2775, 0.2775), abs=5e-5)


def test_wilson_solves_its_equation():
    low, high = wilson(37, 120)
    for bound in (low, high):
        assert abs(37 / 120 - bound) == pytest.approx(
            1.959964 * math.sqrt(bound * (1 - bound) / 120)
        )


def _epochs(*train):
    return [
        EpochEnded(
            epoch=i,
            epochs=len(train),
            loss=1.0,
            accuracy=0.5,
            robust_accuracy=0.5,
            train_accuracy=value,
            train_robust_accuracy=value,
            val_accuracy=0.5,
            val_robust_accuracy=0.4,
            label_entropy=0.0,
            label_agreement=1.0,
            learning_rate=0.1,
            images_per_second=1.0,
            seconds=1.0,
        )
        for i, value in enumerate(train, 1)
    ]


def test_the_verdict_needs_more_than_chance_and_a_rise_in_training():
    seen = judge(0.5, 0.4, 1000, 1, _epochs(0.5, None, 0.9))
    assert (seen.word, seen.training) == (SEEN, (0.5, 0.9))
    assert judge(0.5, 0.4, 50, 1, _epochs(0.5, 0.9)).word == NOT_SEEN
    assert judge(0.4, 0.5, 1000, 1, _epochs(0.5, 0.9)).word == NOT_SEEN
    assert judge(0.5, 0.4, 1000, 1, _epochs(0.5, 0.3)).word == DIVERGED
    assert judge(0.5, 0.4, 1000, 2, _epochs(0.5, None, 0.9)).training is None
