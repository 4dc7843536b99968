"""The SLR training step on a GPU against PyTorch, and against what the arithmetic allows.

    KERAS_BACKEND=jax python -m benchmarks.gpu.step --batch 128 512 --peak 989
    KERAS_BACKEND=jax python -m benchmarks.gpu.step --batch 512 --peers none --profile trace
    KERAS_BACKEND=jax python -m benchmarks.gpu.step --model small_cnn --steps 3     # a try on a CPU

Ours runs through ``fit``: on a data set of uint8 images that lie on the device and are cropped and
flipped in the step, as a run on a GPU trains (``host``: the host prepares the batches; ``ready``:
one batch that is on the device already, which shows what feeding costs). PyTorch runs eagerly and
by ``torch.compile``, channels last, under autocast or with TF32, cuDNN choosing its algorithms, one
batch on the device, its loss never read. Both are timed in stretches of ``--steps`` that begin and
end with an idle device; the median of three counts, after one or two that compile.

PGD-10 makes ten forward and ten input-gradient passes, training counts three, the clean pass one:
24 forward passes. ``floor`` is that arithmetic at the peak for an epoch of 50,000 images, without
augmentation, evaluation or checkpoints; the target at batch 512 is three times the floor. Memory is
the device's peak so far in this process, for PyTorch that of the line. JAX takes most of the
memory for itself: for PyTorch's largest batches set XLA_PYTHON_CLIENT_PREALLOCATE=false.
"""

from __future__ import annotations

import argparse
import collections
import gc
import gzip
import json
import pathlib
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from benchmarks import _subjects

PASSES = 10 * 2 + 3 + 1  # in units of one forward pass
EPOCH = 50_000  # images
TARGET, TARGET_BATCH = 3.0, 512
ROUNDS = 3
# Name: precision policy, attack dtype, feed.
KINDS = {
    "bfloat16": ("mixed_bfloat16", None, "device"),
    "bfloat16, host": ("mixed_bfloat16", None, "host"),
    "bfloat16, ready": ("mixed_bfloat16", None, "ready"),
    "bfloat16 attack": ("float32", "bfloat16", "device"),
    "float32": ("float32", None, "device"),
}
PEERS = ("bfloat16", "float32", "bfloat16, compiled", "float32, compiled")
Step = Callable[[], None]
Cost = tuple[float, float]  # seconds a step; GiB, NaN where unknown


def main(arguments: list[str] | None = None) -> int:
    """Print a table for each size of batch; 0."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", choices=sorted(_subjects.SHAPES), default="resnet18")
    parser.add_argument("--batch", type=int, nargs="+", default=[128], help="default 128")
    parser.add_argument("--steps", type=int, default=50, help="steps of a measurement (default 50)")
    parser.add_argument("--peak", type=float, help="TFLOP/s of the GPU in bfloat16 (H200: 989)")
    parser.add_argument("--kinds", nargs="*", choices=KINDS, default=list(KINDS), help="ours [all]")
    parser.add_argument("--peers", nargs="+", choices=(*PEERS, "none"), default=list(PEERS))
    parser.add_argument(
        "--profile", type=pathlib.Path, metavar="DIR", help="trace the first of --kinds (JAX)"
    )
    flags = parser.parse_args(arguments)
    from slr_keras import backend

    if flags.profile and backend.name() != "jax":
        parser.error(f"--profile: expected KERAS_BACKEND=jax, this is {backend.name()}")
    print(f"{flags.model}, {backend.name()} on {backend.describe_device()}", flush=True)
    operations = PASSES * forward_operations(_subjects.network(flags.model))
    print(
        f"  {operations / 1e9:.2f} GFLOP an image, {EPOCH * operations / 1e12:,.0f} TFLOP an epoch"
    )
    for size in flags.batch:
        batch = _subjects.data(flags.model, size)
        for name, measure in (ours(flags, batch) | peers(flags, batch)).items():
            print(line(name, size, measure(), operations, flags.peak), flush=True)
            gc.collect()  # of the network that was measured nothing stays on the device
    if flags.profile:
        print(profile(flags, _subjects.data(flags.model, flags.batch[-1])))
    return 0


def forward_operations(net: Any) -> float:
    """Floating point operations of one image's forward pass: two for each multiplication."""
    total = 0
    for layer in net.layers:
        if hasattr(layer, "kernel"):
            places = np.prod(layer.output.shape[1:-1], initial=1)  # none for a dense layer
            total += 2 * int(np.prod(layer.kernel.shape)) * int(places)
    return float(total)


