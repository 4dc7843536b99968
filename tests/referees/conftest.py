"""One small network for all referees, trained when the first one is there."""

import functools

import pytest


@pytest.fixture(scope="session")
def digits_case():
    """Function from a norm to images of a network; trains the network at the first call."""
    from benchmarks.referees import _common

    net = functools.cache(lambda: _common.trained(epochs=5))
    return lambda norm: _common.case(40, norm, net=net())
