"""Catastrophic overfitting: told where it is, once, and not where a run is merely bad."""

import pytest

from slr_keras.protocol.events import CatastrophicOverfitting, EpochEnded
from slr_keras.training.catastrophe import detect


def epochs(*pairs):
    """Epochs with robust accuracy as trained on and under PGD on training images."""
    return [
        EpochEnded(n, 9, 1.0, 0.8, resisted, 0.8, robust, 0.8, robust, 0.0, 1.0, 0.1, 9.0, 1.0)
        for n, (resisted, robust) in enumerate(pairs, 1)
    ]


def test_told_in_the_epoch_of_the_fall():
    told = detect(epochs((0.3, 0.28), (0.4, 0.37), (0.38, None), (0.75, 0.02)), 500)
    assert told == CatastrophicOverfitting(told.message, 4, 0.75, 0.02, 2, 0.37)
    assert "75.0 % of the training images resist the attack trained with, 2.0 % PGD" in told.message
    assert "after 37.0 % in epoch 2" in told.message and "n_fgsm" in told.message


@pytest.mark.parametrize(
    ("pairs", "samples"),
    [
        (((0.75, 0.02),), 500),  # nothing before
        (((0.3, 0.28), (0.12, 0.1)), 500),  # a run that diverges: the attack wins too
        (((0.5, 0.51), (0.56, 0.25)), 500),  # a fall that is none to nothing
        (((0.5, 0.4), (0.6, 0.07)), 8),  # eight images: chance
        (((0.3, 0.28), (None, 0.02)), 500),  # nothing trained against
        (((0.3, 0.28), (0.5, None)), 500),  # not measured
    ],
)
def test_not_told(pairs, samples):
    assert detect(epochs(*pairs), samples) is None
