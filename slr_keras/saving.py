"""Networks in and out: ``.keras`` files that plain Keras reads, SavedModels, ONNX and others.

What is written holds only Keras' own layers (our BatchNorm computes the same in inference
mode), so ``keras.models.load_model`` reads it without this package.
"""

from __future__ import annotations

import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import warnings
import zipfile
from collections.abc import Iterator
from typing import Any

import numpy as np

from slr_keras import backend, networks
from slr_keras.backend import keras, ops
from slr_keras.batch_norm import BatchNorm
from slr_keras.checks import check_classifier
from slr_keras.errors import ExportError, ModelError
from slr_keras.export_formats import FORMATS
from slr_keras.inference import in_float32

MISSING = re.compile(r"Could not locate (?:class|function) '([^']+)'|Unknown layer: '?([\w>]+)")
TOLERANCE = 1e-5
BFLOAT16_TOLERANCE = 1 / 16  # between frameworks, of which each rounds in places of its own
Tensor = Any


def plain_network(net: Any) -> Any:
    """A copy of a network in which every layer is Keras' own; same weights, same logits.

    A subclassed network is returned as it is: its layers are made by the code of its class.
    """

    def clone(layer: Any) -> Any:
        if type(layer) is not BatchNorm:
            return layer.__class__.from_config(layer.get_config())
        return keras.layers.BatchNormalization.from_config(layer.get_config())

    ours = any(type(layer) is BatchNorm for layer in net.layers)
    if not ours or not networks.is_graph(net):
        return net
    copy = keras.models.clone_model(net, clone_function=clone)
    networks.set_weights(copy, net.get_weights())
    return copy


def save_network(net: Any, path: pathlib.Path) -> None:
    """Write ``path`` (.keras) under a temporary name first, so that it is whole or not there."""
    temporary = path.with_name(f".{path.stem}.tmp.keras")
    try:
        plain_network(net).save(temporary)
        os.replace(temporary, path)
    except (OSError, RuntimeError, ValueError) as error:  # zipfile and h5py cannot close, on top
        number = next((e.errno for e in _causes(error) if isinstance(e, OSError) and e.errno), None)
        if number is None:
            raise
        raise OSError(number, os.strerror(number), str(path)) from error
    finally:
        temporary.unlink(missing_ok=True)


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """An error and those it was raised on top of."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


class _Trained(keras.Model):
    """What is read of a ``RobustClassifier``: its network, whatever it was trained with."""

    def __init__(self, net: Any):
        super().__init__()
        self.net, self.built = net, True

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> _Trained:
        """From the configuration of the whole classifier."""
        return cls(keras.saving.deserialize_keras_object(config["net"], custom_objects))

    def load_own_variables(self, store: Any) -> None:
        """Seeds and the like are not read."""


def load_model(path: str | pathlib.Path, logits: bool = True) -> Any:
    """The classifier network of a ``.keras`` file (of a ``RobustClassifier``, its network).

    Args:
        logits: require that it gives them; False for who puts another head on it.

    Raises:
        ModelError: no such file, no Keras model in it, or no logits.
    """
    path = pathlib.Path(path)
    if not path.is_file():
        raise ModelError(f"no such model file: {path}")
    if path.suffix == ".keras" and not zipfile.is_zipfile(path):
        raise ModelError(
            f"{path} cannot be read as a Keras model: it was cut off, or is of another kind"
        )
    try:
        with keras.saving.custom_object_scope({"slr_keras>RobustClassifier": _Trained}):
            model = keras.models.load_model(path, compile=False)
    except Exception as error:  # what Keras, h5py and zipfile say of a damaged file is endless
        raise ModelError(f"{path} cannot be read as a Keras model: {_reason(error)}") from error
    net = model.net if isinstance(model, _Trained) else networks.unwrapped(model)
    if logits:
        try:
            check_classifier(net)
        except ModelError as error:
            raise ModelError(f"{path}: {error}") from None
    return net


def _reason(error: Exception) -> str:
    """Why Keras could not read a file; it names a class that it lacks at the end of a long text."""
    found = MISSING.search(str(error))
    if found:
        name = found[1] or found[2]
        return (
            f"it needs the class {name!r}, which is not there. Give --plugin and the Python file "
            "that defines it, with @keras.saving.register_keras_serializable above it"
        )
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]


def export_saved_model(net: Any, path: str | pathlib.Path) -> None:
    """A SavedModel with signature ``serve(image) -> {"logits", "probabilities"}``.

    ``image`` is float32 (B, H, W, C) in [0, 1]; both outputs are float32 (B, K). The folder holds
    the inference network alone: no label bank, no optimiser. On another backend a process with
    TensorFlow writes it, from the network's ``.keras`` file.
    """
    if _abroad():
        return _export_with_tensorflow(net, path, "saved_model")
    plain = plain_network(net)

    def serve(image: Tensor) -> dict[str, Tensor]:
        logits = ops.cast(plain(image, training=False), "float32")
        return {"logits": logits, "probabilities": ops.softmax(logits, axis=-1)}

    archive = keras.export.ExportArchive()
    archive.track(plain)
    archive.add_endpoint(name="serve", fn=serve, input_signature=[_signature(net)])
    archive.write_out(str(path), verbose=False)


def _export_by_keras(net: Any, path: pathlib.Path, kind: str) -> None:
    """What Keras writes in another format: from float32 ``image`` (B, H, W, C) to logits (B, K)."""
    if _abroad():
        return _export_with_tensorflow(net, path, kind)
    image = keras.Input(networks.input_shape(net)[1:], name="image")
    whole = keras.Model(image, ops.cast(plain_network(net)(image, training=False), "float32"))
    form = FORMATS[kind]
    target = path
    if form.marker:
        path.mkdir()
        target = path / form.marker
    options = {"verbose": False, "input_signature": [_signature(net)]}
    with warnings.catch_warnings():  # of tf2onnx, about NumPy
        warnings.simplefilter("ignore", FutureWarning)
        whole.export(str(target), format=form.keras, **options)


def _signature(net: Any) -> Any:
    return keras.InputSpec(shape=networks.input_shape(net), dtype="float32", name="image")


def _abroad() -> bool:
    """Whether the network is not TensorFlow's."""
    return backend.name() != "tensorflow"


