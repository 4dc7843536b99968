"""Bad input to whole commands: one clear line, exit code 2, nothing lost and nothing left."""

import importlib.util
import json
import pathlib
import re
import shutil
import sys
import types

import numpy as np
import pytest

from slr_keras import config, evaluate, export, train
from slr_keras.backend import keras
from slr_keras.terminal import cli
from slr_keras.training import label_bank
from tests import processes

PHASES = {"importing ...", "loading data ...", "building ..."}


@pytest.fixture
def refused(job):
    """``refused(main, *arguments)``: the error, after phases and warnings, with exit code 2."""

    def call(main, *arguments, code=2):
        done = job(main, *arguments)
        assert done.code == code, done
        lines = [line for line in done.err.splitlines() if line not in PHASES]
        lines = [line for line in lines if not line.startswith("warning: ")]
        assert "Traceback" not in done.err and done.out == ""
        assert len(lines) == 1 and lines[0].startswith("error: "), done.err
        return lines[0]

    return call


@pytest.fixture
def snapshot():
    """The contents of a folder, to be compared."""

    def take(folder):
        paths = sorted(pathlib.Path(folder).rglob("*"))
        return {str(p): p.read_bytes() if p.is_file() else None for p in paths}

    return take


# -- run folders ------------------------------------------------------------------------------


def test_an_existing_run_is_not_touched(finished, refused, snapshot):
    before = snapshot(finished)
    line = refused(train.main, "--run-dir", finished)
    assert "exists" in line and f"--resume {finished}" in line and "--overwrite" in line
    assert snapshot(finished) == before


def test_overwrite_moves_the_old_run_aside(finished, copy_of, snapshot, job, flags, stop_on):
    run = copy_of(finished)
    before = {path.removeprefix(str(run)): v for path, v in snapshot(run).items()}
    stop_on(lambda e: e.name == "phase" and e.phase == "epoch", 2)
    assert job(train.main, *flags(), "--run-dir", run, "--overwrite").code == 130
    (old,) = run.parent.glob(f"{run.name}.old-*")
    assert {path.removeprefix(str(old)): v for path, v in snapshot(old).items()} == before
    assert not (run / "summary.json").exists() and (run / "checkpoints").is_dir()


def test_a_refused_overwrite_gives_the_old_run_back(finished, copy_of, refused, snapshot):
    run = copy_of(finished)
    before = snapshot(run.parent)
    line = refused(train.main, "--run-dir", run, "--overwrite", "--data.name", "cifar1O")
    assert "Did you mean 'cifar10'?" in line
    assert snapshot(run.parent) == before


@pytest.mark.parametrize("overwrite", [(), ("--overwrite",)])
def test_a_folder_that_is_no_run_is_never_overwritten(tmp_path, refused, snapshot, overwrite):
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter").write_text("one")
    before = snapshot(tmp_path)
    refused(train.main, "--run-dir", tmp_path / "thesis", *overwrite)
    refused(train.main, "--run-dir", tmp_path / "thesis" / "chapter", *overwrite)
    assert snapshot(tmp_path) == before


def test_the_working_folder_is_not_overwritten(finished, copy_of, refused, snapshot, monkeypatch):
    run = copy_of(finished)
    before = snapshot(run)
    monkeypatch.chdir(run / "checkpoints")
    assert "where you are" in refused(train.main, "--run-dir", run, "--overwrite")
    monkeypatch.chdir(run)
    assert "where you are" in refused(train.main, "--run-dir", ".", "--overwrite")
    assert snapshot(run) == before


def test_a_folder_that_cannot_be_written(tmp_path, refused):
    (tmp_path / "file").write_text("")
    for place in (tmp_path / "file" / "run", tmp_path / ("x" * 300), "/proc/run"):
        line = refused(train.main, "--run-dir", place)
        assert "cannot write the run folder" in line and "--run-dir" in line


# -- resume -----------------------------------------------------------------------------------


def test_resume_of_what_is_no_run(tmp_path, refused):
    assert "no run folder" in refused(train.main, "--resume", tmp_path)
    assert "no run folder" in refused(train.main, "--resume", tmp_path / "absent")


def test_resume_takes_no_other_settings(interrupted, refused):
    for extra in (["--seed", 1], ["--preset", "cifar10-1k-at"], ["my.toml"]):
        assert "own settings" in refused(train.main, "--resume", interrupted, *extra)