def line(name: str, size: int, cost: Cost, operations: float, peak: float | None) -> str:
    """Milliseconds a step, images a second, an epoch against its floor, memory."""
    seconds, memory = cost
    rate, epoch = operations * size / seconds / 1e12, EPOCH * seconds / size
    words = [
        f"  batch {size:<5} {name:<32} {1e3 * seconds:9.2f} ms  {size / seconds:10,.0f} images/s",
        f"{rate:8.2f} TFLOP/s",
    ]
    if peak:
        floor = EPOCH * operations / peak / 1e12
        words += [f"{100 * rate / peak:5.1f} % of the peak"]
        words += [f"epoch {epoch:7.2f} s = {epoch / floor:5.2f} x floor {floor:.2f} s"]
        if size == TARGET_BATCH:
            words += [f"target {TARGET:g} x {'met' if epoch <= TARGET * floor else 'missed'}"]
    return "  ".join([*words, f"{memory:6.2f} GiB" if memory == memory else ""]).rstrip()


# -- ours ------------------------------------------------------------------------------------------


def ours(flags: argparse.Namespace, batch: _subjects.Data) -> dict[str, Callable[[], Cost]]:
    """What measures a step of each kind."""

    def measure(name: str) -> Cost:
        model, stream = subject(flags.model, name, batch)
        return seconds_of_fit(model, stream, flags.steps), peak_memory()

    return {f"slr_keras, {name}": lambda name=name: measure(name) for name in flags.kinds}


def subject(architecture: str, kind: str, batch: _subjects.Data) -> tuple[Any, Iterator[Any]]:
    """The compiled model of a kind, and what feeds it."""
    from slr_keras.backend import keras

    policy, attack, feed = KINDS[kind]
    keras.config.set_dtype_policy(policy)
    x, y = data_set(architecture, len(batch.y))
    images = x if feed == "device" else None
    net = _subjects.network(architecture)
    model = _subjects.classifier(net, samples=len(x), dtype=attack, images=images)
    keras.config.set_dtype_policy("float32")
    return model, ready(batch) if feed == "ready" else prepared(x, y, len(batch.y), feed)