_EXPORT = """
import pathlib, sys
package, source, path, kind = sys.argv[1:]
sys.path.insert(0, package)
import keras
from slr_keras import saving
from slr_keras.inference import in_float32
net = keras.models.load_model(source, compile=False, safe_mode=False)  # written a moment ago
saving.write(net, pathlib.Path(path), kind)
if not in_float32(net):
    saving.verify_export(net, pathlib.Path(path), kind)
"""


def _export_with_tensorflow(net: Any, path: str | pathlib.Path, kind: str) -> None:
    package = pathlib.Path(__file__).parents[1]
    with tempfile.TemporaryDirectory() as folder:
        source = pathlib.Path(folder) / "network.keras"
        save_network(net, source)
        done = _fresh_process(_EXPORT, package, source, path, kind, KERAS_BACKEND="tensorflow")
    if done.returncode:
        raise RuntimeError(_last_line(done.stderr))


def _fresh_process(script: str, *arguments: Any, **variables: str) -> Any:
    """Run a script with TensorFlow or this backend, on the CPU: this process has the GPU's memory.

    XLA_FLAGS are for the framework that this process runs: TensorFlow aborts on those of JAX.
    """
    environment = {name: value for name, value in os.environ.items() if name != "XLA_FLAGS"}
    environment |= {"CUDA_VISIBLE_DEVICES": "-1", "JAX_PLATFORMS": "cpu", **variables}
    command = [sys.executable, "-c", script, *map(str, arguments)]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def _last_line(text: str) -> str:
    return (text.strip().splitlines() or ["no message"])[-1]


_COMPARE = """
import os, sys, numpy as np
kind, model, data = sys.argv[1:]
x = np.load(data)["x"]

def saved_model():
    import tensorflow as tf
    serve = tf.saved_model.load(model).signatures["serving_default"]
    return {key: value.numpy() for key, value in serve(image=tf.constant(x)).items()}

def keras():
    import keras
    return keras.models.load_model(model, compile=False).predict(x, verbose=0).astype("float32")

def onnx():
    import onnxruntime
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    return session.run(None, {session.get_inputs()[0].name: x})[0]

def litert():
    try:
        from ai_edge_litert.interpreter import Interpreter
    except ImportError:
        from tensorflow.lite.python.interpreter import Interpreter
    lite = Interpreter(model)
    image, logits = lite.get_input_details()[0]["index"], lite.get_output_details()[0]["index"]
    lite.resize_tensor_input(image, x.shape)
    lite.allocate_tensors()
    lite.set_tensor(image, x)
    lite.invoke()
    return lite.get_tensor(logits)

def openvino():
    import openvino
    hint = {"INFERENCE_PRECISION_HINT": "f32"}
    network = openvino.Core().compile_model(os.path.join(model, "model.xml"), "CPU", hint)
    return network(x)[0]

out = {"saved_model": saved_model, "keras": keras, "onnx": onnx, "litert": litert,
       "openvino": openvino}[kind]()
if not isinstance(out, dict):
    shifted = np.exp(out - out.max(-1, keepdims=True))
    out = {"logits": out, "probabilities": shifted / shifted.sum(-1, keepdims=True)}
np.savez(data, x=x, **out)
"""


