"""The seam to the frameworks, loaded on first use.

``ops``, ``random`` and ``keras`` are Keras' own modules behind a lazy proxy, ``np`` is NumPy behind
one, so that settings and bodies can share a file and ``--help`` loads no framework. The few things
that differ between frameworks (``input_gradient``, ``TrainStep``, ...) stand in a module per
backend, ``slr_keras/backend/<name>.py``, and are reached as attributes of this package.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import types
from typing import Any

from slr_keras import installing
from slr_keras.errors import UserError

SUPPORTED = ("tensorflow", "jax", "torch")


class _Lazy(types.ModuleType):
    """A module that is imported when the first attribute is asked for."""

    def __getattr__(self, attribute: str) -> Any:
        return getattr(_load(self.__name__), attribute)


keras: Any = _Lazy("keras")
ops: Any = _Lazy("keras.ops")
random: Any = _Lazy("keras.random")
np: Any = _Lazy("numpy")


def _load(module: str) -> Any:
    """Import Keras, NumPy or a part of them; the first import of Keras brings the framework."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # before TensorFlow is there
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name not in SUPPORTED:
            raise
        raise UserError(
            f"the Keras backend {error.name!r} is not installed: "
            f"{installing.command(error.name)}, or set KERAS_BACKEND to another"
        ) from None
    except ValueError as error:
        if "backend" not in str(error):
            raise
        raise UserError(f"{error}. Set KERAS_BACKEND to one of {', '.join(SUPPORTED)}") from None


def warm_up(work: str = "") -> None:
    """Import the framework now and touch its devices, both of which take seconds.

    Args:
        work: what the process does, ``"attacks"`` on batches or ``"training"``, which decides who
            has the cores; else the framework decides.
    """
    _load("keras")
    if work:
        __getattr__("share_cores")(training=work == "training")
    __getattr__("keep_compiled")()
    __getattr__("describe_device")()


def name() -> str:
    """The Keras backend in use: ``"tensorflow"``, ``"jax"`` or ``"torch"``."""
    return str(keras.backend.backend())


def cores() -> int:
    """Processor cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def unused_gpu() -> str:
    """Why this machine's NVIDIA GPU computes nothing and what to do; empty if there is none."""
    reason = __getattr__("gpu_problem")() if has_nvidia_gpu() else ""
    return reason and f"there is an NVIDIA GPU that is not used: {reason}"


def has_nvidia_gpu() -> bool:
    """Whether a driver says so, whatever the framework can do with it."""
    import shutil

    places = ("/proc/driver/nvidia/version", "/dev/nvidia0", "/dev/dxg")
    return any(map(os.path.exists, places)) or shutil.which("nvidia-smi") is not None


class MissingError(UserError, AttributeError):
    """What this backend lacks; to ``hasattr`` and pickle an attribute that is not there."""

    def __init__(self, backend: str, missing: str):
        super().__init__(f"the {backend} backend has no {missing}(); use KERAS_BACKEND=tensorflow")


def __getattr__(attribute: str) -> Any:
    if attribute.startswith("__"):
        raise AttributeError(attribute)
    if name() not in SUPPORTED:
        raise UserError(
            f"the Keras backend {name()!r} is not supported, only {', '.join(SUPPORTED)}. "
            "Set KERAS_BACKEND=tensorflow."
        )
    module = importlib.import_module(f"slr_keras.backend.{name()}")
    if not hasattr(module, attribute):
        raise MissingError(name(), attribute)
    return getattr(module, attribute)
