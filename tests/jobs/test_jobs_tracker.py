"""Trackers: what they are told, and that none ends a run; the real ones where installed."""

import importlib.util
import json

import pytest

from slr_keras import train
from slr_keras.backend import keras
from slr_keras.run_folder import RunFolder
from slr_keras.training import trackers


@pytest.fixture
def run(command, flags):
    def begin(folder, name, epochs=3):
        given = flags(train__tracker=name, train__epochs=epochs)
        return command(train.main, *given, "--run-dir", folder, "--progress", "quiet")

    return begin


class Told(keras.callbacks.Callback):
    """A tracker's callback that keeps what it is told, and fails in one epoch."""

    def __init__(self, fails):
        super().__init__()
        self.fails, self.epochs, self.ended = fails, {}, []

    def on_epoch_end(self, epoch, logs=None):
        if epoch == self.fails:
            raise ConnectionError("the server is gone")
        self.epochs[epoch] = dict(logs)


@pytest.fixture
def told(monkeypatch):
    """Stands for W&B, which needs an account; its own callback is tried where it is installed."""

    def made(fails=None):
        callback = Told(fails)
        real = importlib.util.find_spec
        monkeypatch.setattr(importlib.util, "find_spec", lambda name: name == "wandb" or real(name))
        monkeypatch.setattr(
            trackers,
            "_wandb",
            lambda folder, settings, before: (callback, before or "r1", callback.ended.append),
        )
        return callback

    return made


def test_it_is_told_what_the_window_is_told(run, told, tmp_path):
    callback = told()
    assert run(tmp_path / "r", "wandb") == 0
    epochs = RunFolder(tmp_path / "r").epochs()
    robust = [logs["val_robust_accuracy"] for logs in callback.epochs.values()]
    assert robust == [e.val_robust_accuracy for e in epochs] and callback.ended == [True]
    assert json.loads((tmp_path / "r" / "tracker.json").read_text())["run"] == "r1"


def test_a_server_that_goes_ends_no_run(run, told, tmp_path):
    callback = told(fails=1)
    assert run(tmp_path / "r", "wandb") == 0
    text = (tmp_path / "r" / "events.jsonl").read_text()
    assert text.count("the run goes on without it: the server is gone") == 1
    assert list(callback.epochs) == [0] and len(RunFolder(tmp_path / "r").epochs()) == 3


def test_one_that_is_not_installed_is_said_before_anything_is_written(
    run, tmp_path, monkeypatch, capsys
):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert run(tmp_path / "r", "mlflow") == 2
    said = capsys.readouterr().err
    assert "mlflow is not installed: pip install -r requirements-trackers.txt" in said
    assert not (tmp_path / "r").exists()


def test_mlflow_itself(run, tmp_path, monkeypatch):
    mlflow = pytest.importorskip("mlflow")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/ml.db")
    assert run(tmp_path / "r", "mlflow") == 0
    (found,) = mlflow.search_runs(output_format="list")
    assert found.info.status == "FINISHED" and found.data.params["train.epochs"] == "3"
    client = mlflow.MlflowClient()
    history = client.get_metric_history(found.info.run_id, "val_robust_accuracy")
    epochs = RunFolder(tmp_path / "r").epochs()
    assert [m.value for m in history] == pytest.approx([e.val_robust_accuracy for e in epochs])


def test_wandb_itself(run, tmp_path, monkeypatch):
    pytest.importorskip("wandb")
    monkeypatch.setenv("WANDB_MODE", "offline")
    assert run(tmp_path / "r", "wandb") == 0
    assert list((tmp_path / "r" / "wandb").glob("offline-run-*"))
