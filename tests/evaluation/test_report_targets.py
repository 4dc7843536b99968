"""Which class falls to which: a linear network that says where an image can be driven to."""

import keras
import numpy as np
import pytest

from slr_keras.analysis.targets import Fall, Targeted, matrix
from slr_keras.attacks import _arrays
from slr_keras.attacks.deepfool import DeepFool
from slr_keras.attacks.pgd import PGD
from slr_keras.errors import SettingError, UserError
from slr_keras.evaluation.judge import Judge

CLASSES, EPS = 3, 0.1
ATTACK = PGD(eps=EPS, step_size=EPS / 4, steps=8)


@pytest.fixture(scope="module")
def net():
    """The logit of a class is the mean of one row of the image: a ball's corner is the optimum."""
    inputs = keras.Input((CLASSES, 4, 1))
    dense = keras.layers.Dense(CLASSES, use_bias=False)
    made = keras.Model(inputs, dense(keras.layers.Flatten()(inputs)))
    dense.set_weights([np.repeat(np.eye(CLASSES), 4, axis=0).astype("float32") * 5])
    return made


@pytest.fixture(scope="module")
def images():
    """Some of them on the edge of [0, 1], where the ball is cut off, and some with wrong labels."""
    drawn = np.random.default_rng(5)
    x = drawn.uniform(0.3, 0.7, (60, CLASSES, 1, 1)) + drawn.uniform(-0.05, 0.05, (60, 3, 4, 1))
    x[:10] = np.clip(4 * (x[:10] - 0.5) + 0.5, 0, 1)
    y = x.sum((2, 3)).argmax(1)
    y[50:] = (y[50:] + 1) % CLASSES
    return x.astype("float32"), y


@pytest.fixture(scope="module")
def found(net, images):
    return matrix(net, *images, ATTACK, batch_size=25)


def reachable(x, target):
    """Whether a corner of the ball, cut off at 0 and 1, is of the target class."""
    least, largest = (np.clip(x + d, 0, 1).mean((2, 3)).astype("float64") for d in (-EPS, EPS))
    others = np.delete(least, target, axis=1)
    return largest[:, target] > others.max(1)


def test_success_is_what_a_corner_of_the_ball_says(found, images):
    x, y = images
    right = x.mean((2, 3)).argmax(1) == y
    assert found.images.tolist() == np.bincount(y, minlength=CLASSES).tolist()
    assert found.right.sum() == right.sum() == 50
    for true in range(CLASSES):
        mine = right & (y == true)
        reached = {t: reachable(x[mine], t) for t in range(CLASSES) if t != true}
        assert found.right[true] == mine.sum()
        assert found.tried[true].tolist() == [mine.sum() * (t != true) for t in range(CLASSES)]
        expected = [reached[t].sum() if t in reached else 0 for t in range(CLASSES)]
        assert found.reached[true].tolist() == expected
        assert found.resisted[true] == (~np.any(list(reached.values()), axis=0)).sum()
        fall = found.easiest(true)
        assert fall and fall.reached == max(expected) and expected[fall.target] == fall.reached
    assert 0 < found.reached.sum() < found.tried.sum()
    assert found.whole and found.targets == 2


def test_of_a_linear_network_no_attack_beats_the_targeted_ones(found):
    assert (found.resisted <= found.robust).all() and (found.robust <= found.right).all()


def test_the_same_as_attacking_by_hand(net, images, found):
    x, y = images
    judge = Judge(net)
    right = judge.right(x, y)
    for target in range(CLASSES):
        mine = right & (y != target)
        labels = np.full(mine.sum(), target)
        attack = ATTACK.replace(targeted=True, random=False)  # of linear networks starts are one
        said = judge.logits(attack(net, x[mine], labels)).argmax(1)
        reached = np.bincount(y[mine][said == target], minlength=CLASSES)
        assert reached.tolist() == found.reached[:, target].tolist()


def test_each_attack_is_compiled_once(net, images, monkeypatch):
    made = []
    whole = _arrays.Whole
    monkeypatch.setattr(_arrays, "Whole", lambda *facts: made.append(facts) or whole(*facts))
    matrix(net, *images, ATTACK, batch_size=25)
    assert len(made) == 2  # targeted and not, for two targets and two batches each


def test_few_targets_are_the_likely_ones(net, images):
    x, y = images
    told = []
    some = matrix(net, x, y, ATTACK, most=1, on_target=lambda *at: told.append(at))
    second = np.argsort(-x.mean((2, 3)), axis=1)[:, 1]
    right = x.mean((2, 3)).argmax(1) == y
    for true in range(CLASSES):
        mine = second[right & (y == true)]
        assert some.tried[true].tolist() == np.bincount(mine, minlength=CLASSES).tolist()
    assert told == [(1, 1)] and not some.whole
    assert np.isnan(some.success[0, 0]) and (some.success[some.tried > 0] <= 1).all()


def test_images_of_the_untargeted_attack_are_taken_as_they_are(net, images):
    x, y = images
    assert matrix(net, x, y, ATTACK, adversarial=x).robust.sum() == 50  # nothing was changed
    outside = np.clip(1 - x, 0, 1)
    assert matrix(net, x, y, ATTACK, adversarial=outside).robust.sum() == 50  # nor in the ball


def test_no_image_is_right(net, images):
    x, y = images
    wrong = matrix(net, x[:4], x[:4].mean((2, 3)).argmin(1), ATTACK)
    assert wrong.images.sum() == 4
    assert wrong.right.sum() == wrong.tried.sum() == wrong.reached.sum() == 0
    assert wrong.falls() == [] and wrong.easiest(0) is None


def test_the_order_of_falls_is_that_of_their_number():
    none = np.zeros(3, int)
    reached = np.array([[0, 4, 1], [9, 0, 0], [4, 0, 0]])
    found = Targeted(none, none, none, none, 2 * reached, reached, 2)
    assert found.falls()[:2] == [Fall(1, 0, 9, 18), Fall(0, 1, 4, 8)]
    assert found.easiest(2) == Fall(2, 0, 4, 8)


def test_what_has_no_targets_or_does_not_fit(net, images):
    x, y = images
    with pytest.raises(SettingError, match="targeted"):
        matrix(net, x, y, DeepFool(eps=EPS))
    with pytest.raises(UserError, match="labels"):
        matrix(net, x, y + 3, ATTACK)
