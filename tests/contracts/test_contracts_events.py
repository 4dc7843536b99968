"""Every message there is survives its line of JSON: events of run and lab, commands."""

import dataclasses
import json
import math
import types
import typing

import pytest

from slr_keras.protocol import commands, events, lab_events, wire

VALUES: dict[typing.Any, typing.Any] = {
    bool: True,
    str: 'a "text", \u00e9\n',
    int: 3,
    float: 0.1 + 0.2,
    dict[str, str]: {"keras": "3.12"},
    dict[str, float | None]: {"ece": 0.1, "ece_attacked": None},
    dict[str, typing.Any]: {"best": {"epoch": 3, "accuracy": 0.5}, "note": None, "list": [1, 2]},
    tuple[int, int]: (4, 17),
    tuple[int, ...]: (8, 8, 1),
    tuple[float, ...]: (0.25, 0.75),
    tuple[str, ...]: ("cat", "dog"),
}
KINDS = [*wire.kinds(events.Event).values(), *wire.kinds(commands.Command).values()]
every_kind = pytest.mark.parametrize("kind", KINDS, ids=lambda k: f"{k.kind}-{k.name}")


def decode(line, kind):
    known = wire.kinds(commands.Command if kind.kind == "command" else events.Event)
    return wire.decode(line, kind.kind, known)


def value(hint):
    """An example of a type; of an optional one, of the type that it may be."""
    if isinstance(hint, types.UnionType) or typing.get_origin(hint) is typing.Union:
        (hint,) = [choice for choice in typing.get_args(hint) if choice is not type(None)]
    return VALUES[hint]


def hints(kind):
    found = typing.get_type_hints(kind)
    return {field.name: found[field.name] for field in dataclasses.fields(kind)}


def example(kind, **changes):
    return kind(**{name: value(hint) for name, hint in hints(kind).items()} | changes)


@every_kind
def test_round_trip(kind):
    line = wire.encode(example(kind))
    assert "\n" not in line and decode(line, kind) == example(kind)


@every_kind
def test_a_line_says_what_it_is_and_when(kind):
    values = json.loads(wire.encode(example(kind)))
    assert values[kind.kind] == kind.name and values["v"] == wire.VERSION
    assert values["time"] > 1.6e9


@every_kind
def test_no_field_hides_the_head_of_the_line(kind):
    assert not {"v", "time", "kind", "name", kind.kind} & set(hints(kind))


def needed(kind):
    every = dataclasses.fields(kind)
    missing = dataclasses.MISSING
    return {f.name for f in every if f.default is missing and f.default_factory is missing}


@every_kind
def test_optional_fields_may_be_left_out(kind):
    values = json.loads(wire.encode(example(kind)))
    kept = {k: v for k, v in values.items() if k in needed(kind) or k == kind.kind}
    decoded = decode(json.dumps(kept), kind)
    assert type(decoded) is kind
    assert all(getattr(decoded, name) == getattr(example(kind), name) for name in needed(kind))


@every_kind
def test_a_newer_field_is_passed_over_and_a_missing_one_makes_the_message_unknown(kind):
    values = json.loads(wire.encode(example(kind)))
    assert decode(json.dumps(values | {"new_field": 1}), kind) == example(kind)
    for name in needed(kind):
        assert decode(json.dumps({k: v for k, v in values.items() if k != name}), kind) is None


@pytest.mark.parametrize("module", [events, commands], ids=["events", "commands"])
def test_a_module_decodes_its_own(module):
    for kind in module.KINDS.values():
        assert module.decode(wire.encode(example(kind))) == example(kind)


def test_a_program_that_knows_no_lab_passes_over_what_it_says():
    line = wire.encode(lab_events.Refused(id=1, message="no such image"))
    assert wire.decode(line, "event", events.KINDS) is None
    assert commands.decode(line) is None


NUMBERS = [
    pytest.param(kind, name, id=f"{kind.name}-{name}")
    for kind in KINDS
    for name, hint in hints(kind).items()
    if hint in (float, float | None)
]


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize(("kind", "name"), NUMBERS)
def test_what_is_not_finite_is_null(kind, name, number):
    line = wire.encode(example(kind, **{name: number}))
    assert json.loads(line)[name] is None
    assert getattr(decode(line, kind), name) is None


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


def below(cls):
    for child in cls.__subclasses__():
        yield child
        yield from below(child)


@pytest.mark.parametrize("base", [events.Event, commands.Command])
def test_names_are_unique_and_all_subclasses_are_known(base):
    named = [cls for cls in below(base) if cls.name]
    assert len(wire.kinds(base)) == len(named) == len(list(below(base))) > 10


def test_the_epoch_line_has_the_fields_users_rely_on():
    assert {field.name for field in dataclasses.fields(events.KINDS["epoch_end"])} >= {
        "epoch", "epochs", "loss", "accuracy", "robust_accuracy", "train_accuracy",
        "train_robust_accuracy", "val_accuracy", "val_robust_accuracy", "label_entropy",
        "label_agreement", "learning_rate", "images_per_second", "seconds",
    }  # fmt: skip
