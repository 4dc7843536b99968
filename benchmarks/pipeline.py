"""What the input pipeline costs: a batch alone, and a training step fed by it.

    python -m benchmarks.pipeline --model resnet18 --batch 32

The share of the step is the processor time of a batch (crop and flip included) over that of a
step; the limit is 3 % for ResNet-18. "fed" compares steps fed by the pipeline with steps on
one batch that lies ready: it shows whether training ever waits.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from typing import Any

import numpy as np

from benchmarks import _subjects, _timing

SAMPLES = 10_000
SHARE, FED = 0.03, 1.05


def main(arguments: list[str] | None = None) -> int:
    """Measure both; 0 if both limits are kept."""
    parser = _timing.parser(__doc__.splitlines()[0])
    parser.add_argument("--model", choices=sorted(_subjects.SHAPES), default="resnet18")
    parser.add_argument("--batch", type=int, help="images a step (32, small CNN 128)")
    flags = parser.parse_args(arguments)
    _timing.use_threads(flags.threads)
    batch = _batch_alone(flags)
    fed = _steps(flags)
    share = statistics.median(batch.cpu) / statistics.median(fed.peer.cpu)
    print(
        f"one batch: {1e3 * statistics.median(batch.wall):.2f} ms, "
        f"{100 * share:.2f} % of a step (limit {100 * SHARE:.0f} %)"
    )
    return _timing.report([fed], flags.json) or int(share > SHARE and flags.model == "resnet18")


def _batches(flags: argparse.Namespace) -> Any:
    from slr_keras.data import Batches

    rng = np.random.default_rng(0)
    shape = (SAMPLES, *_subjects.SHAPES[flags.model])
    images = rng.integers(0, 256, shape, dtype=np.uint8)
    labels = rng.integers(0, _subjects.CLASSES, SAMPLES)
    size = flags.batch or _subjects.BATCHES[flags.model]
    return Batches(images, labels, size, seed=0, augment="crop-flip")


def _batch_alone(flags: argparse.Namespace) -> _timing.Times:
    batches, times = _batches(flags), _timing.Times()
    for number in range(100):
        times.measure(lambda b=number % batches.steps_per_epoch: batches.batch(1, b))
    return times


def _steps(flags: argparse.Namespace) -> _timing.Comparison:
    model = _subjects.classifier(_subjects.network(flags.model), samples=SAMPLES)
    stream = _batches(flags).stream()
    works = {
        "fed": lambda: model.train_on_batch(*next(stream)),
        "ready": _subjects.training_step(model, _subjects.data(flags.model, flags.batch)),
    }
    times = _timing.alternate(works, flags.rounds, flags.warmup)
    stream.close()
    name = f"step fed by the pipeline / on a ready batch, {flags.model}"
    return _timing.Comparison(name, times["fed"], times["ready"], FED)


if __name__ == "__main__":
    sys.exit(main())
