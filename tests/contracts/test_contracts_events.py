"""Every event there is survives its line of JSON."""

import dataclasses
import json
import math
import typing

import pytest

from slr_keras import events

VALUES = {
    str: 'a "text", é\n',
    int: 3,
    float: 0.1,
    float | None: 0.1 + 0.2,
    dict[str, str]: {"keras": "3.12"},
    dict[str, typing.Any]: {"best": {"epoch": 3, "accuracy": 0.5}, "note": None, "list": [1, 2]},
    tuple[int, int] | None: (4, 17),
}
every_kind = pytest.mark.parametrize("kind", events.KINDS.values(), ids=events.KINDS)


def example(kind, **changes):
    hints = typing.get_type_hints(kind)
    fields = {field.name: VALUES[hints[field.name]] for field in dataclasses.fields(kind)}
    return kind(**fields | changes)


@every_kind
def test_round_trip(kind):
    line = events.encode(example(kind))
    assert "\n" not in line and events.decode(line) == example(kind)


@every_kind
def test_a_line_says_what_it_is_and_when(kind):
    values = json.loads(events.encode(example(kind)))
    assert values["event"] == kind.event and values["v"] == events.VERSION
    assert values["time"] > 1.6e9


@every_kind
def test_optional_fields_may_be_left_out(kind):
    needed = {f.name for f in dataclasses.fields(kind) if f.default is dataclasses.MISSING}
    values = json.loads(events.encode(example(kind)))
    kept = {k: v for k, v in values.items() if k in needed or k == "event"}
    decoded = events.decode(json.dumps(kept))
    assert all(getattr(decoded, name) == getattr(example(kind), name) for name in needed)


@every_kind
def test_a_newer_field_is_passed_over_and_a_missing_one_makes_the_event_unknown(kind):
    values = json.loads(events.encode(example(kind)))
    assert events.decode(json.dumps(values | {"new_field": 1})) == example(kind)
    del values[dataclasses.fields(kind)[0].name]
    assert events.decode(json.dumps(values)) is None


NUMBERS = [
    (kind, name)
    for kind in events.KINDS.values()
    for name, hint in typing.get_type_hints(kind).items()
    if hint in (float, float | None)
]


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize(("kind", "name"), NUMBERS, ids=lambda v: getattr(v, "event", v))
def test_what_is_not_finite_is_null(kind, name, value):
    line = events.encode(example(kind, **{name: value}))
    assert json.loads(line)[name] is None
    assert getattr(events.decode(line), name) is None


def test_not_finite_is_null_at_any_depth():
    line = events.encode(events.RunEnded(summary={"best": {"loss": math.nan, "all": [math.inf]}}))
    assert events.decode(line).summary == {"best": {"loss": None, "all": [None]}}


@pytest.mark.parametrize("name", ['"from_the_future"', '""', "null", "3", "[]", "{}"])
def test_unknown_kind_is_none(name):
    assert events.decode(f'{{"event": {name}}}') is None
    assert events.decode("{}") is None


@pytest.mark.parametrize("line", ["", "{", "[1, 2]", "3", '"text"', "null", '{"event": "warn'])
def test_what_is_no_json_object_is_a_value_error(line):
    with pytest.raises(ValueError):
        events.decode(line)


def test_names_are_unique_and_all_subclasses_are_known():
    assert len(events.KINDS) == len(events.Event.__subclasses__())


def test_the_epoch_line_has_the_fields_users_rely_on():
    assert {field.name for field in dataclasses.fields(events.KINDS["epoch_end"])} >= {
        "epoch", "epochs", "loss", "accuracy", "robust_accuracy", "train_accuracy",
        "train_robust_accuracy", "val_accuracy", "val_robust_accuracy", "label_entropy",
        "label_agreement", "learning_rate", "images_per_second", "seconds",
    }  # fmt: skip
