"""What a run leaves behind, and that each file says what it should."""

import csv
import json
import sys

import numpy as np
import pytest
from PIL import Image

from slr_keras import config, evaluate, export, train
from tests import processes

EPOCH_FIELDS = {
    *("epoch", "epochs", "loss", "accuracy", "robust_accuracy", "train_accuracy"),
    *("train_robust_accuracy", "val_accuracy", "val_robust_accuracy", "label_entropy"),
    *("label_agreement", "learning_rate", "images_per_second", "seconds"),
}
FILES = {
    *("config.toml", "events.jsonl", "history.csv", "checkpoints", "best.keras", "final.keras"),
    *("curves.png", "summary.json", "tensorboard"),
}


def events(run):
    return [json.loads(line) for line in (run / "events.jsonl").read_text().splitlines()]


def epochs(run):
    return [event for event in events(run) if event["event"] == "epoch_end"]


def summary(run):
    return json.loads((run / "summary.json").read_text())


def test_nothing_is_missing_and_nothing_is_left_over(finished):
    assert {path.name for path in finished.iterdir()} == FILES
    names = sorted(path.name for path in (finished / "checkpoints").iterdir())
    assert names == [f"00000{n}-00000000.{kind}" for n in (3, 4) for kind in ("json", "npz")]


def test_events_are_one_object_a_line_in_order(finished):
    passing = {"phase", "warning"}
    names = [event["event"] for event in events(finished) if event["event"] not in passing]
    assert names == ["run_start", *["epoch_end", "checkpoint"] * 3, "run_end"]
    assert all(event["v"] == 1 and event["time"] > 1.6e9 for event in events(finished))


def test_an_epoch_has_exactly_the_promised_fields(finished):
    for event in epochs(finished):
        assert set(event) - {"v", "event", "time"} == EPOCH_FIELDS
        assert all(isinstance(event[name], (int, float)) for name in EPOCH_FIELDS)
    entropies = [event["label_entropy"] for event in epochs(finished)]
    assert entropies[0] == 0 and entropies[1] > 0  # refinement begins in epoch 2
    assert epochs(finished)[-1]["learning_rate"] < epochs(finished)[0]["learning_rate"]


def test_history_is_the_events_as_a_table(finished):
    rows = list(csv.DictReader((finished / "history.csv").open()))
    assert set(rows[0]) == EPOCH_FIELDS
    wanted = [{k: v for k, v in e.items() if k in EPOCH_FIELDS} for e in epochs(finished)]
    assert [{k: float(v) for k, v in row.items()} for row in rows] == wanted


def test_the_summary_has_clean_and_robust_of_best_and_final(finished):
    found = summary(finished)
    for which in ("best", "final"):
        assert 0 <= found[which]["robust_accuracy"] <= found[which]["accuracy"] <= 1
    rated = [(event["val_robust_accuracy"], -event["epoch"]) for event in epochs(finished)]
    assert found["best"]["epoch"] == found["best_epoch"] == -max(rated)[1]
    assert found["final"]["epoch"] == 3 and found["test_samples"] == 50
    assert events(finished)[-1]["summary"] == found


def test_the_curves_are_a_picture(finished):
    with Image.open(finished / "curves.png") as image:
        pixels = np.asarray(image.convert("RGB"))
    assert min(pixels.shape[:2]) > 300
    for colour in ([0x00, 0x72, 0xB2], [0xD5, 0x5E, 0x00]):  # clean, robust
        assert (pixels == colour).all(-1).sum() > 20  # the legend's; curves may hide each other


def test_tensorboard_logs_hold_the_accuracies(finished):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    tags = {}
    for part in ("train", "validation"):
        log = EventAccumulator(str(finished / "tensorboard" / part)).Reload()
        tags[part] = set(log.Tags()["tensors"])
    assert {"epoch_loss", "epoch_accuracy", "epoch_robust_accuracy"} <= tags["train"]
    assert {"epoch_accuracy", "epoch_robust_accuracy"} <= tags["validation"]


@pytest.mark.slow
def test_the_configuration_reproduces_the_run(finished, tmp_path, job, same):
    again = tmp_path / "again"
    assert job(train.main, finished / "config.toml", "--run-dir", again).code == 0
    same(finished, again)
    own, other = (config.load(file=run / "config.toml") for run in (finished, again))
    assert own.replace(run_dir="") == other.replace(run_dir="")


