"""Memory, time and checkpoints of the label bank against samples N and classes K.

    python -m benchmarks.label_bank
    KERAS_BACKEND=jax python -m benchmarks.label_bank --sizes 50000x100 1280000x100 1280000x1000

A step is a whole one of ``fit`` that refines, of a linear network on synthetic 4 x 4 images, so
that what grows is the bank's; of all steps the first decile. Peak memory is that of the process,
from its start to a checkpoint saved and read back; each size runs in a process of its own.
"""

from __future__ import annotations

import argparse
import itertools
import json
import math
import pathlib
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from typing import Any

import numpy as np

SIZES = ("50000x10", "50000x100", "50000x1000", "1280000x10", "1280000x100", "1280000x1000")
KINDS = ("float32", "float16", "float16,10", "float32,0,host")
BATCH, STEPS, SETTLE = 128, 300, 20
COLUMNS = {  # title, unit, scale, digits
    "bank": ("bank", "MB", 1e-6, 0),
    "peak": ("peak", "MB", 1e-6, 0),
    "step": ("a step", "ms", 1e3, 2),
    "statistics": ("statistics", "s", 1, 2),
    "save": ("save", "s", 1, 2),
    "file": ("file", "MB", 1e-6, 0),
    "restore": ("restore", "s", 1, 2),
}


def main(arguments: list[str] | None = None) -> int:
    """Print the table and its growth; 0."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", nargs="+", default=SIZES, metavar="NxK")
    parser.add_argument(
        "--kinds", nargs="+", default=KINDS, metavar="DTYPE[,TOP_K[,PLACE]]", help="how it is kept"
    )
    parser.add_argument("--one", nargs=2, metavar=("NxK", "KIND"), help="in this process, as JSON")
    flags = parser.parse_args(arguments)
    if flags.one:
        print(json.dumps(measure(*flags.one)))
        return 0
    shown = (f"{f'{title}, {unit}':>15}" for title, unit, *_ in COLUMNS.values())
    print(f"{'N x K':<14}{'kept':<16}{''.join(shown)}", flush=True)
    found: dict[str, dict[tuple[int, int], dict[str, float]]] = {kind: {} for kind in flags.kinds}
    for size in flags.sizes:
        for kind in flags.kinds:
            row = in_own_process(size, kind)
            if row is None:
                print(f"{size:<14}{kind:<16} this backend has no such place", flush=True)
                continue
            found[kind][numbers(size)] = row
            cells = (f"{row[key] * f:>15,.{d}f}" for key, (*_, f, d) in COLUMNS.items())
            print(f"{size:<14}{kind:<16}{''.join(cells)}", flush=True)
    print("\ngrowth: e in cost ~ size^e, 0 is independent, 1 proportional")
    for kind, rows in found.items():
        for line in growth(rows):
            print(f"{kind:<16}{line}")
    return 0


def numbers(size: str) -> tuple[int, int]:
    """N and K."""
    samples, classes = map(int, size.split("x"))
    return samples, classes


def growth(rows: dict[tuple[int, int], dict[str, float]]) -> Iterator[str]:
    """The exponents between neighbouring sizes that differ in N alone, or in K alone."""
    for axis, name in enumerate("NK"):
        ordered = sorted(rows, key=lambda size: (size[1 - axis], size[axis]))  # noqa: B023
        for low, high in itertools.pairwise(ordered):
            if low[1 - axis] != high[1 - axis]:
                continue
            apart = math.log(high[axis] / low[axis])
            found = (
                f"{key} {math.log(rows[high][key] / rows[low][key]) / apart:.2f}"
                for key in ("bank", "step", "save", "restore")
            )
            fixed = f"{'NK'[1 - axis]} = {low[1 - axis]:,}"
            yield f"{name} {low[axis]:>9,} to {high[axis]:>9,} ({fixed:<13}): {', '.join(found)}"


def in_own_process(size: str, kind: str) -> dict[str, float] | None:
    """:func:`measure`, so that the peak is this size's own; None where the backend cannot."""
    words = [sys.executable, "-m", "benchmarks.label_bank", "--one", size, kind]
    done = subprocess.run(words, check=False, capture_output=True, text=True)
    if "label_bank.place" in done.stderr:
        return None
    if done.returncode:
        raise SystemExit(f"{size} {kind}: {done.stderr or f'killed, {done.returncode}'}")
    return json.loads(done.stdout.splitlines()[-1])


def measure(size: str, kind: str) -> dict[str, float]:
    """What :data:`COLUMNS` says, in bytes and seconds."""
    from slr_keras.training.checkpoints import Checkpoints, Position

    samples, classes = numbers(size)
    model = make_model(samples, classes, *kind.split(","))
    labels = np.random.default_rng(0).integers(0, classes, samples)
    model.label_bank.fill(labels)
    found = {"bank": model.label_bank.nbytes, "step": quick_step(model, labels)}
    found["statistics"] = seconds(lambda: model.label_bank.statistics(labels))
    with tempfile.TemporaryDirectory() as folder:
        store = Checkpoints(pathlib.Path(folder))
        found["save"] = seconds(lambda: store.save(model, Position(), {}))
        found["file"] = sum(path.stat().st_size for path in store.folder.iterdir())
        found["restore"] = seconds(lambda: store.load(model, {}))
    found["peak"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return found


def make_model(
    samples: int, classes: int, dtype: str, top_k: str = "0", place: str = "device"
) -> Any:
    """A linear classifier that refines from the first epoch on."""
    import keras

    import slr_keras as slr

    layers = [keras.Input((4, 4, 1)), keras.layers.Flatten(), keras.layers.Dense(classes)]
    model = slr.RobustClassifier(
        keras.Sequential(layers),
        num_samples=samples,
        method=slr.methods.SLR(start_epoch=1),
        attack=slr.attacks.FGSM(),
        label_bank_dtype=dtype,
        label_bank_top_k=int(top_k),
        label_bank_place=place,
    )
    model.compile(optimizer=slr.optimizers.SGD(learning_rate=0.01))
    model.optimizer.build(model.trainable_variables)
    return model


def quick_step(model: Any, labels: np.ndarray) -> float:
    """Seconds that nine steps of ten exceed (a busy machine makes them slower, nothing faster)."""
    import keras

    from slr_keras import backend, data

    clock = keras.callbacks.Callback()
    ends: list[float] = []
    clock.on_train_batch_end = lambda batch, logs=None: ends.append(
        float(logs["loss"]) * 0 + time.perf_counter()  # the loss: so that the step has ended
    )
    images = np.random.default_rng(0).random((1, 4, 4, 1), "float32")
    every = np.broadcast_to(images, (len(labels), 4, 4, 1))  # N views of one image
    batches = data.Batches(every, labels, batch_size=BATCH, seed=0)
    feed = backend.feed(batches, 1, 0)
    model.fit(feed, steps_per_epoch=STEPS, shuffle=False, callbacks=[clock], verbose=0)
    return float(np.quantile(np.diff(ends)[SETTLE:], 0.1))


def seconds(work: Any) -> float:
    """How long it takes."""
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


if __name__ == "__main__":
    sys.exit(main())
