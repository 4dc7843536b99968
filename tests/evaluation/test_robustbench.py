"""An evaluation in RobustBench's field names; the fields are those of its published files."""

import json

import pytest

from slr_keras import config as configs
from slr_keras.errors import UserError
from slr_keras.evaluation.robustbench import entry

# Of model_info/cifar10/Linf in RobustBench's repository, in order.
FIELDS = [
    "link",
    "name",
    "authors",
    "additional_data",
    "number_forward_passes",
    "dataset",
    "venue",
    "architecture",
    "eps",
    "clean_acc",
    "reported",
    "autoattack_acc",
]


def result(**changes):
    ball = {"norm": "linf", "eps": "8/255"}
    rows = [
        {"attack": "clean", "accuracy": 0.80004, "settings": {}},
        {"attack": "autoattack: apgd-ce", "accuracy": 0.5, "settings": ball | {"name": "apgd"}},
        {"attack": "autoattack", "accuracy": 0.4755, "settings": ball},
    ]
    whole = {"results": rows, "data": "cifar10", "split": "test", "samples": 10000, "checks": []}
    return whole | changes


def test_fields_and_texts_are_theirs():
    values = {"model": {"name": "wrn34_10"}, "data": {"name": "cifar10"}}
    found = entry(result(), configs.load(values=values))
    assert list(found) == [*FIELDS, "unreliable"]
    assert found["clean_acc"] == "80.00" and found["autoattack_acc"] == "47.55"
    assert (found["eps"], found["dataset"], found["architecture"]) == (
        "8/255",
        "cifar10",
        "WideResNet-34-10",
    )
    assert found["additional_data"] is False and found["number_forward_passes"] == 1
    of_the_author = [found[name] for name in ("link", "name", "authors", "venue", "reported")]
    assert of_the_author == ["", "", "", "", None] and found["unreliable"] is False
    json.dumps(found)


def test_what_is_not_known_is_not_said():
    found = entry(result())
    assert found["additional_data"] is None and found["architecture"] == ""
    values = {"model": {"name": "applications/MobileNetV3Small", "weights": "imagenet"}}
    assert entry(result(), configs.load(values=values))["additional_data"] is None
    narrow = configs.load(values={"model": {"name": "resnet18", "width": 16}})
    assert entry(result(), narrow)["architecture"] == "ResNet-18 (width 16)"


def test_fewer_images_and_failed_checks_are_said():
    failed = {"name": "masking", "verdict": "fail", "says": "..."}
    found = entry(result(samples=1000, checks=[failed]))
    assert found["footnote"].startswith("Evaluated on the first 1,000 test images")
    assert found["unreliable"] is True


def test_clean_accuracy_of_the_classes():
    classes = [
        {"class": 0, "samples": 30, "clean": 0.5, "robust": 0.1},
        {"class": 1, "samples": 10, "clean": 0.9, "robust": 0.1},
        {"class": 2, "samples": 0, "clean": None, "robust": None},
    ]
    rows = result()["results"][1:]
    assert entry(result(results=rows, per_class=classes))["clean_acc"] == "60.00"
    with pytest.raises(UserError, match="needs clean accuracy"):
        entry(result(results=rows))


@pytest.mark.parametrize(
    "changes, says",
    [
        ({"results": result()["results"][:2]}, "needs AutoAttack in its standard version"),
        ({"split": "val"}, "of the test split, received val"),
        (
            {"results": [{"attack": "autoattack", "accuracy": 0.1, "settings": {"norm": "l1"}}]},
            "leaderboards of linf and l2, received l1",
        ),
    ],
)
def test_what_is_no_entry_is_refused(changes, says):
    with pytest.raises(UserError, match=says) as error:
        entry(result(**changes))
    assert "\n" not in str(error.value)
