"""Runs and files that an earlier version wrote open, go on and are evaluated.

``tests/kept/2026-11-28`` is as that day's version wrote it: a run that SIGTERM stopped in its third
of four epochs (a subset of the digits, SLR from epoch 2, averaged weights), and a classifier with
its label bank, saved by Keras.
"""

import importlib
import json
import pathlib
import shutil

import keras
import numpy as np
import pytest

import slr_keras as slr
from slr_keras import config, evaluate, report, train
from slr_keras.run_folder import RunFolder

KEPT = pathlib.Path(__file__).parents[1] / "kept" / "2026-11-28"
FEW = ("--attacks", "clean", "pgd-2", "--num-samples", 20, "--batch-size", 20)


@pytest.fixture
def old(tmp_path):
    """The run, which the test may change."""
    return pathlib.Path(shutil.copytree(KEPT / "run", tmp_path / "run"))


def test_its_settings_and_events_are_read(old):
    run = config.load(file=old / "config.toml")
    assert (run.method.name, run.model.name, run.data.name) == ("slr", "small_cnn", "digits")
    epochs = RunFolder(old).epochs()
    assert [epoch.epoch for epoch in epochs] == [1, 2]
    assert all(0 <= epoch.val_robust_accuracy <= 1 for epoch in epochs)


def test_it_goes_on_is_evaluated_and_reported(old, job):
    before = RunFolder(old).epochs()
    assert job(train.main, "--resume", old).code == 0
    after = RunFolder(old).epochs()
    assert after[:2] == before and [epoch.epoch for epoch in after] == [1, 2, 3, 4]
    assert job(evaluate.main, old, *FEW).code == 0
    rows = json.loads((old / "evaluation.json").read_text())["results"]
    assert {row["attack"] for row in rows} >= {"clean", "pgd-2"}
    assert job(report.main, old).code == 0


def test_a_classifier_of_keras_is_read_with_its_labels_and_as_a_network():
    path = KEPT / "classifier.keras"
    kept = np.load(KEPT / "classifier.npz")
    importlib.import_module("slr_keras.training.robust_classifier")
    model = keras.models.load_model(path)
    np.testing.assert_array_equal(model.label_bank.labels, kept["labels"])
    assert model.method == slr.methods.SLR(start_epoch=1)
    assert model.attack == slr.attacks.PGD(eps=0.1, step_size=0.05, steps=2)
    for net in (model.net, slr.load_model(path)):
        logits = keras.ops.convert_to_numpy(net(kept["images"], training=False))
        np.testing.assert_allclose(logits, kept["logits"], atol=1e-5)
