"""The versions of AutoAttack against the settings of the paper and of the official program."""

import pytest

from slr_keras.errors import UserError
from slr_keras.evaluation.versions import attacks_of


def test_standard():
    found = attacks_of("standard", "l2", 0.5)
    assert list(found) == ["apgd-ce", "apgd-t", "fab-t", "square"]
    assert all((a.norm, a.eps, a.restarts) == ("l2", 0.5, 1) for a in found.values())
    ce, t, fab, square = found.values()
    assert (ce.loss, ce.steps, ce.targets, ce.eot) == ("ce", 100, 0, 1)
    assert (t.loss, t.steps, t.targets) == ("dlr", 100, 9)
    assert (fab.steps, fab.targets, fab.alpha_max, fab.eta, fab.beta) == (100, 9, 0.1, 1.05, 0.9)
    assert (square.queries, square.p_init, square.rescale) == (5000, 0.8, False)


def test_plus_and_rand():
    plus = attacks_of("plus")
    assert list(plus) == ["apgd-ce", "apgd-dlr", "fab", "square", "apgd-t", "fab-t"]
    assert [plus[name].restarts for name in plus] == [5, 5, 5, 1, 1, 1]
    rand = attacks_of("rand")
    assert [(name, a.eot, a.restarts) for name, a in rand.items()] == [
        ("apgd-ce", 20, 1),
        ("apgd-dlr", 20, 1),
    ]


@pytest.mark.parametrize(
    ("classes", "loss", "targets", "dlr"),
    [(2, "ce", 1, False), (3, "ce", 2, True), (4, "dlr", 3, True), (100, "dlr", 9, True)],
)
def test_few_and_many_classes(classes, loss, targets, dlr):
    found = attacks_of("plus", classes=classes)
    assert (found["apgd-t"].loss, found["apgd-t"].targets) == (loss, targets)
    assert found["fab-t"].targets == targets and ("apgd-dlr" in found) is dlr
    for attack in found.values():
        attack.check_classes(classes)


def test_the_standard_version_in_l1_has_shrinking_balls_restarts_and_five_targets():
    found = attacks_of("standard", "l1", 12.0)
    assert list(found) == ["apgd-ce", "apgd-t", "fab-t", "square"]
    assert (found["apgd-ce"].restarts, found["apgd-t"].targets, found["fab-t"].targets) == (5, 5, 9)
    assert found["apgd-ce"].shrinking and found["apgd-t"].shrinking
    plus = attacks_of("plus", "l1", 12.0)
    assert plus["apgd-t"].targets == 9 and not plus["apgd-t"].shrinking
    assert attacks_of("rand", "l1", 12.0)["apgd-ce"].restarts == 1


def test_an_unknown_version_is_named():
    with pytest.raises(UserError, match="standard"):
        attacks_of("standart")
