"""Runs whose images stay on disk: the same end, resumed or not, and one line for a bad file."""

import shutil
import signal

import numpy as np
import pytest
from PIL import Image

from slr_keras import evaluate, train
from slr_keras.backend import keras
from slr_keras.run_folder import RunFolder


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """A folder of 120 + 30 bright and dark images of 10 to 12 pixels."""
    root, rng = tmp_path_factory.mktemp("pictures"), np.random.default_rng(0)
    for split, count in (("train", 120), ("test", 30)):
        for i in range(count):
            folder = root / split / ("dark", "light")[i % 2]
            folder.mkdir(parents=True, exist_ok=True)
            pixels = rng.integers(100 * (i % 2), 100 * (i % 2) + 150, (10 + i % 3, 10, 3))
            Image.fromarray(pixels.astype(np.uint8)).save(folder / f"{i:03}.png")
    return root


@pytest.fixture
def options(flags, pictures):
    def make(run, stream="on", folder=pictures, **changes):
        small = {"data__train_samples": 100, "train__batch_size": 20, "data__image_size": 8}
        small |= {"train__epochs": 2, "attack__steps": 2}
        place = ("--data.name", folder, "--data.stream", stream, "--run-dir", run)
        return (*flags(**small, **changes), "--data.augment", "crop-flip", *place)

    return make


def weights(run):
    return keras.models.load_model(run / "final.keras", compile=False).get_weights()


def test_streamed_or_loaded_killed_or_not_the_end_is_the_same(
    tmp_path, job, options, stop_on, same
):
    loaded, streamed, stopped = (tmp_path / name for name in ("loaded", "streamed", "stopped"))
    assert job(train.main, *options(loaded, "off")).code == 0
    assert job(train.main, *options(streamed)).code == 0
    for ours, theirs in zip(weights(streamed), weights(loaded), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    one, other = (RunFolder(run).epochs() for run in (streamed, loaded))
    assert [e.val_robust_accuracy for e in one] == [e.val_robust_accuracy for e in other]
    stop_on(lambda e: e.name == "phase" and e.epoch == 2, signal.SIGTERM)
    assert job(train.main, *options(stopped)).code == 143
    assert job(train.main, "--resume", stopped).code == 0
    same(stopped, streamed)
    few = ("--attacks", "clean", "pgd-2", "--num-samples", "20", "--checks", "none")
    assert job(evaluate.main, streamed, *few).code == 0


def test_a_file_that_goes_bad_in_training_is_named(tmp_path, job, options, pictures, stop_on):
    folder, run = shutil.copytree(pictures, tmp_path / "pictures"), tmp_path / "run"

    def spoil(event):
        if event.name == "epoch_end":
            for path in (folder / "train" / "dark").iterdir():
                path.write_bytes(path.read_bytes()[:-30])

    stop_on(spoil, signal.SIGTERM)  # its answer is no: nothing is sent
    done = job(train.main, *options(run, folder=folder))
    assert done.code == 2 and "Traceback" not in done.err
    (line,) = [line for line in done.err.splitlines() if "rror" in line]
    assert line.startswith(f"error: {folder}/train/dark/") and "expected an image" in line
    assert list((run / "checkpoints").iterdir())
