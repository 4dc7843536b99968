"""The seam to the frameworks, loaded on first use.

``ops``, ``random`` and ``keras`` are Keras' own modules behind a lazy proxy, ``np`` is NumPy behind
one, so that settings and bodies can share a file and ``--help`` loads no framework. The few things
that differ between frameworks (``input_gradient``, ``TrainStep``, ...) stand in a module per
backend, ``slr_keras/backend/<name>.py``, and are reached as attributes of this package.
"""

from __future__ import annotations

import importlib
import os
import types
from typing import Any

from slr_keras.errors import UserError

SUPPORTED = ("tensorflow",)


class _Lazy(types.ModuleType):
    """A module that is imported when the first attribute is asked for."""

    def __getattr__(self, attribute: str) -> Any:
        _prepare()
        return getattr(importlib.import_module(self.__name__), attribute)


keras: Any = _Lazy("keras")
ops: Any = _Lazy("keras.ops")
random: Any = _Lazy("keras.random")
np: Any = _Lazy("numpy")


def _prepare() -> None:
    """Quiet TensorFlow's start-up chatter; must come before its first import."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


def warm_up() -> None:
    """Import the framework now and touch its devices, both of which take seconds."""
    importlib.import_module("keras")
    __getattr__("describe_device")()


def name() -> str:
    """The Keras backend in use: ``"tensorflow"``."""
    return str(keras.backend.backend())


def __getattr__(attribute: str) -> Any:
    if attribute.startswith("__"):
        raise AttributeError(attribute)
    if name() not in SUPPORTED:
        raise UserError(
            f"the Keras backend {name()!r} is not supported, only {', '.join(SUPPORTED)}. "
            "Set KERAS_BACKEND=tensorflow."
        )
    return getattr(importlib.import_module(f"slr_keras.backend.{name()}"), attribute)
