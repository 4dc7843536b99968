"""Whose attack fools whom: a matrix known by hand, and the same as one pair after the other."""

import json

import keras
import numpy as np
import pytest

import slr_keras as slr
from slr_keras.attacks.fgsm import FGSM
from slr_keras.attacks.pgd import PGD
from slr_keras.errors import ModelError, UserError
from slr_keras.evaluation import TransferMatrix
from slr_keras.evaluation.heat_map import draw_matrix
from slr_keras.evaluation.intervals import wilson
from slr_keras.evaluation.tally import Store
from slr_keras.evaluation.transfer import transfer

SHAPE = (3, 3, 1)
FIRST = np.array([1.0, -1, 1, -1, 0.2, 0, 0, 0, 0])
SECOND = np.array([0.5, -0.5, 0, 0, 1, -1, 0, 0, 0])
EPS = 0.05


def linear(w, classes=2):
    """Logits (0, <w, x>, 0, ...) as a Keras model."""
    inputs = keras.Input(SHAPE)
    dense = keras.layers.Dense(classes, use_bias=False)
    net = keras.Model(inputs, dense(keras.layers.Flatten()(inputs)))
    dense.set_weights([np.stack([0 * w, w, *[0 * w - 9] * (classes - 2)], 1).astype("float32")])
    return net


@pytest.fixture(scope="module")
def images():
    x = (0.5 + 0.05 * np.random.default_rng(3).normal(size=(60, *SHAPE))).astype("float32")
    y = (x.reshape(60, -1) @ (FIRST + SECOND) > 0).astype("int32")
    return x, y


@pytest.fixture(scope="module")
def nets():
    return {"first": linear(FIRST), "second": linear(SECOND)}


@pytest.fixture(scope="module")
def found(nets, images):
    return slr.evaluation.transfer_matrix(nets, *images, FGSM(eps=EPS), batch_size=25)


def by_hand(images):
    """FGSM on a linear model moves each pixel by eps against the sign of its weight."""
    x, y = images[0].reshape(60, -1).astype("float64"), images[1]
    side = 2.0 * y - 1
    clean, fooled = [], np.zeros((2, 2, 60), bool)
    for s, source in enumerate((FIRST, SECOND)):
        clean.append(side * (x @ source) > 0)
        moved = x - EPS * side[:, None] * np.sign(source)
        for m, model in enumerate((FIRST, SECOND)):
            fooled[s, m] = side * (moved @ model) <= 0
    return np.array(clean), fooled


def test_two_linear_models_by_hand(found, images):
    clean, fooled = by_hand(images)
    np.testing.assert_array_equal(found.clean, clean)
    np.testing.assert_array_equal(found.fooled, fooled)
    assert 0 < (clean[0] & clean[1]).sum() < 60 and 0 < fooled[0, 1].sum() < fooled[1, 1].sum()
    for s in range(2):
        for m in range(2):
            cell = found.rows()[s]["on"][m]
            right = int((clean[m] & ~fooled[s, m]).sum())
            assert cell["accuracy"] == right / 60 == found.accuracy[s, m]
            assert cell["interval"] == pytest.approx(wilson(right, 60))
            both = clean[s] & clean[m]
            hits = int((both & fooled[s, m]).sum())
            assert cell["both_right"] == both.sum() and cell["success"] == hits / both.sum()
            assert cell["success_interval"] == pytest.approx(wilson(hits, int(both.sum())))
    assert found.names == ("first", "second")
    json.dumps(found.rows())


def test_the_same_as_pair_after_pair(nets, images, found):
    attack = PGD(eps=EPS, step_size=0.02, steps=3)
    matrix = slr.evaluation.transfer_matrix(nets, *images, attack, seed=5, batch_size=25)
    for s, m in ((0, 1), (1, 1)):
        source, model = (list(nets.values())[number] for number in (s, m))
        pair = transfer(attack, source, model, *images, seed=5, batch_size=25)
        assert pair.robust_accuracy == matrix.accuracy[s, m]
        np.testing.assert_array_equal(pair.robust, (matrix.clean & ~matrix.fooled)[s, m])


def test_finished_rows_are_kept(nets, images, found, tmp_path):
    """Stopped in the second row it goes on there; for other settings it begins anew."""

    def stop_in(row):
        def stop(progress):
            if progress.step == row:
                raise KeyboardInterrupt

        return stop

    def run(digest, on_progress):
        store = Store(tmp_path / "transfer.json", digest, said.append)
        return slr.evaluation.transfer_matrix(
            nets, *images, FGSM(eps=EPS), batch_size=25, store=store, on_progress=on_progress
        )

    said, told = [], []
    with pytest.raises(KeyboardInterrupt):
        run("a", stop_in(2))
    again = run("a", told.append)
    np.testing.assert_array_equal(again.fooled, found.fooled)
    assert {progress.step for progress in told} == {2} and not said
    assert told[-1].done and told[-1].robust == (found.clean & ~found.fooled)[1, 1].sum()
    with pytest.raises(KeyboardInterrupt):
        run("b", stop_in(1))
    assert "begins anew" in said[0]


def test_no_image_that_both_get_right():
    clean = np.array([[True, False], [False, True]])
    found = TransferMatrix(("a", "b"), clean, np.ones((2, 2, 2), bool), np.zeros(2))
    cell = found.rows()[0]["on"][1]
    assert (cell["both_right"], cell["success"], cell["success_interval"]) == (0, None, None)
    assert cell["accuracy"] == 0 and found.rows()[0]["on"][0]["success"] == 1


def test_models_that_do_not_fit_are_named(nets, images):
    x, y = images
    matrix = slr.evaluation.transfer_matrix
    with pytest.raises(UserError, match="two models or more, received 1"):
        matrix({"first": nets["first"]}, x, y, FGSM())
    with pytest.raises(ModelError, match=r"same classes, received 2 \(first\) and 3 \(odd\)"):
        matrix(nets | {"odd": linear(FIRST, 3)}, x, y, FGSM())
    other = keras.Sequential(
        [keras.Input((4, 4, 1)), keras.layers.Flatten(), keras.layers.Dense(2)]
    )
    with pytest.raises(UserError, match=r"^small: expected images \(N, 4, 4, 1\)"):
        matrix(nets | {"small": other}, x, y, FGSM())
    with pytest.raises(UserError, match="untargeted"):
        matrix(nets, x, y, FGSM(targeted=True))
    with pytest.raises(ModelError, match="^broken: .*NaN or infinite ones on 60 of 60"):
        matrix(nets | {"broken": linear(np.nan * FIRST)}, x, y, FGSM())


def test_its_picture(found, tmp_path):
    draw_matrix(found.names, found.accuracy, "fgsm", tmp_path / "transfer.png")
    assert (tmp_path / "transfer.png").read_bytes()[1:4] == b"PNG"
    assert list(tmp_path.iterdir()) == [tmp_path / "transfer.png"]
