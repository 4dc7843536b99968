"""Shared by all tests: a quiet TensorFlow backend, real images in small numbers, a generator.

Every test draws the same numbers each time. With ``--shift-seeds 3`` it draws others, whatever
they are drawn from, in the package too: tests whose outcome hangs on their luck are found so.
"""

import os

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import gc
import random
import signal
import sys
import zlib

import hypothesis
import numpy as np
import pytest

gc.set_threshold(50_000, 10, 100)  # compiled models are many objects, and slow to free
hypothesis.settings.register_profile("the same examples every time", derandomize=True)
hypothesis.settings.register_profile("others", derandomize=False, database=None)


def pytest_addoption(parser):
    parser.addoption("--shift-seeds", type=int, default=0, metavar="N", help="draw other numbers")
    parser.addoption("--require-qt", action="store_true", help="fail where Qt cannot be loaded")


def pytest_itemcollected(item):
    if item.get_closest_marker("slow"):
        item.add_marker(pytest.mark.timeout(3600))


def pytest_configure(config):
    shift = config.getoption("--shift-seeds")
    hypothesis.settings.load_profile("others" if shift else "the same examples every time")
    if shift:
        config.option.hypothesis_seed = shift
        np.random.default_rng = _shifted(np.random.default_rng, shift)


def _shifted(generator, shift):
    def shifted(seed=None):
        known = isinstance(seed, (int, np.integer, list, tuple))
        return generator([shift, *np.atleast_1d(seed).tolist()] if known else seed)

    return shifted


@pytest.hookimpl(tryfirst=True)
def pytest_fixture_setup(fixturedef, request):
    _seed(request.config, fixturedef.argname)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_call(item):
    _seed(item.config, item.name)


def _seed(config, name):
    """Layers of Keras that were given no seed draw what hangs on ``name``, not on other tests.

    TensorFlow, which shuffles, draws the same in every test.
    """
    shift = config.getoption("--shift-seeds")
    random.seed(f"{name} {shift}")
    np.random.seed(zlib.crc32(f"{name} {shift}".encode()))
    if "tensorflow" in sys.modules:
        from tensorflow.python.eager import context
        from tensorflow.random import set_seed

        if context.global_seed() != shift:  # else it would throw away compiled kernels
            set_seed(shift)


def pytest_terminal_summary(terminalreporter):
    """Say once why whole files of tests/gui were skipped; processes of xdist report it too."""
    skipped = terminalreporter.stats.get("skipped", [])
    reasons = {r.longrepr[2] for r in skipped if r.nodeid.endswith(".py") and "gui/" in r.nodeid}
    for reason in reasons:
        terminalreporter.write_line(reason, yellow=True)


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
