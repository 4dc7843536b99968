"""SavedModels from every backend: written by TensorFlow, refused at once where it is missing."""

import importlib.util
import pathlib
import subprocess

import keras
import numpy as np
import pytest

from slr_keras import RobustClassifier, export, models, saving, train
from slr_keras.errors import ExportError, UserError
from slr_keras.export_formats import FORMATS
from slr_keras.methods.at import AT
from slr_keras.terminal import cli

MISSING = "TensorFlow, which is not installed: pip install -r requirements-tensorflow.txt"


@pytest.fixture
def net():
    return models.small_cnn(input_shape=(8, 8, 1), num_classes=10, width=4)


@pytest.fixture
def without_tensorflow(monkeypatch):
    real = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "tensorflow" else real(name)
    )


@pytest.fixture
def as_another_backend(monkeypatch):
    """What JAX and PyTorch do, on TensorFlow too."""
    pytest.importorskip("tensorflow")
    monkeypatch.setattr(saving, "_abroad", lambda: True)


def test_another_process_writes_what_this_backend_cannot(net, as_another_backend, tmp_path):
    assert saving.export_network(net, tmp_path / "out", "saved_model") < saving.TOLERANCE
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    assert (tmp_path / "out" / "saved_model.pb").is_file()


@pytest.mark.slow
def test_a_network_in_bfloat16(as_another_backend, tmp_path):
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        net = models.small_cnn(input_shape=(8, 8, 1), num_classes=10, width=4)
    finally:
        keras.config.set_dtype_policy("float32")
    saving.export_network(net, tmp_path / "out", "saved_model")
    assert (tmp_path / "out" / "saved_model.pb").is_file()


def test_why_the_other_process_failed_is_said(net, as_another_backend, monkeypatch, tmp_path):
    failed = subprocess.CompletedProcess([], 1, stderr="Traceback\nOSError: no more room\n")
    monkeypatch.setattr(saving, "_fresh_process", lambda *_, **__: failed)
    with pytest.raises(ExportError, match="the SavedModel cannot be written: .*no more room"):
        saving.export_network(net, tmp_path / "out", "saved_model")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("command", ["train", "export"])
def test_refused_before_any_work(command, net, without_tensorflow, monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(cli, "import_framework", lambda: pytest.fail("it began to work"))
    file, run = tmp_path / "net.keras", tmp_path / "run"
    saving.save_network(net, file)
    words = [str(file)] if command == "export" else ["--train.export", "--run-dir", str(run)]
    assert cli.run({"train": train, "export": export}[command].main, words) == 2
    said = capsys.readouterr().err
    assert MISSING in said and said.count("\n") == 1
    assert list(tmp_path.iterdir()) == [file]


def test_refused_by_keras_interface_too(net, without_tensorflow, tmp_path):
    with pytest.raises(UserError, match=MISSING):
        RobustClassifier(net, method=AT()).export(tmp_path / "out")
    assert not list(tmp_path.iterdir())


def test_a_keras_file_needs_no_tensorflow(net, without_tensorflow, tmp_path):
    assert saving.export_network(net, tmp_path / "out.keras", "keras") < saving.TOLERANCE
    again = saving.load_model(tmp_path / "out.keras")
    for mine, read in zip(net.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, read)


@pytest.mark.parametrize(
    ("format", "modules"),
    [
        ("litert", []),
        ("onnx", ["tf2onnx", "onnx", "onnxruntime"]),
        pytest.param("openvino", ["openvino"], marks=pytest.mark.slow),
    ],
)
def test_other_formats_are_the_same_network(net, tmp_path, format, modules):
    """Written, read back by its own runtime in a fresh process, and compared there."""
    for module in ("tensorflow", *modules):
        pytest.importorskip(module)
    if tuple(map(int, keras.__version__.split(".")[:2])) < FORMATS[format].since:
        with pytest.raises(UserError, match="needs Keras"):
            FORMATS[format].check()
        pytest.skip(f"Keras {keras.__version__} does not write it")
    out = tmp_path / pathlib.Path(FORMATS[format].place).name
    images = np.random.default_rng(1).random((3, 8, 8, 1), "float32")
    model = RobustClassifier(net, method=AT())
    assert saving.export_network(net, out, format, images) < saving.TOLERANCE
    assert [path.name for path in tmp_path.iterdir()] == [out.name]
    if format == "litert":
        other = models.small_cnn(input_shape=(8, 8, 1), num_classes=10, width=4)
        with pytest.raises(ExportError, match="differs"):
            saving.verify_export(other, out, format)
    with pytest.raises(UserError, match="expected a name" if FORMATS[format].suffix else "own"):
        model.export(tmp_path / "x.other", format, input_signature=None if FORMATS[format].suffix
                     else "x")  # fmt: skip


def test_what_an_export_cannot_do_is_one_line(net, tmp_path, monkeypatch):
    model = RobustClassifier(net, method=AT())
    with pytest.raises(UserError, match="expected one of tf_saved_model, onnx"):
        model.export(tmp_path / "x", "torch")
    with pytest.raises(UserError, match="opset_version"):
        model.export(tmp_path / "x.onnx", "onnx", opset_version=13)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UserError, match="an ONNX file .*pip install -r|TensorFlow, which"):
        model.export(tmp_path / "x.onnx", "onnx")
    assert not list(tmp_path.iterdir())
