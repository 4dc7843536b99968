"""An attack on arrays of any length, batch by batch, on one compiled function."""

from __future__ import annotations

from typing import Any

import numpy as np

from slr_keras import backend
from slr_keras.attacks._base import Attack, Objective, seeded
from slr_keras.attacks._staged import Staged
from slr_keras.backend import keras, ops
from slr_keras.checks import check_pixels, class_numbers
from slr_keras.errors import DataError
from slr_keras.inference import InferenceNetwork

Tensor = Any


def attack_arrays(
    attack: Attack, model: Any, x: Any, y: Any, *, seed: int = 0, batch_size: int = 128
) -> np.ndarray:
    """Adversarial images for arrays; see :meth:`slr_keras.attacks._base.Attack.__call__`."""
    x, y = np.asarray(x), np.asarray(y)
    if len(x) != len(y) or len(x) == 0:
        raise DataError(f"expected as many labels as images, received {len(y)} and {len(x)}")
    check_pixels(x)
    x, y = x.astype("float32"), np.asarray(class_numbers(y))
    network = getattr(model, "net", model)
    if isinstance(attack, Staged):
        from slr_keras.attacks._packing import Packed

        return Packed(network, attack, batch_size=batch_size, seed=seed).run(x, y)[0]
    inference = InferenceNetwork(network) if isinstance(network, keras.Model) else None
    seeds = seeded(seed)

    def step(image: Tensor, label: Tensor) -> Tensor:
        logits = inference.snapshot() if inference else network
        return attack.run(Objective(logits, label, attack.targeted), image, seeds)

    run = backend.compiled(step, ((None, *x.shape[1:]), "float32"), ((None,), "int32"))
    starts = range(0, len(x), batch_size)
    parts = [(x[i : i + batch_size], y[i : i + batch_size]) for i in starts]
    return np.concatenate(
        [ops.convert_to_numpy(run(*map(ops.convert_to_tensor, p))) for p in parts]
    )
