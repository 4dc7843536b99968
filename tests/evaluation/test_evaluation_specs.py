"""Names of attacks on the command line."""

import pytest

from slr_keras.errors import UserError
from slr_keras.evaluation import specs
from slr_keras.evaluation.specs import Ball, make_attack, make_steps
from slr_keras.settings import registry

BALL = Ball("linf", 0.1)


@pytest.mark.parametrize("name", sorted({*specs.known_names()} - {*specs.WHOLE}))
def test_every_name_that_is_listed_can_be_had(name):
    norms = registry.get("attacks", specs.NAMES.get(name, (name,))[0]).norms
    ball = Ball("l2", 0.5) if name.endswith("-l2") or "linf" not in norms else BALL
    ball = Ball("l0", 5.0) if norms == ("l0",) else ball
    attack = make_attack(name, ball)
    assert (attack.norm, attack.eps) == (ball.norm, ball.eps)


@pytest.mark.parametrize(
    "name, kind, settings",
    [
        ("pgd-20", "pgd", {"steps": 20, "step_size": 0.025}),
        ("apgd-100", "apgd", {"steps": 100, "loss": "ce", "targets": 0}),
        ("apgd-dlr", "apgd", {"loss": "dlr", "targets": 0}),
        ("apgd-t-30", "apgd", {"loss": "dlr", "targets": 9, "steps": 30}),
        ("fab-t", "fab", {"targets": 9}),
        ("square-1000", "square", {"queries": 1000}),
        ("cw-linf-50", "cw", {"norm": "linf", "steps": 50}),
        ("mi-fgsm", "mi_fgsm", {}),
    ],
)
def test_names_and_numbers(name, kind, settings):
    if kind not in registry.variants("attacks"):
        pytest.skip(f"no {kind} here")
    attack = make_attack(name, BALL)
    assert attack.name == kind
    assert {key: getattr(attack, key) for key in settings} == settings


@pytest.mark.parametrize(
    "name, said",
    [
        ("apgd-cw", "Did you mean"),
        ("autoatack", "Did you mean 'autoattack'?"),
        ("pgd-", "expected a name"),
        ("PGD", "expected a name"),
        ("", "expected a name"),
        ("fgsm-3", "no number of steps"),
        ("square-0", "queries"),
        ("clean", "expected one attack"),
        ("autoattack", "expected one attack"),
    ],
)
def test_names_that_are_refused(name, said):
    with pytest.raises(UserError, match=said.replace("?", r"\?")):
        make_attack(name, BALL)


def test_a_name_of_another_norm_is_refused():
    with pytest.raises(UserError, match="measures in linf, not in l2"):
        make_attack("cw-linf", Ball("l2", 0.5))


def test_a_radius_in_the_wrong_scale_is_asked_back():
    for name in ("pgd", "apgd-t", "autoattack"):
        with pytest.raises(UserError, match="Did you mean 8/255"):
            make_steps([name], Ball("linf", 8.0))


def test_autoattack_stands_for_its_attacks_in_order():
    steps = make_steps(["clean", "autoattack", "clean"], BALL)
    names = ["apgd-ce", "apgd-t", "fab-t", "square"]
    assert [s.name for s in steps] == ["clean", *(f"autoattack: {name}" for name in names)]
    assert [s.suite for s in steps] == ["", *["autoattack"] * 4]
    rand = make_steps(["autoattack"], BALL, "rand")
    assert [s.attack.eot for s in rand] == [20, 20]


def test_an_attack_has_a_ball_of_its_own():
    at = Ball("linf", 0.1, step_size=0.03, restarts=2)
    steps = make_steps(["pgd-5", "pgd-5@l2:0.5", "pgd-5@linf:8/255", "autoattack@l1:12"], at)
    balls = {s.name: (s.attack.norm, round(s.attack.eps, 4)) for s in steps}
    assert balls["pgd-5"] == ("linf", 0.1) and balls["pgd-5@l2:0.5"] == ("l2", 0.5)
    assert balls["pgd-5@linf:8/255"] == ("linf", 0.0314)
    assert balls["autoattack@l1:12: square"] == ("l1", 12.0)
    assert [s.attack.step_size for s in steps[:2]] == [0.03, 0.125]  # a step is one of its ball
    assert {s.attack.restarts for s in steps[:2]} == {2}


@pytest.mark.parametrize(
    "name, said",
    [
        ("pgd-5@l2", "expected pgd-5@NORM:EPS"),
        ("pgd-5@l3:1", "norms are linf, l2, l1, l0"),
        ("pgd-5@l2:half", "half"),
        ("pgd-5@linf:8", "Did you mean 8/255"),
        ("clean@l2:0.5", "clean is no attack"),
        ("fog-3@l2:0.5", "fog-3 is no attack"),
        ("cw-linf@l2:0.5", "measures in linf, not in l2"),
    ],
)
def test_balls_that_are_refused(name, said):
    with pytest.raises(UserError, match=said):
        make_steps([name], BALL)


@pytest.mark.parametrize("classes, loss, targets", [(2, "ce", 1), (3, "ce", 2), (5, "dlr", 4)])
def test_few_classes(classes, loss, targets):
    (step,) = make_steps(["apgd-t"], BALL, classes=classes)
    assert (step.attack.loss, step.attack.targets) == (loss, targets)
    step.attack.check_classes(classes)
