"""``attack_precision auto``: measured once, said, kept in the run folder."""

import json
import signal

import pytest

from slr_keras import config, train
from slr_keras.backend import keras
from slr_keras.errors import SettingError
from slr_keras.training import precision
from tests.jobs.conftest import call, small, stop_when


@pytest.fixture(scope="module")
def net():
    layers = [keras.layers.Conv2D(2, 3, activation="relu"), keras.layers.Flatten()]
    return keras.Sequential([keras.Input((4, 4, 1)), *layers, keras.layers.Dense(3)])


@pytest.mark.parametrize(
    "full, half, expected",
    [(2.0, 1.0, "bfloat16"), (1.0, 0.89, "bfloat16"), (1.0, 0.91, "same"), (1.0, 1.2, "same")],
)
def test_bfloat16_has_to_be_clearly_faster(net, monkeypatch, full, half, expected):
    monkeypatch.setattr(precision, "_shortest", lambda passes: [full, half])
    choice = precision.choose(net, (5, 4, 4, 1))
    assert choice.precision == expected
    assert f"{1e3 * half:.1f} ms in bfloat16, {1e3 * full:.1f} ms in float32" in choice.reason


def test_the_shortest_time_counts_the_first_pass_does_not(monkeypatch):
    now = [0.0]
    takes = {"float32": iter([9, 3, 2, 4] * 9), "bfloat16": iter([1, 6, 5, 7] * 9)}

    def passing(times):
        def run():
            now[0] += next(times) / 20

        return run

    monkeypatch.setattr(precision.time, "perf_counter", lambda: now[0])
    found = precision._shortest({name: passing(times) for name, times in takes.items()})
    assert found == pytest.approx([2 / 20, 5 / 20])


def test_what_computes_in_bfloat16_anyway_is_left(net):
    policy = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, dtype="mixed_bfloat16")])
    assert precision.choose(policy, (5, 4)).precision == "same"


def test_images_of_any_size():
    layers = [keras.layers.Conv2D(2, 3), keras.layers.GlobalAveragePooling2D()]
    net = keras.Sequential([keras.Input((None, None, 1)), *layers, keras.layers.Dense(3)])
    assert precision.choose(net, (2, 6, 5, 1)).precision in ("same", "bfloat16")


def test_several_processes_have_to_agree():
    values = {"attack_precision": "auto", "distributed": {"coordinator": "auto"}}
    with pytest.raises(SettingError, match="attack_precision"):
        config.load(values=values)


def test_measured_once_and_kept(tmp_path, monkeypatch, capsys):
    """What was chosen stands in config.toml, and a run that goes on measures nothing."""
    choice = precision.Choice("bfloat16", "half the time")
    monkeypatch.setattr(precision, "choose", lambda net, shape: choice)
    run = tmp_path / "run"
    flags = small(attack_precision="auto", train__epochs=2, run_dir=run)
    with monkeypatch.context() as patch:
        stop_when(patch, lambda event: event.name == "epoch_end", signal.SIGINT)
        assert call(train.main, *flags, "--progress", "plain") == 130
    assert "attack_precision bfloat16: half the time" in capsys.readouterr().err
    assert 'attack_precision = "bfloat16"' in (run / "config.toml").read_text()
    happened = [json.loads(line) for line in (run / "events.jsonl").read_text().splitlines()]
    started = next(event for event in happened if event["event"] == "run_start")
    assert started["attack"] == "attack_precision bfloat16: half the time"
    monkeypatch.setattr(precision, "choose", None)
    assert call(train.main, "--resume", run) == 0
