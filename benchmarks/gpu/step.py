"""The SLR training step on a GPU against PyTorch, and against what the arithmetic allows.

    KERAS_BACKEND=jax python -m benchmarks.gpu.step --batch 128 512 --peak 989
    KERAS_BACKEND=jax python -m benchmarks.gpu.step --model small_cnn --steps 3     # a try on a CPU

Ours runs through ``fit`` on one batch that is fed again and again, with bfloat16 throughout, with a
bfloat16 attack alone, and in float32. PyTorch runs eagerly and by ``torch.compile``, channels last,
under autocast. PGD-10 makes ten forward and ten input-gradient passes, training counts three, the
clean pass one.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from benchmarks import _subjects

PASSES = 10 * 2 + 3 + 1  # in units of one forward pass
KINDS = {
    "bfloat16": ("mixed_bfloat16", None),
    "bfloat16 attack": ("float32", "bfloat16"),
    "float32": ("float32", None),
}
Step = Callable[[], None]


def main(arguments: list[str] | None = None) -> int:
    """Print a table for each size of batch; 0."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", choices=sorted(_subjects.SHAPES), default="resnet18")
    parser.add_argument("--batch", type=int, nargs="+", default=[128], help="default 128")
    parser.add_argument("--steps", type=int, default=50, help="steps of a measurement (default 50)")
    parser.add_argument("--peak", type=float, help="TFLOP/s of the GPU in bfloat16 (H200: 989)")
    flags = parser.parse_args(arguments)
    from slr_keras import backend

    print(f"{flags.model}, {backend.name()} on {backend.describe_device()}")
    operations = PASSES * forward_operations(_subjects.network(flags.model))
    for size in flags.batch:
        batch = _subjects.data(flags.model, size)
        for name, seconds in {**ours(flags, batch), **peers(flags, batch)}.items():
            print(line(name, size, seconds, operations, flags.peak), flush=True)
    return 0


def forward_operations(net: Any) -> float:
    """Floating point operations of one image's forward pass: two for each multiplication."""
    total = 0
    for layer in net.layers:
        if hasattr(layer, "kernel"):
            places = np.prod(layer.output.shape[1:-1], initial=1)  # none for a dense layer
            total += 2 * int(np.prod(layer.kernel.shape)) * int(places)
    return float(total)


def line(name: str, size: int, seconds: float, operations: float, peak: float | None) -> str:
    """Milliseconds a step, images a second, and the share of the peak."""
    rate = operations * size / seconds / 1e12
    share = f"  {100 * rate / peak:5.1f} % of the peak" if peak else ""
    speed = f"{1e3 * seconds:9.2f} ms  {size / seconds:10,.0f} images/s"
    return f"  batch {size:<5} {name:<32} {speed}  {rate:8.2f} TFLOP/s{share}"


# -- ours ------------------------------------------------------------------------------------------


def ours(flags: argparse.Namespace, batch: _subjects.Data) -> dict[str, float]:
    """Median seconds of a step of each kind."""
    from slr_keras.backend import keras

    found = {}
    for name, (policy, attack) in KINDS.items():
        keras.config.set_dtype_policy(policy)
        model = _subjects.classifier(_subjects.network(flags.model), dtype=attack)
        found[f"slr_keras, {name}"] = seconds_of_fit(model, batch, flags.steps)
    keras.config.set_dtype_policy("float32")
    return found


def seconds_of_fit(model: Any, batch: _subjects.Data, steps: int) -> float:
    """Seconds a step in the median of three epochs, after one that compiles."""
    from slr_keras.backend import keras

    ends: list[float] = []
    clock = keras.callbacks.LambdaCallback(
        on_epoch_begin=lambda *_: ends.append(time.perf_counter())
    )
    lengths = {"steps_per_epoch": steps, "epochs": 5}
    model.fit(again_and_again(batch), **lengths, shuffle=False, callbacks=[clock], verbose=0)
    return statistics.median(np.diff(ends)[1:]) / steps


def again_and_again(batch: _subjects.Data) -> Iterator[Any]:
    """The batch without end."""
    while True:
        yield {"image": batch.x, "index": batch.index}, batch.y


# -- PyTorch ---------------------------------------------------------------------------------------


def peers(flags: argparse.Namespace, batch: _subjects.Data) -> dict[str, float]:
    """The same of PyTorch, eager and compiled; nothing where it is not installed."""
    try:
        import torch
    except ImportError:
        print("  PyTorch is not installed and left out")
        return {}
    kinds = {"PyTorch": lambda net: net, "PyTorch, compiled": torch.compile}
    if not torch.cuda.is_available():
        del kinds["PyTorch, compiled"]  # its compiler for CPUs needs minutes
    return {
        f"{name}, bfloat16": seconds_of(torch_step(flags.model, batch, wrap), flags.steps)
        for name, wrap in kinds.items()
    }


def torch_step(model: str, batch: _subjects.Data, wrap: Callable[[Any], Any]) -> Step:
    """One step of the reference under autocast, its data on the device."""
    import torch

    from benchmarks import torch_reference

    device = "cuda" if torch.cuda.is_available() else "cpu"
    net = _subjects.torch_network(model).to(device, memory_format=torch.channels_last)
    bank = torch_reference.one_hot_bank(batch.y, _subjects.CLASSES).to(device)
    trainer = torch_reference.Trainer(wrap(net), bank)
    x = torch_reference.to_torch_images(batch.x).to(device, memory_format=torch.channels_last)
    y, index = (torch.from_numpy(np.asarray(v)).long().to(device) for v in (batch.y, batch.index))

    def step() -> None:
        with torch.autocast(device, torch.bfloat16):
            trainer.slr_step(x, y, index)  # reads its loss, so it waits for the device

    return step


def seconds_of(step: Step, steps: int) -> float:
    """Median seconds of a step, after five."""
    times = []
    for number in range(steps + 5):
        begun = time.perf_counter()
        step()
        if number >= 5:
            times.append(time.perf_counter() - begun)
    return statistics.median(times)


if __name__ == "__main__":
    sys.exit(main())