@pytest.mark.parametrize(
    "old, new, said",
    [
        ("momentum = 0.9", "momentum = 0.8", "the configuration changed"),
        ("seed = 0", "seed = 1", "changed since this run was started"),
        ("epochs = 3", "epochs = ", "config.toml is no TOML"),
        ('eps = "24/255"', "eps = -1", "attack.eps"),
        ("width = 4", "widht = 4", "Did you mean 'width'?"),
    ],
)
def test_resume_with_a_changed_configuration(interrupted, copy_of, refused, old, new, said):
    run = copy_of(interrupted)
    path = run / "config.toml"
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new, 1))
    kept = {p: p.read_bytes() for p in (run / "checkpoints").iterdir()}
    assert said in refused(train.main, "--resume", run)
    assert {p: p.read_bytes() for p in (run / "checkpoints").iterdir()} == kept


def test_a_run_of_a_version_that_knew_fewer_settings_goes_on(
    interrupted, finished, copy_of, job, same
):
    run = copy_of(interrupted)
    for path in [run / "config.toml", *(run / "checkpoints").glob("*.json")]:
        text = path.read_text()
        for line in ('devices = "1"', "top_k = 0", 'place = "device"'):
            written = line if path.suffix == ".toml" else json.dumps(line)[1:-1]
            assert written in text
            text = text.replace(written, "", 1)
        path.write_text(text)
    job(train.main, "--resume", run)
    same(run, finished)


def test_a_truncated_checkpoint_falls_back_to_the_one_before(
    interrupted, finished, copy_of, job, same
):
    run = copy_of(interrupted)
    newest = max((run / "checkpoints").glob("*.npz"))
    newest.write_bytes(newest.read_bytes()[:-100])
    done = job(train.main, "--resume", run)
    assert done.code == 0
    assert re.search(
        rf"warning: checkpoint {newest.stem}.json is damaged .* the one before", done.err
    )
    warnings = [e for e in events(run) if e["event"] == "warning"]
    assert newest.stem in warnings[-1]["message"]
    same(finished, run)


def events(run):
    return [json.loads(line) for line in (run / "events.jsonl").read_text().splitlines()]