def verify_export(
    net: Any, path: pathlib.Path, kind: str, images: np.ndarray | None = None
) -> float:
    """Largest difference between ``net`` and what a fresh process reads from ``path``.

    Both run compiled: an eager network differs from itself compiled by a few float32 ulps of
    its largest activations, which says nothing of the files.

    Args:
        kind: one of :data:`slr_keras.export_formats.FORMATS`.
        images: float32 (N, H, W, C) in [0, 1] on which they are compared, beside random ones.

    Raises:
        ExportError: the files cannot be read back, or differ by 1e-5 or more (by 1e-5 of the
            largest logit where that is above 1). A SavedModel that does not compute in float32
            may differ more from another backend; from TensorFlow's reading of the network it
            differs by less than that, which the process that wrote it has seen to.
    """
    shape = [32 if size is None else size for size in networks.input_shape(net)[1:]]
    x = np.random.default_rng(0).random((16, *shape), dtype="float32")
    x = x if images is None else np.concatenate([x, images])
    run = backend.compiled(lambda image: net(image, training=False), (x.shape, "float32"))
    with backend.full_precision():
        logits = ops.convert_to_numpy(ops.cast(run(ops.convert_to_tensor(x)), "float32"))
    expected = {
        "logits": logits,
        "probabilities": ops.convert_to_numpy(ops.softmax(logits, axis=-1)),
    }
    read = _read_in_fresh_process(x, path, kind)
    difference = max(float(np.abs(expected[key] - read[key]).max()) for key in expected)
    rounds_otherwise = kind != "keras" and _abroad() and not in_float32(net)
    allowed = BFLOAT16_TOLERANCE if rounds_otherwise else TOLERANCE
    if not difference < allowed * max(1.0, float(np.abs(logits).max())):
        raise ExportError(
            f"{path}: the exported model differs from the trained one by {difference:.2g}, "
            f"expected less than {allowed:g}; do not use it"
        )
    return difference


def _read_in_fresh_process(x: np.ndarray, path: pathlib.Path, kind: str) -> Any:
    with tempfile.TemporaryDirectory() as folder:
        data = pathlib.Path(folder) / "probe.npz"
        np.savez(data, x=x)
        done = _fresh_process(_COMPARE, kind, path, data)
        if done.returncode:
            last = _last_line(done.stderr)
            raise ExportError(f"{path}: the exported model cannot be read back: {last}")
        with np.load(data) as arrays:
            return dict(arrays)


def export_network(
    net: Any, out: pathlib.Path, kind: str, images: np.ndarray | None = None
) -> float:
    """Write beside ``out``, verify in a fresh process, move into place.

    Args:
        kind: one of :data:`slr_keras.export_formats.FORMATS`.
        images: see :func:`verify_export`.

    Returns:
        The largest difference in logits or probabilities.

    Raises:
        ExportError: what was written differs or cannot be read; ``out`` is untouched.
        UserError: something that the format needs is not installed.
    """
    FORMATS[kind].check()
    temporary = out.with_name(f".{out.stem}.tmp{out.suffix}")
    _remove(temporary)
    try:
        _write(net, temporary, kind)
        difference = verify_export(net, temporary, kind, images)
        _remove(out)
        temporary.rename(out)
    finally:
        _remove(temporary)
    return difference


def write(net: Any, path: pathlib.Path, kind: str) -> None:
    """Write a network in a format, unverified."""
    if kind == "keras":
        save_network(net, path)
    elif kind == "saved_model":
        export_saved_model(net, path)
    else:
        _export_by_keras(net, path, kind)


def _write(net: Any, path: pathlib.Path, kind: str) -> None:
    if kind == "keras":
        return write(net, path, kind)
    try:
        write(net, path, kind)
    except Exception as error:  # TensorFlow has errors of its own for a full disk
        last = str(error).strip().splitlines()[-1:] or [type(error).__name__]
        what = FORMATS[kind].label.split(" (")[0]
        raise ExportError(f"{path.parent}: the {what} cannot be written: {last[0]}") from error


def _remove(path: pathlib.Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
