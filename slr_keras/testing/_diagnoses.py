"""What every diagnosis keeps to."""

from __future__ import annotations

from typing import Any

from slr_keras import config
from slr_keras.diagnoses._base import Facts, Seen
from slr_keras.protocol.events import EpochEnded
from slr_keras.testing._base import kind_of, need, one

FACTS = Facts(10, 3072, steps_per_epoch=352, train_samples=500, val_samples=500, largest_class=0.1)


def _run(count: int) -> Seen:
    """A run that goes well."""
    epochs = [
        EpochEnded(
            epoch=n, epochs=30, loss=2.2 / (1 + n / 5), accuracy=0.5, robust_accuracy=0.4,
            train_accuracy=0.4 + 0.01 * n, train_robust_accuracy=0.3 + 0.005 * n,
            val_accuracy=0.4 + 0.009 * n, val_robust_accuracy=0.3 + 0.004 * n,
            label_entropy=0.3, label_agreement=0.9, learning_rate=0.1, images_per_second=100.0,
            seconds=60.0 * n,
        )
        for n in range(1, count + 1)
    ]  # fmt: skip
    return Seen(config.load(), FACTS, epochs)


def says_nothing_of_a_run_that_goes_well(part: Any) -> None:
    """No word after any epoch of a healthy run, and none before the first."""
    diagnosis = one(part)
    for count in (0, 1, 2, 10, 30):
        said = diagnosis.look(_run(count))
        need(said is None, f"of a healthy run it says after epoch {count}: {said}")


def has_a_title(part: Any) -> None:
    """A few words stand on its card and beside its mark in the chart."""
    need(kind_of(part).title, "title is empty")


CHECKS = (says_nothing_of_a_run_that_goes_well, has_a_title)
