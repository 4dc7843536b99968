"""Real images end to end: CIFAR-10 and Fashion-MNIST from the folder where TFDS prepared them."""

import json
import os
from pathlib import Path

import pytest

from slr_keras import config, evaluate, train

PREPARED = Path(os.environ.get("TFDS_DATA_DIR", "~/tensorflow_datasets")).expanduser()
TINY = {
    "--train.batch_size": 32,
    "--data.train_samples": 64,
    "--eval.train_samples": 32,
    "--eval.val_samples": 32,
    "--eval.test_samples": 32,
    "--eval.steps": 2,
    "--eval.test_steps": 2,
    "--attack.steps": 3,
    "--attack.eps": "8/255",
    "--attack.step_size": "4/255",
    "--model.width": 4,
    "--method.start_epoch": 2,
    "--train.epochs": 2,
}
ONE_CONVOLUTION = ("--model.strides", "2")


@pytest.fixture
def real_run(tmp_path, job):
    """Train on a real set; its run folder, summary and events."""

    def start(name, *arguments):
        if not list((PREPARED / name).glob("*/dataset_info.json")):
            pytest.skip(
                f"{name} is not prepared in {PREPARED}; with network, run: python -c "
                f"\"import tensorflow_datasets as t; t.builder('{name}').download_and_prepare()\""
                " (TFDS_DATA_DIR names another folder)"
            )
        tiny = [str(word) for flag in TINY.items() for word in flag]
        run = tmp_path / name
        options = ("--data.name", name, "--data.dir", PREPARED, "--run-dir", run)
        done = job(train.main, *arguments, *tiny, *options)
        assert done.code == 0, done.err
        lines = (run / "events.jsonl").read_text().splitlines()
        summary = json.loads((run / "summary.json").read_text())
        return run, summary, [json.loads(line) for line in lines]

    return start


def test_cifar10_through_the_small_cnn(real_run):
    run, summary, events = real_run("cifar10", "--data.augment", "crop-flip", *ONE_CONVOLUTION)
    check(run, summary, events, model="small_cnn", dataset="cifar10")


@pytest.mark.slow
def test_cifar10_through_a_narrow_resnet18(real_run):
    run, summary, events = real_run("cifar10", "--model.name", "resnet18")
    check(run, summary, events, model="resnet18", dataset="cifar10")


def test_fashion_mnist_through_the_small_cnn(real_run, job):
    noise = ("--data.label_noise", "0.2")
    run, summary, events = real_run("fashion_mnist", *noise, *ONE_CONVOLUTION)
    check(run, summary, events, model="small_cnn", dataset="fashion_mnist")
    assert 5 <= summary["noisy_labels"] <= 20  # a fifth of 64, a tenth of these as they were
    options = ("--which", "final", "--attacks", "clean", "pgd-2", "--num-samples", "32")
    assert job(evaluate.main, run, *options).code == 0
    rows = json.loads((run / "evaluation.json").read_text())["results"]
    found = {row["attack"]: row["accuracy"] for row in rows}
    assert found["clean"] == summary["final"]["accuracy"]
    assert found["pgd-2"] == summary["final"]["robust_accuracy"]


def check(run, summary, events, model, dataset):
    start = next(event for event in events if event["event"] == "run_start")
    assert (start["model"], start["dataset"]) == (model, dataset)
    assert start["steps_per_epoch"] == 2
    epochs = [event for event in events if event["event"] == "epoch_end"]
    assert [event["epoch"] for event in epochs] == [1, 2]
    assert all(0 < event["loss"] < 10 for event in epochs)
    assert epochs[0]["label_entropy"] == 0 < epochs[1]["label_entropy"]
    assert summary["test_samples"] == 32 and {"best", "final"} <= set(summary)
    assert config.load(file=run / "config.toml").data.name == dataset
