"""The golden trajectory on this device against the figures that all backends agree on.

    KERAS_BACKEND=jax python -m benchmarks.gpu.golden

Eight steps of SLR (``tests/contracts/test_contracts_golden.py``), and the logits and the input
gradient of a ResNet-18 against the same on the CPU. Once with whole float32 products and
once as the device multiplies by itself (TF32 on NVIDIA GPUs). 0 if the first is within 1e-5.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable

import numpy as np

from benchmarks import _subjects

BOUND = 1e-5  # that of the test, of the trajectory
Figures = dict[str, np.ndarray]


def main() -> int:
    """Print the largest differences; 0 if whole products stay within the bound."""
    import jax

    from slr_keras import backend
    from tests.contracts import test_contracts_golden as golden

    print(f"{backend.name()} {jax.__version__} on {backend.describe_device()}", flush=True)
    want = {name: np.array(value) for name, value in json.loads(golden.GOLDEN.read_text()).items()}
    host = on_host(one_pass)
    worst = 0.0
    for precision in ("highest", "default"):
        with jax.default_matmul_precision(precision):
            apart = distances(golden.trajectory(), want)
            passes = distances(one_pass(), host)
        print(f"  {precision} precision: trajectory {apart}; ResNet-18 {passes}", flush=True)
        worst = max(worst, *apart.values()) if precision == "highest" else worst
    print("the same" if worst <= BOUND else f"expected at most {BOUND:g}, received {worst:.1e}")
    return 0 if worst <= BOUND else 1


def on_host(work: Callable[[], Figures]) -> Figures:
    """What the processor makes of it."""
    import jax

    with jax.default_device(jax.devices("cpu")[0]), jax.default_matmul_precision("highest"):
        return work()


def one_pass() -> Figures:
    """Logits of 16 images, and the gradient of their sum of squares, each over its largest."""
    import jax
    import keras

    keras.utils.set_random_seed(0)
    net, x = _subjects.network("resnet18"), _subjects.data("resnet18", 16).x

    def both(x: jax.Array) -> tuple[jax.Array, jax.Array]:
        gradient = jax.grad(lambda x: (net(x, training=False) ** 2).sum())
        return net(x, training=False), gradient(x)

    logits, gradient = (np.asarray(value) for value in jax.jit(both)(x))
    return {"logits": logits / abs(logits).max(), "gradient": gradient / abs(gradient).max()}


def distances(found: dict[str, object], want: Figures) -> dict[str, float]:
    """The largest absolute differences, rounded to be read."""
    return {
        name: float(f"{abs(np.asarray(found[name], dtype=float) - value).max():.1e}")
        for name, value in want.items()
    }


if __name__ == "__main__":
    sys.exit(main())
