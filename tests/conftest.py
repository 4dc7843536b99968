"""Shared by all tests: a quiet TensorFlow backend, real images in small numbers, a generator."""

import os

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import signal

import hypothesis
import numpy as np
import pytest

hypothesis.settings.register_profile("the same examples every time", derandomize=True)
hypothesis.settings.load_profile("the same examples every time")


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture(scope="session")
def digits():
    """96 handwritten digits (96, 8, 8, 1) in [0, 1] with their labels; read-only."""
    from sklearn.datasets import load_digits

    raw = load_digits()
    x, y = (raw.images[:96, ..., None] / 16).astype("float32"), raw.target[:96].astype("int32")
    x.flags.writeable = y.flags.writeable = False
    return x, y


@pytest.fixture(autouse=True)
def signals_as_in_a_fresh_process():
    """Whatever a test before this one listened to: the handlers that Python starts with."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