def test_label_noise_is_recorded(finished):
    assert summary(finished)["noisy_labels"] > 5
    assert config.load(file=finished / "config.toml").data.label_noise == 0.1


READ = """
import sys, zipfile, numpy as np, keras, tensorflow as tf
folder, savedmodel = sys.argv[1:]
x = np.random.default_rng(0).random((5, 8, 8, 1), dtype="float32")
best, final = (keras.models.load_model(f"{folder}/{n}.keras") for n in ("best", "final"))
loaded = tf.saved_model.load(savedmodel)
serve = loaded.signatures["serving_default"]
(name, spec), = serve.structured_input_signature[1].items()
assert (name, spec.dtype, spec.shape.as_list()) == ("image", tf.float32, [None, 8, 8, 1]), spec
for count in (5, 2):
    out = serve(image=tf.constant(x[:count]))
    assert set(out) == {"logits", "probabilities"} and out["logits"].shape == (count, 10)
    np.testing.assert_allclose(out["logits"], best(x[:count], training=False), atol=1e-5)
    np.testing.assert_allclose(out["probabilities"], tf.nn.softmax(out["logits"]), atol=1e-6)
assert final(x).shape == (5, 10)
shapes = [v.shape.as_list() for v in loaded.variables]
assert shapes and [200, 10] not in shapes, shapes
assert not any("slr" in module for module in sys.modules)
"""


@pytest.fixture(scope="module")
def exported(finished, command, tmp_path_factory):
    out = tmp_path_factory.mktemp("export") / "savedmodel"
    assert command(export.main, finished, "--out", out) == 0
    return out


def test_models_load_without_this_package_and_carry_no_labels(finished, exported, tmp_path):
    done = processes.finished(
        [sys.executable, "-c", READ, str(finished), str(exported)], cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr


def test_evaluate_agrees_with_the_summary(finished, copy_of, job):
    run = copy_of(finished)
    for which in ("best", "final"):
        options = ("--which", which, "--attacks", "clean", "pgd-2", "--num-samples", 50)
        done = job(evaluate.main, run, *options)
        assert done.code == 0 and "clean" in done.out and "worst case" in done.out
        result = json.loads((run / "evaluation.json").read_text())
        rows = {row["attack"]: row for row in result["results"]}
        assert rows["clean"]["accuracy"] == summary(finished)[which]["accuracy"]
        assert rows["pgd-2"]["accuracy"] == summary(finished)[which]["robust_accuracy"]
        assert result["which"] == which and rows["pgd-2"]["samples"] == 50


def test_a_run_without_validation_says_that_there_is_no_best(tmp_path, flags, job):
    run = tmp_path / "run"
    short = flags(train__epochs=1, data__val_fraction=0)
    done = job(train.main, *short, "--run-dir", run, "--progress", "quiet")
    assert done.code == 0
    assert done.out == ""
    assert "without a validation split there is no best epoch" in done.err
    assert not (run / "best.keras").exists()
    assert "best" not in summary(run) and summary(run)["best_epoch"] is None
    assert epochs(run)[0]["val_robust_accuracy"] is None
    assert job(export.main, run, "--which", "best").code == 2
    exported = job(export.main, run, "--format", "keras")
    assert exported.code == 0 and (run / "exported.keras").is_file()


def test_a_failed_export_is_made_up_for_by_resume(tmp_path, flags, job, monkeypatch):
    from slr_keras import saving
    from slr_keras.errors import ExportError

    def fail(*_):
        raise ExportError("no")

    run = tmp_path / "run"
    with monkeypatch.context() as patch:
        patch.setattr(saving, "export_network", fail)
        flat = flags(train__epochs=1)
        done = job(train.main, *flat, "--run-dir", run, "--train.export", "--progress", "plain")
    assert done.code == 1 and "error: no" in done.err and f"--resume {run}" in done.err
    assert "epoch   1/1" in done.err and "images/s" in done.err
    monkeypatch.setattr(saving, "export_network", lambda net, out, kind: out.mkdir())
    assert job(train.main, "--resume", run).code == 0
    assert (run / "savedmodel").is_dir()
    assert "nothing to resume" in job(train.main, "--resume", run).out