def spoil(path, how):
    data = path.read_bytes()
    path.write_bytes({"cut": data[: len(data) // 2], "empty": b"", "zero": bytes(len(data))}[how])


@pytest.mark.parametrize("how", ["cut", "empty", "zero"])
@pytest.mark.parametrize("kind", ["json", "npz"])
def test_all_checkpoints_damaged(interrupted, copy_of, refused, how, kind):
    run = copy_of(interrupted)
    for path in (run / "checkpoints").glob(f"*.{kind}"):
        spoil(path, how)
    line = refused(train.main, "--resume", run)
    assert "no checkpoint can be read" in line and "000003-00000001.json is damaged" in line


@pytest.mark.parametrize("text", ["null", "[]", '{"format": 1}', '{"format": 99}', '"x"'])
def test_a_checkpoint_head_of_another_kind(interrupted, copy_of, refused, text):
    run = copy_of(interrupted)
    for path in (run / "checkpoints").glob("*.json"):
        path.write_text(text)
    assert "no checkpoint can be read" in refused(train.main, "--resume", run)


def test_a_damaged_checkpoint_never_displaces_a_good_one(tmp_path):
    from slr_keras.training.checkpoints import Checkpoints, Position

    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.compile(optimizer="sgd", loss="mse")
    store = Checkpoints(tmp_path, keep=1)
    later = store.save(model, Position(3, 7), {})
    later.with_suffix(".npz").write_bytes(b"cut")
    good = store.save(model, Position(2, 5), {})  # resumed before it, stopped again
    assert store.found() == [good]
    assert store.load(model, {})[0] == Position(2, 5)


def test_resume_without_any_checkpoint_starts_anew(interrupted, finished, copy_of, job, same):
    run = copy_of(interrupted)
    shutil.rmtree(run / "checkpoints")
    (run / "checkpoints").mkdir()
    assert job(train.main, "--resume", run).code == 0
    same(finished, run)


# -- data -------------------------------------------------------------------------------------


def arrays(**changes):
    rng = np.random.default_rng(0)
    x, y = rng.random((60, 8, 8, 1), dtype="float32"), np.arange(60) % 3
    return {"x_train": x, "y_train": y, "x_test": x[:20], "y_test": y[:20]} | changes


@pytest.mark.parametrize(
    "changes, said",
    [
        ({"x_train": arrays()["x_train"] * 255}, "divide by 255"),
        ({"x_train": np.full((60, 8, 8, 1), np.nan, "float32")}, "NaN"),
        ({"x_train": np.zeros((60, 64), "float32")}, "received shape (60, 64)"),
        ({"y_train": np.arange(60) % 3 - 1}, "count from 0"),
        ({"y_train": np.arange(59) % 3}, "59 labels for 60 images"),
        ({"y_test": np.full(20, 7)}, "y_test: expected labels in 0..2"),
        ({"x_train": np.array([np.zeros(2), np.zeros(3)], object)}, "Python objects"),
    ],
)
def test_an_npz_that_cannot_be_used(tmp_path, refused, changes, said):
    path, run = tmp_path / "mine.npz", tmp_path / "run"
    np.savez(path, **arrays(**changes))
    line = refused(train.main, "--data.name", path, "--run-dir", run)
    assert said in line and str(path) in line
    assert not run.exists()


def test_too_few_classes_for_a_loss(tmp_path, refused):
    path, few = tmp_path / "two.npz", {"y_train": np.arange(60) % 2, "y_test": np.arange(20) % 2}
    np.savez(path, **arrays(**few))
    flags = ["--attack.name", "apgd", "--attack.loss", "dlr", "--model.width", 4]
    line = refused(train.main, "--data.name", path, "--run-dir", tmp_path / "run", *flags)
    assert "APGD with the loss dlr and 0 targets needs 3 classes, the model has 2" in line


def test_a_corrupt_image_is_named(tmp_path, refused):
    from PIL import Image

    for split in ("train", "test"):
        for name in ("cat", "dog"):
            folder = tmp_path / "set" / split / name
            folder.mkdir(parents=True)
            for i in range(3):
                Image.new("RGB", (8, 8), (i, 0, 0)).save(folder / f"{i}.png")
    bad = tmp_path / "set" / "train" / "dog" / "1.png"
    bad.write_bytes(bad.read_bytes()[:40])
    assert str(bad) in refused(
        train.main, "--data.name", tmp_path / "set", "--run-dir", tmp_path / "run"
    )


def test_unknown_data_sets(tmp_path, refused):
    run = tmp_path / "run"
    assert "cifar10" in refused(train.main, "--data.name", "cifar1O", "--run-dir", run)
    line = refused(train.main, "--data.name", tmp_path / "no.npz", "--run-dir", run)
    assert "not found" in line
    assert not run.exists()


def test_a_set_that_cannot_be_downloaded_fails_soon(tmp_path, job, monkeypatch):
    tfds = pytest.importorskip("tensorflow_datasets")
    requests = pytest.importorskip("requests")

    def offline(*_, **options):
        assert options["timeout"] <= 10
        raise requests.exceptions.ConnectionError("Name or service not known")

    def tried(*_, **__):
        pytest.fail("it began to download, which takes minutes to fail")

    monkeypatch.setattr(requests, "head", offline)
    monkeypatch.setattr(tfds.core.DatasetBuilder, "download_and_prepare", tried)
    place, run = tmp_path / "sets", tmp_path / "run"
    options = ("--data.name", "svhn_cropped", "--data.dir", place, "--run-dir", run)
    done = job(train.main, *options)
    assert done.code == 2 and "Traceback" not in done.err
    (line,) = [line for line in done.err.splitlines() if line.startswith("error: ")]
    assert f"not prepared in {place}" in line and "--data.dir" in line and "Name or ser" in line
    assert not run.exists()


# -- models -----------------------------------------------------------------------------------


def classifier(path, shape=(8, 8, 1), classes=10, activation=None):
    layers = [keras.Input(shape), keras.layers.Flatten()]
    keras.Sequential([*layers, keras.layers.Dense(classes, activation)]).save(path)
    return path


@pytest.mark.parametrize(
    "options, said",
    [
        ({"activation": "softmax"}, "expected logits, received probabilities"),
        ({"classes": 7}, "expected 10 classes as in the data, the model has 7"),
        ({"shape": (9, 8, 1)}, "the model takes (9, 8, 1)"),
    ],
)
def test_a_model_file_that_does_not_fit(tmp_path, refused, options, said):
    model = classifier(tmp_path / "mine.keras", **options)
    line = refused(train.main, "--model.name", model, "--run-dir", tmp_path / "run")
    assert said in line and str(model) in line
    assert not (tmp_path / "run").exists()


def test_a_file_that_is_no_model(tmp_path, refused):
    text, cut = tmp_path / "text.keras", tmp_path / "cut.keras"
    text.write_text("no model")
    data = classifier(tmp_path / "good.keras").read_bytes()
    middle = data.index(b"model.weights.h5") + 600
    cut.write_bytes(data[:middle] + bytes(200) + data[middle + 200 :])
    for path in (text, cut, tmp_path / "absent.keras"):
        line = refused(train.main, "--model.name", path, "--run-dir", tmp_path / "run")
        assert str(path) in line
        assert str(path) in refused(export.main, path, "--out", tmp_path / "out")


def test_an_own_model_is_trained(tmp_path, flags, job):
    model, run = classifier(tmp_path / "mine.keras"), tmp_path / "run"
    flags = flags(train__epochs=1)
    pairs = zip(flags[::2], flags[1::2], strict=True)
    flags = [word for pair in pairs if "--model" not in pair[0] for word in pair]
    assert job(train.main, *flags, "--model.name", model, "--run-dir", run).code == 0
    assert keras.models.load_model(run / "final.keras").output_shape == (None, 10)


def test_a_loss_that_is_not_finite(tmp_path, flags, refused):
    run = tmp_path / "run"
    options = flags(optimizer__learning_rate=1e30)
    line = refused(train.main, *options, "--run-dir", run, "--progress", "quiet", code=1)
    assert "--optimizer.learning_rate" in line and "No checkpoint was written yet" in line
    assert events(run)[-1]["event"] == "non_finite_loss"
    assert not (run / "best.keras").exists()


def test_weights_that_are_not_finite_are_never_saved(interrupted, copy_of, job, monkeypatch):
    from slr_keras.training import loop

    real, run = loop.Run._evaluate, copy_of(interrupted)

    def poison(self, epoch):
        weights = self.model.net.get_weights()
        weights[0][0] = np.nan
        self.model.net.set_weights(weights)
        return real(self, epoch)

    monkeypatch.setattr(loop.Run, "_evaluate", poison)
    kept = sorted((run / "checkpoints").iterdir())
    done = job(train.main, "--resume", run)
    assert done.code == 1 and "a weight became NaN or infinite" in done.err
    assert sorted((run / "checkpoints").iterdir()) == kept
    assert events(run)[-1]["event"] == "non_finite_loss"


# -- evaluate and export ----------------------------------------------------------------------


@pytest.mark.parametrize(
    "arguments, said",
    [
        (["--attacks", "pdg"], "Did you mean 'pgd'?"),
        (["--attacks", "pgd-0"], "steps"),
        (["--attacks", "fgsm-3"], "fgsm has no number of steps"),
        (["--num-samples", "0"], "--num-samples"),
        (["--num-samples", "few"], "--num-samples"),
        (["--batch-size", "0"], "--batch-size"),
        (["--eval-seed", "-1"], "--eval-seed"),
        (["--restarts", "0"], "restarts"),
        (["--eps", "8"], "Did you mean 8/255?"),
        (["--eps", "-1"], "--eps"),
        (["--step-size", "0"], "--step-size"),
        (["--out", "absent/result.json"], "no such folder: absent"),
        (["--split", "vla"], "--split"),
    ],
)
def test_evaluate_refuses_before_it_works(finished, refused, monkeypatch, arguments, said):
    monkeypatch.setattr(cli, "import_framework", lambda: pytest.fail("it began to work"))
    assert said in refused(evaluate.main, finished, *arguments)


def test_evaluate_and_export_of_wrong_targets(tmp_path, finished, refused):
    for main in (evaluate.main, export.main):
        assert "no such" in refused(main, tmp_path / "absent")
        assert "no run folder" in refused(main, tmp_path)
        assert "received" in refused(main, finished / "events.jsonl")
    assert "give --data.name" in refused(evaluate.main, finished / "final.keras")
    assert "expected a run folder" in refused(evaluate.main)


def test_evaluate_of_models_that_do_not_fit(tmp_path, refused):
    odd = classifier(tmp_path / "odd.keras", shape=(9, 8, 1))
    assert "the model takes (9, 8, 1)" in refused(evaluate.main, odd, "--data.name", "digits")
    soft = classifier(tmp_path / "soft.keras", activation="softmax")
    assert "probabilities" in refused(evaluate.main, soft, "--data.name", "digits")
    assert "probabilities" in refused(export.main, soft, "--out", tmp_path / "out")


def test_export_overwrites_nothing_but_an_export(tmp_path, finished, copy_of, refused, snapshot):
    run = copy_of(finished)
    (run / "savedmodel").mkdir()
    before = snapshot(tmp_path)
    assert "--overwrite" in refused(export.main, run)
    assert "not overwritten" in refused(export.main, run, "--out", run, "--overwrite")
    assert "no such folder" in refused(export.main, run, "--out", tmp_path / "a" / "b")
    assert "ends in .keras" in refused(
        export.main, run, "--format", "keras", "--out", tmp_path / "model"
    )
    assert snapshot(tmp_path) == before


@pytest.mark.parametrize("kind", ["saved_model", "keras"])
def test_an_export_that_differs_leaves_nothing(
    tmp_path, finished, copy_of, refused, monkeypatch, snapshot, kind
):
    from slr_keras import saving

    run = copy_of(finished)
    (run / "exported.keras").write_bytes(b"the old one")
    before = snapshot(tmp_path)

    def other(x, *_):
        return {"logits": np.zeros((len(x), 10)), "probabilities": np.zeros((len(x), 10))}

    monkeypatch.setattr(saving, "_read_in_fresh_process", other)
    line = refused(export.main, run, "--format", kind, "--overwrite", code=1)
    assert "differs from the trained one" in line
    assert snapshot(tmp_path) == before


def test_an_export_that_cannot_be_read_back_leaves_nothing(
    tmp_path, finished, copy_of, refused, monkeypatch
):
    from slr_keras import saving

    run, real = copy_of(finished), saving._write

    def tamper(net, path, kind):
        real(net, path, kind)
        path.write_bytes(path.read_bytes()[:-200])

    monkeypatch.setattr(saving, "_write", tamper)
    assert "cannot be read back" in refused(export.main, run, "--format", "keras", code=1)
    assert not (run / "exported.keras").exists() and not list(run.glob(".*"))


# -- lists and presets ------------------------------------------------------------------------


EXPECTED = {
    "attacks": "pgd",
    "methods": "slr",
    "labels": "adr",
    "augmentations": "idbh-weak",
    "models": "resnet18",
    "datasets": "digits",
}


@pytest.mark.parametrize("kind", EXPECTED)
def test_lists(job, kind):
    done = job(train.main, "--list", kind)
    assert done.code == 0 and done.err == ""
    assert EXPECTED[kind] in [line.split()[0] for line in done.out.splitlines()]
    assert job(evaluate.main, "--list", kind).out == done.out


def test_presets_are_listed_and_load(job):
    listed = [line.split()[0] for line in job(train.main, "--list-presets").out.splitlines()]
    assert listed == config.preset_names() and len(listed) >= 4
    for name in listed:
        assert config.load(name).data.name == name.partition("-")[0]


def test_a_list_into_a_closed_pipe_is_no_traceback():
    command = f"{sys.executable} -m slr_keras.train --list models | true"
    done = processes.finished(["bash", "-c", command])
    assert "Traceback" not in done.stderr


# -- what a backend lacks ----------------------------------------------------------------------


def test_an_export_without_tensorflow_is_refused_before_training(refused, tmp_path, monkeypatch):
    real = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "tensorflow" else real(name)
    )
    run = tmp_path / "run"
    assert "train.export: a SavedModel is written by TensorFlow" in refused(
        train.main, "--train.export", "--run-dir", run
    )
    assert not run.exists()


def test_a_label_bank_beside_the_device_needs_tensorflow(refused, tmp_path, monkeypatch):
    other = types.SimpleNamespace(name=lambda: "jax")
    monkeypatch.setattr(label_bank, "backend", other)
    run = tmp_path / "run"
    said = refused(train.main, "--label_bank.place", "host", "--run-dir", run)
    assert "label_bank.place: host needs KERAS_BACKEND=tensorflow, this is jax" in said
    assert not run.exists()
