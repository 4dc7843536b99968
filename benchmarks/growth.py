"""How cost grows: with batch, image, classes, steps of the attack, training set and test set.

    python -m benchmarks.growth

One axis at a time, everything else as in the demo (four-layer CNN, 32x32, batch 64, PGD-10, SLR).
The exponent is the slope between the logarithms of size and time: 1 in proportion, 0 not at all.
"""

from __future__ import annotations

import argparse
import dataclasses
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from benchmarks import _subjects, _timing


@dataclasses.dataclass(frozen=True)
class Case:
    """What is measured: one training step, or one evaluation of ``images`` images."""

    batch: int = 64
    side: int = 32
    classes: int = 10
    steps: int = 10
    samples: int = 1_000
    images: int = 0


AXES: dict[str, Sequence[int]] = {
    "batch": (32, 64, 128, 256),
    "side": (16, 32, 64),
    "classes": (10, 100, 1_000),
    "steps": (5, 10, 20, 40),
    "samples": (1_000, 100_000, 1_000_000),
    "images": (500, 1_000, 2_000),
}
EXPECTED = {"batch": 1, "side": 2, "classes": 0, "steps": 1, "samples": 0, "images": 1}


def main(arguments: list[str] | None = None) -> int:
    """Print the table."""
    flags = _timing.parser(__doc__.splitlines()[0]).parse_args(arguments)
    _timing.use_threads(flags.threads)
    print(f"{'axis':10}{'exponent':>10}{'expected at most':>18}   milliseconds")
    for axis, sizes in AXES.items():
        times = [_median(_work(dataclasses.replace(Case(), **{axis: n})), flags) for n in sizes]
        slope = np.polyfit(np.log(sizes), np.log(times), 1)[0]
        shown = ", ".join(f"{n:,}: {1e3 * t:.1f}" for n, t in zip(sizes, times, strict=True))
        print(f"{axis:10}{slope:10.2f}{EXPECTED[axis]:18}   {shown}", flush=True)
    return 0


def _median(work: Callable[[], object], flags: argparse.Namespace) -> float:
    for _ in range(2):
        work()
    times = []
    for _ in range(flags.rounds):
        begun = time.perf_counter()
        work()
        times.append(time.perf_counter() - begun)
    return statistics.median(times)


def _work(case: Case) -> Callable[[], object]:
    import slr_keras as slr

    shape = (case.side, case.side, 3)
    net = slr.models.small_cnn(input_shape=shape, num_classes=case.classes, **_subjects.DEMO)
    rng = np.random.default_rng(0)
    attack = slr.attacks.PGD(eps=8 / 255, step_size=2 / 255, steps=case.steps)
    if case.images:
        x = rng.random((case.images, *shape), "float32")
        return _evaluation(net, attack, x, rng.integers(0, case.classes, case.images))
    model = slr.RobustClassifier(
        net, num_samples=case.samples, method=slr.methods.SLR(start_epoch=1), attack=attack
    )
    model.compile(optimizer=slr.optimizers.SGD(learning_rate=0.1, momentum=0.9, l2=5e-4))
    model.begin_epoch(1)
    x = rng.random((case.batch, *shape), "float32")
    y = rng.integers(0, case.classes, case.batch)
    return _subjects.training_step(
        model, _subjects.Data(x, y, np.arange(case.batch, dtype="int32"))
    )


def _evaluation(net: Any, attack: Any, x: np.ndarray, y: np.ndarray) -> Callable[[], object]:
    from slr_keras.evaluation.runner import Evaluator

    evaluator = Evaluator(net, attack, batch_size=250)
    return lambda: evaluator.run(x, y)


if __name__ == "__main__":
    sys.exit(main())