def data_set(architecture: str, batch: int) -> tuple[np.ndarray, np.ndarray]:
    """Random uint8 images and labels of an epoch of whole batches."""
    rng, count = np.random.default_rng(0), max(EPOCH // batch, 1) * batch
    x = rng.integers(0, 256, (count, *_subjects.SHAPES[architecture]), dtype=np.uint8)
    return x, rng.integers(0, _subjects.CLASSES, count)


def prepared(x: np.ndarray, y: np.ndarray, batch: int, feed: str) -> Iterator[Any]:
    """The batches of a run with crops and flips, prepared on the host or on the device."""
    from slr_keras import backend, data

    placed = feed == "device"
    batches = data.Batches(x, y, batch_size=batch, seed=0, augment="crop-flip", placed=placed)
    return backend.feed(batches, 1, 0)


def ready(batch: _subjects.Data) -> Iterator[Any]:
    """One batch without end, copied to the device once."""
    from slr_keras.backend import ops

    image, label, index = map(ops.convert_to_tensor, (batch.x, batch.y, batch.index))
    while True:
        yield {"image": image, "index": index}, label


def seconds_of_fit(model: Any, stream: Iterator[Any], steps: int) -> float:
    """Seconds a step in the median of three epochs, after two of which one compiles.

    Steps are queued, so each epoch begins by waiting for the last step of the one before.
    """
    from slr_keras.backend import keras, ops

    marks: list[float] = []

    def mark(*_: Any) -> None:
        ops.convert_to_numpy(model.optimizer.iterations)  # a result of the last step
        marks.append(time.perf_counter())

    clock = keras.callbacks.LambdaCallback(on_epoch_begin=mark)
    lengths = {"steps_per_epoch": steps, "epochs": 2 + ROUNDS + 1}  # the last one's end is unmarked
    model.fit(stream, **lengths, shuffle=False, callbacks=[clock], verbose=0)
    return statistics.median(np.diff(marks)[-ROUNDS:]) / steps


def peak_memory() -> float:
    """GiB that the device had in use at most so far; NaN where it does not say."""
    from slr_keras import backend

    if backend.name() != "jax":
        return float("nan")
    import jax

    return (jax.local_devices()[0].memory_stats() or {}).get("peak_bytes_in_use", np.nan) / 2**30


# -- PyTorch ---------------------------------------------------------------------------------------


def peers(flags: argparse.Namespace, batch: _subjects.Data) -> dict[str, Callable[[], Cost]]:
    """What measures PyTorch, eager and compiled; nothing where it is not installed."""
    if "none" in flags.peers:
        return {}
    try:
        import torch
    except ImportError:
        print("  PyTorch is not installed and left out")
        return {}
    names = [name for name in flags.peers if torch.cuda.is_available() or "compiled" not in name]

    def measure(name: str) -> Cost:  # for CPUs the compiler needs minutes
        precision, _, compiled = name.partition(", ")
        wrap = torch.compile if compiled else lambda net: net
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats()
        return seconds_of(torch_step(flags.model, batch, wrap, precision), flags.steps), used()

    def used() -> float:
        there = torch.cuda.is_available()
        return torch.cuda.max_memory_allocated() / 2**30 if there else float("nan")

    return {f"PyTorch, {name}": lambda name=name: measure(name) for name in names}


def torch_step(
    model: str, batch: _subjects.Data, wrap: Callable[[Any], Any], precision: str
) -> Step:
    """One step of the reference, its data on the device."""
    import torch

    from benchmarks import torch_reference

    class Trainer(torch_reference.Trainer):
        def _update(self, loss: Any) -> float:  # as there, but it does not wait for the loss
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()
            return float("nan")

    torch.backends.cudnn.benchmark = True
    torch.set_float32_matmul_precision("high")  # TF32, as JAX computes float32 by itself
    torch.backends.cudnn.allow_tf32 = True
    device = "cuda" if torch.cuda.is_available() else "cpu"
    net = _subjects.torch_network(model).to(device, memory_format=torch.channels_last)
    bank = torch_reference.one_hot_bank(batch.y, _subjects.CLASSES).to(device)
    trainer = Trainer(wrap(net), bank)
    x = torch_reference.to_torch_images(batch.x).to(device, memory_format=torch.channels_last)
    y, index = (torch.from_numpy(np.asarray(v)).long().to(device) for v in (batch.y, batch.index))

    def step() -> None:
        with torch.autocast(device, torch.bfloat16, enabled=precision == "bfloat16"):
            trainer.slr_step(x, y, index)

    return step


def seconds_of(step: Step, steps: int) -> float:
    """Seconds a step in the median of three rounds, after one that compiles."""
    import torch

    marks = []
    for _ in range(1 + ROUNDS + 1):
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        marks.append(time.perf_counter())
        if len(marks) < 1 + ROUNDS + 1:
            for _ in range(steps):
                step()
    return statistics.median(np.diff(marks)[-ROUNDS:]) / steps


# -- what bounds it --------------------------------------------------------------------------------


def profile(flags: argparse.Namespace, batch: _subjects.Data) -> str:
    """Trace ten steps of the first kind into a folder; the operations that take longest."""
    import jax

    model, stream = subject(flags.model, flags.kinds[0], batch)
    seconds_of_fit(model, stream, 2)
    with jax.profiler.trace(str(flags.profile)):
        model.fit(stream, steps_per_epoch=10, epochs=1, shuffle=False, verbose=0)
    traces = sorted(flags.profile.rglob("*.trace.json.gz"), key=lambda path: path.stat().st_mtime)
    if not traces:
        return f"trace in {flags.profile}; this JAX writes no summary"
    found = longest(json.loads(gzip.decompress(traces[-1].read_bytes()))["traceEvents"])
    total = sum(found.values())
    rows = [f"  {100 * t / total:5.1f} %  {name[:90]}" for name, t in found.most_common(20)]
    head = f"{flags.kinds[0]}, batch {len(batch.y)}: {total / 1e4:.2f} ms a step on the device"
    return "\n".join([f"trace in {flags.profile}", head, *rows])


def longest(trace: list[dict[str, Any]]) -> collections.Counter[str]:
    """Microseconds by operation on the GPU's streams; without a GPU, in XLA's threads."""
    device = {e["pid"] for e in trace if "/device:GPU" in _name(e, "process_name")}
    streams = {(e["pid"], e["tid"]) for e in trace if "Stream" in _name(e, "thread_name")}
    total: collections.Counter[str] = collections.Counter()
    for event in trace:
        if event.get("ph") == "X":
            on_stream = event["pid"] in device and (event["pid"], event["tid"]) in streams
            if on_stream or (not device and "hlo_op" in event.get("args", {})):
                total[event["name"]] += event["dur"]
    return total


def _name(event: dict[str, Any], kind: str) -> str:
    return str(event["args"]["name"]) if event.get("name") == kind else ""


if __name__ == "__main__":
    sys.exit(main())
