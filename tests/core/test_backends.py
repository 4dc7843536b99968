"""The seam to the frameworks: which one, what it lacks, which device it uses."""

import os
import subprocess
import sys

import pytest

from slr_keras import backend
from slr_keras.errors import UserError


def run(backend_name, *words):
    """``python -m slr_keras.train`` with another backend."""
    return subprocess.run(
        [sys.executable, "-m", "slr_keras.train", *words],
        env=os.environ | {"KERAS_BACKEND": backend_name},
        capture_output=True,
        text=True,
        check=False,
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


def test_a_gpu_that_is_not_used_gives_the_reason(monkeypatch):
    monkeypatch.setattr(backend, "has_nvidia_gpu", lambda: True)
    if backend.gpu_problem():  # on a machine that computes on its CPU
        assert "NVIDIA GPU that is not used: " in backend.unused_gpu()
    else:
        assert backend.unused_gpu() == ""
    monkeypatch.setattr(backend, "has_nvidia_gpu", lambda: False)
    assert backend.unused_gpu() == ""
