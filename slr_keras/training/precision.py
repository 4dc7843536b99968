"""Which arithmetic runs the attack faster on this machine: measured before the first step.

bfloat16 takes half the time where the CPU has AMX or, on Zen 4, AVX512-BF16, and more than
float32 on others that list the same instructions: no table of processors tells.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from slr_keras import backend
from slr_keras.attacks._objective import Objective
from slr_keras.backend import ops
from slr_keras.inference import InferenceNetwork, in_float32

Tensor = Any
MARGIN = 0.9  # of float32's time: what bfloat16 must stay below to be worth its rounding
SECONDS = 1.0  # for measuring; compiling comes on top
ROUNDS = 20


@dataclasses.dataclass(frozen=True)
class Choice:
    """What to take, ``same`` (as the network) or ``bfloat16``, and in words why."""

    precision: str
    reason: str


def choose(net: Any, shape: tuple[int, ...]) -> Choice:
    """The faster arithmetic for gradients of ``net`` with respect to a batch of images.

    Times are the shortest of passes in turn, forward and back to the images, as a step of PGD
    makes them.

    Args:
        net: a built Keras model that returns logits.
        shape: (B, H, W, C) of the images of a step, on one device.

    Example:
        >>> choose(net, (128, 32, 32, 3)).precision                        # doctest: +SKIP
        'bfloat16'
    """
    if not in_float32(net):
        return Choice("same", "the network does not compute in float32")
    images = np.random.default_rng(0).random(shape, "float32")
    passes = {dtype: _compiled(net, dtype, images) for dtype in ("float32", "bfloat16")}
    full, half = _shortest(passes)
    times = f"a pass takes {1e3 * half:.1f} ms in bfloat16, {1e3 * full:.1f} ms in float32"
    return Choice("bfloat16" if half < MARGIN * full else "same", times)


def _compiled(net: Any, dtype: str, images: np.ndarray) -> Callable[[], object]:
    network = InferenceNetwork(net, dtype)
    x, y = ops.convert_to_tensor(images), ops.zeros(len(images), "int32")

    def gradient(x: Tensor, y: Tensor) -> Tensor:
        return backend.input_gradient(Objective(network.snapshot(), y), x)

    made = backend.compiled(gradient, (images.shape, "float32"), (y.shape, "int32"))
    return lambda: ops.convert_to_numpy(made(x, y))


def _shortest(passes: dict[str, Callable[[], object]]) -> list[float]:
    times: dict[str, list[float]] = {name: [] for name in passes}
    for run in passes.values():
        run()
    begun = time.perf_counter()
    for _ in range(ROUNDS):
        for name, run in passes.items():
            start = time.perf_counter()
            run()
            times[name].append(time.perf_counter() - start)
        if time.perf_counter() - begun > SECONDS:
            break
    return [min(found) for found in times.values()]
