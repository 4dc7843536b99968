"""The seam to the frameworks: which one, what it lacks, which device it uses."""

import os
import sys

import numpy as np
import pytest
from keras import ops

from slr_keras import backend
from slr_keras.errors import UserError
from tests.processes import finished


def run(backend_name, *words):
    """``python -m slr_keras.train`` with another backend."""
    return finished(
        [sys.executable, "-m", "slr_keras.train", *words],
        env=os.environ | {"KERAS_BACKEND": backend_name},
    )


def test_an_unknown_backend_is_one_line_and_nothing_is_written(tmp_path):
    done = run("theano", "--run-dir", str(tmp_path / "run"))
    line = done.stderr.splitlines()[-1]
    assert done.returncode == 2 and not (tmp_path / "run").exists()
    assert "theano" in line and line.endswith("tensorflow, jax, torch")


@pytest.mark.parametrize(
    ("missing", "error", "said"),
    [
        ("jax", UserError, "'jax' is not installed: .* -r requirements-jax.txt"),
        ("h5py", ModuleNotFoundError, "h5py"),  # not taken for the backend
    ],
)
def test_a_backend_that_is_not_installed_names_the_file_to_install(
    monkeypatch, missing, error, said
):
    def absent(module):
        raise ModuleNotFoundError(f"No module named {missing!r}", name=missing)

    monkeypatch.setattr(backend.importlib, "import_module", absent)
    with pytest.raises(error, match=said):
        backend._load("keras")


def test_what_a_backend_lacks_is_said():
    with pytest.raises(UserError, match=rf"the {backend.name()} backend has no teleport\(\)"):
        backend.teleport()


def test_what_a_backend_lacks_is_an_attribute_that_is_not_there():
    assert not hasattr(backend, "teleport")


def test_a_gpu_that_is_not_used_gives_the_reason(monkeypatch):
    monkeypatch.setattr(backend, "has_nvidia_gpu", lambda: True)
    if backend.gpu_problem():  # on a machine that computes on its CPU
        assert "NVIDIA GPU that is not used: " in backend.unused_gpu()
    else:
        assert backend.unused_gpu() == ""
    monkeypatch.setattr(backend, "has_nvidia_gpu", lambda: False)
    assert backend.unused_gpu() == ""


def test_every_step_is_recorded_whatever_their_number():
    traced = []

    def steps(times, x):
        traced.append(1)
        return backend.record(times, 8, lambda value: (2 * value, ops.sum(value)), x)

    run = backend.compiled(steps, ((), "int32"), ((3,), "float32"))
    for times in (1, 3, 8):
        found = run(ops.convert_to_tensor(times, "int32"), ops.ones(3))
        results, beside = (ops.convert_to_numpy(part)[:times] for part in found)
        np.testing.assert_array_equal(results, np.outer(2.0 ** np.arange(1, times + 1), np.ones(3)))
        np.testing.assert_array_equal(beside, 3 * 2.0 ** np.arange(times))
        if backend.name() != "torch":
            assert len(traced) <= 2, "another number of steps compiles nothing"


def test_a_gradient_and_the_value_it_was_taken_of():
    def both(x):
        return backend.watched(ops.sin, x, lambda sin: backend.input_gradient(sin, x))

    x = np.linspace(0, 1, 4, dtype="float32")
    found = backend.compiled(both, ((4,), "float32"))(ops.convert_to_tensor(x))
    np.testing.assert_allclose(ops.convert_to_numpy(found[0]), np.cos(x), atol=1e-6)
    np.testing.assert_allclose(ops.convert_to_numpy(found[1]), np.sin(x), atol=1e-6)


@pytest.mark.skipif(backend.name() != "jax", reason="JAX alone keeps what it compiled")
def test_what_one_process_compiled_is_kept_for_the_next(tmp_path, monkeypatch):
    import jax

    names = "jax_compilation_cache_dir", "jax_persistent_cache_min_compile_time_secs"
    before = {name: getattr(jax.config, name) for name in names}
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    try:
        jax.config.update("jax_compilation_cache_dir", None)
        monkeypatch.setenv("JAX_COMPILATION_CACHE_DIR", "")
        backend.keep_compiled()
        assert jax.config.jax_compilation_cache_dir is None  # as the user wants it
        monkeypatch.delenv("JAX_COMPILATION_CACHE_DIR")
        backend.keep_compiled()
        assert jax.config.jax_compilation_cache_dir.startswith(str(tmp_path / "slr_keras" / "jax-"))
    finally:
        for name, value in before.items():
            jax.config.update(name, value)
