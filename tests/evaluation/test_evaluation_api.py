"""``slr.evaluation``: the functions for arrays."""

import functools

import keras
import numpy as np
import pytest

import slr_keras as slr
from slr_keras.attacks.apgd import APGD
from slr_keras.attacks.square import Square
from slr_keras.errors import UserError
from slr_keras.evaluation import searches
from slr_keras.evaluation.specs import Ball, make_attack
from slr_keras.evaluation.transfer import transfer

EPS = 0.15
CUSTOM = {
    "apgd-ce": APGD(eps=EPS, steps=10),
    "square": Square(eps=EPS, queries=100),
}


@pytest.fixture(scope="module", autouse=True)
def compiled_once():
    """What is compiled for an attack serves all calls with this network: it keeps no images."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(searches, "Packed", functools.cache(searches.Packed))
        yield


def test_autoattack_with_a_list_of_ones_own(net, forty):
    x, y = forty
    told = []
    options = {"eps": EPS, "attacks": CUSTOM, "batch_size": 8}
    options |= {"on_progress": lambda *what: told.append(what)}
    result = slr.evaluation.autoattack(net, x, y, **options)
    first, second = result.attacks
    assert first.given == result.clean.sum() and second.given == first.given - first.fooled
    assert 0 < result.robust.sum() == second.given - second.fooled < 40
    wrong = net.predict(result.adversarial, verbose=0).argmax(-1) != y
    np.testing.assert_array_equal(~wrong, result.robust)
    assert abs(result.adversarial - x).max() <= EPS + 1e-6
    robust = [robust for _, robust, _ in told]
    assert robust == sorted(robust, reverse=True) and robust[-1] == result.robust.sum()


def test_bytes_and_one_hot_rows_are_the_same_images(net, forty):
    x, y = forty
    pixels = np.round(255 * x).astype("uint8")
    options = {"eps": EPS, "attacks": CUSTOM, "batch_size": 8}
    one = slr.evaluation.autoattack(net, pixels, np.eye(10)[y], **options)
    other = slr.evaluation.autoattack(net, pixels.astype("float32") / 255, y, **options)
    np.testing.assert_array_equal(one.robust, other.robust)


def test_evaluate(net, forty):
    names = ["clean", "pgd-5", "apgd-dlr-10"]
    report = slr.evaluation.evaluate(net, *forty, names, eps=EPS)
    assert [row.attack for row in report.rows] == [*names, "worst case"]
    assert report.rows[-1].accuracy == report.robust.mean() < report.rows[0].accuracy
    assert {check.verdict for check in report.checks} == {"pass"}


def test_evaluate_with_images_made_on_another_model(net, preceded, forty):
    options = {"eps": EPS, "source": net, "transfer_attack": "pgd-5", "checks": "none"}
    behind_steps = preceded(lambda x: keras.ops.round(x * 8) / 8)
    report = slr.evaluation.evaluate(behind_steps, *forty, ["fgsm"], **options)
    fgsm, transferred, worst = report.rows
    assert transferred.attack == "transfer: pgd-5"
    assert transferred.settings["source"] == net.name
    assert len(transferred.settings["source_digest"]) == 16
    assert worst.accuracy <= transferred.accuracy < fgsm.accuracy
    alone = transfer(make_attack("pgd-5", Ball(eps=EPS)), net, behind_steps, *forty)
    assert alone.robust_accuracy == transferred.accuracy
    three = keras.Sequential(
        [keras.Input((8, 8, 1)), keras.layers.Flatten(), keras.layers.Dense(3)]
    )
    with pytest.raises(UserError, match="same classes"):
        slr.evaluation.evaluate(net, *forty, source=three)


@pytest.mark.parametrize(
    "change, said",
    [
        (lambda x, y: (x * 255, y), r"expected pixels in \[0, 1\]"),
        (lambda x, y: (x - 0.5, y), r"expected pixels in \[0, 1\]"),
        (lambda x, y: (x * np.nan, y), "NaN"),
        (lambda x, y: (x[:0], y[:0]), "at least one image"),
        (lambda x, y: (x[:, :4], y), "expected images"),
        (lambda x, y: (x, y[:-1]), "a label for each image"),
        (lambda x, y: (x, y + 1), "expected labels 0 to 9"),
        (lambda x, y: (x, y + 0.5), "whole class numbers"),
    ],
)
@pytest.mark.parametrize("function", ["autoattack", "evaluate"])
def test_images_and_labels_that_do_not_fit(net, forty, change, said, function):
    with pytest.raises(UserError, match=said):
        getattr(slr.evaluation, function)(net, *change(*forty))


@pytest.mark.parametrize("function", ["autoattack", "evaluate"])
def test_models_and_settings_that_cannot_be_used(net, forty, function):
    call = getattr(slr.evaluation, function)
    soft = keras.Sequential([keras.Input((8, 8, 1)), net, keras.layers.Softmax()])
    with pytest.raises(UserError, match="expected logits, received probabilities"):
        call(soft, *forty)
    broken = keras.Sequential([keras.Input((8, 8, 1)), net, keras.layers.Rescaling(np.inf)])
    with pytest.raises(UserError, match="NaN or infinite"):
        call(broken, *forty)
    with pytest.raises(UserError, match="8/255"):
        call(net, *forty, eps=8.0)
    with pytest.raises(UserError, match="norm"):
        call(net, *forty, norm="l3")
    attacks = {"attacks": ["autoattack"]} if function == "evaluate" else {}
    with pytest.raises(UserError, match="unknown version"):
        call(net, *forty, version="standart", **attacks)
