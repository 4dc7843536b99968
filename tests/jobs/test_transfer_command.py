"""``python -m slr_keras.transfer``: what it writes, what it refuses, and that it goes on."""

import json
import os
import re
import signal

import keras
import pytest

from slr_keras import transfer
from slr_keras.evaluation import _transfer_matrix
from slr_keras.protocol import events
from tests.jobs.test_jobs_tasks import Window, begin

FAST = ("--attack", "fgsm", "--eps", "40/255", "--num-samples", 40, "--batch-size", 20)


@pytest.fixture
def result(tmp_path):
    path = tmp_path / "matrix.json"
    return lambda: json.loads(path.read_text())


@pytest.fixture
def here(tmp_path):
    return ("--out", tmp_path / "matrix.json")


def test_runs_files_and_an_ensemble(finished, job, result, here, tmp_path):
    models = (finished, finished / "final.keras")
    done = job(transfer.main, *models, "--ensemble", *models, *FAST, *here)
    assert done.code == 0 and "Fooled %" in done.out and "written to" in done.out
    found = result()
    names = [model["name"] for model in found["models"]]
    assert names == ["finished", "final", "ensemble"] and found["samples"] == 40
    assert found["models"][2]["files"] == list(map(str, models))
    assert found["settings"]["name"] == "fgsm" and found["settings"]["eps"] == "40/255"
    assert [row["source"] for row in found["results"]] == names
    assert [one["model"] for one in found["clean"]] == names
    for number, row in enumerate(found["results"]):
        assert [one["model"] for one in row["on"]] == names
        assert row["on"][number]["accuracy"] <= found["clean"][number]["accuracy"]
    assert {"slr_keras", "keras", "python"} <= set(found["versions"]) and found["device"]
    assert (tmp_path / "matrix.png").read_bytes()[1:4] == b"PNG"
    assert {path.name for path in tmp_path.iterdir()} == {"matrix.json", "matrix.png"}


def test_stopped_it_goes_on_after_the_last_row(finished, job, result, here, tmp_path, monkeypatch):
    command = (finished, finished / "final.keras", *FAST, *here)
    real, rows = _transfer_matrix._Rows.fooled, []

    def fooled(self, row, right):
        rows.append(row)
        if rows == [0, 1]:
            os.kill(os.getpid(), signal.SIGTERM)
        return real(self, row, right)

    monkeypatch.setattr(_transfer_matrix._Rows, "fooled", fooled)
    done = job(transfer.main, *command)
    assert (
        done.code == 143 and "goes on from" in done.err and not (tmp_path / "matrix.json").exists()
    )
    assert job(transfer.main, *command).code == 0 and rows == [0, 1, 1]
    assert not list(tmp_path.glob("*.partial.npz")) and len(result()["results"]) == 2


def test_a_window_is_told(finished, result, here):
    window = Window()
    assert begin(transfer._command, window, finished, finished / "final.keras", *FAST, *here) == 0
    (started,) = window.of(events.EvaluationStarted)
    assert (started.samples, started.attacks) == (40, ("finished", "final"))
    done = [event for event in window.of(events.EvaluationProgress) if event.done]
    assert [event.attack for event in done] == ["on finished", "on final"]
    shares = [row["on"][number]["accuracy"] for number, row in enumerate(result()["results"])]
    assert [event.robust / 40 for event in done] == pytest.approx(shares)
    (ended,) = window.of(events.TaskEnded)
    assert ended.paths[0] == str(here[1]) and "40 images, fgsm: finished" in ended.message


def net(classes=10, size=8):
    layers = [keras.Input((size, size, 1)), keras.layers.Flatten(), keras.layers.Dense(classes)]
    return keras.Sequential(layers)


def test_what_is_refused(finished, job, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    net(3).save("three.keras")
    net(size=4).save("small.keras")
    net().save("other.keras")
    for words, says in {
        (): "expected two models or more, received 0",
        (finished,): "expected two models or more, received 1",
        (finished, finished): "is given twice",
        (finished, "nowhere"): "no such run folder or model file: nowhere",
        (finished, "other.keras", "--ensemble", finished): "--ensemble: expected two models",
        (finished, "other.keras", "--attack", "mifgsm"): "unknown attack: 'mifgsm'",
        (finished, "other.keras", "--attack", "clean"): "expected one attack",
        (finished, "other.keras", "--eps", "x"): "--eps: expected",
        (finished, "other.keras", "--norm", "l2"): "give --eps",
        (
            finished,
            "other.keras",
            "--num-samples",
            0,
        ): "--num-samples: expected a whole number",
        (finished, "other.keras", "--out", "no/x.json"): "--out: no such folder: no",
        (finished, "other.keras", "--out", "x.txt"): "name of a .json file",
        (finished, "other.keras", "--epsilon", 1): "unknown argument: --epsilon",
        ("three.keras", "other.keras"): "give --data.name",
        (finished, "three.keras"): r"three: the model takes \(8, 8, 1\) and has 3 classes",
        (finished, "small.keras"): r"small: the model takes \(4, 4, 1\)",
        (finished, "--ensemble", "three.keras", "other.keras"): "--ensemble: three.keras, other",
    }.items():
        done = job(transfer.main, *words)
        assert done.code == 2 and done.err.count("\n") == 1, (words, done.err)
        assert re.search(says, done.err), done.err
    assert not list(tmp_path.glob("transfer*"))
    assert job(transfer.main, "--list", "attacks").code == 0
