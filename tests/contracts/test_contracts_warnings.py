"""Checks across settings: what is allowed and probably not meant."""

import pytest

from slr_keras import config


def notes(**values):
    return config.load(values=values).warnings()


@pytest.mark.parametrize(
    ("values", "part"),
    [
        # attack
        ({"attack": {"step_size": "2/255"}}, "the attack cannot cross the ball"),
        ({"eval": {"steps": 3}}, "attack.step_size * eval.steps"),
        ({"eval": {"test_steps": 3}}, "attack.step_size * eval.test_steps"),
        # labels
        ({"method": {"start_epoch": 31}}, "labels are never refined"),
        ({"method": {"momentum": 0.99}}, "78 % of each label is still the given one"),
        ({"method": {"start_epoch": 30}}, "slow for the one epoch from"),
        ({"method": {"momentum": 1.0}}, "100 % of each label"),
        # schedule
        ({"schedule": {"milestones": [100, 150]}}, "never drops at epoch 100, 150, the last"),
        # evaluation
        ({"eval": {"test_steps": 10}}, "no evaluation attacks with more than the 10 steps"),
        ({"eval": {"val_samples": 100}}, "eval.val_samples 100: the accuracy is known to ±9.8"),
        ({"eval": {"test_samples": 50}}, "eval.test_samples 50: the accuracy is known to ±13.9"),
        ({"data": {"val_fraction": 0}}, "no best epoch"),
    ],
)
def test_each_has_a_sentence(values, part):
    found = notes(**values)
    assert [note for note in found if part in note], found
    assert all(note.endswith(".") for note in found)


@pytest.mark.parametrize(
    "values",
    [
        {"method": {"momentum": 0.97}},  # 0.97 ** 25 = 0.47
        {"method": {"name": "at"}},
        {"schedule": {"milestones": [15, 30]}},
        {"train": {"epochs": 1}, "method": {"name": "at"}},  # shares of a run of one epoch
        {"eval": {"val_samples": 0, "test_samples": 400}},
        {"attack": {"steps": 4}},  # 4 * 6/255 is the radius
        {"attack": {"name": "fgsm"}},
    ],
)
def test_what_is_meant_is_not_mentioned(values):
    assert notes(**values) == []


def test_standard_training_has_no_attack_to_warn_of():
    found = notes(method={"name": "standard"}, attack={"steps": 20, "step_size": "2/255"})
    assert not [note for note in found if "the attack cannot" in note or "no evaluation" in note]


def test_the_width_is_that_of_the_interval():
    assert config.half_width(100) == pytest.approx(9.8)  # 1.96 * 0.5 / 10
    assert config.half_width(400) == pytest.approx(4.9)
