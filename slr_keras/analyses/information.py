"""Information in weights: the PAC-Bayes bottleneck, Wang et al., ICLR 2022 (arXiv 2109.14509)."""

from __future__ import annotations

import dataclasses
import functools
import itertools
import math
from typing import Any

from slr_keras.analyses._base import Analysis, Probe

Array = Any
BATCH = 50  # images whose mean gradient counts as one


@dataclasses.dataclass(frozen=True)
class Information(Analysis):
    """How much the weights have taken from the training set since the run's first evaluation.

    ``n mean_b ((w - w_0) . g_b)^2``: w_0 the trainable weights at the first evaluation, g_b the
    gradient of the mean cross-entropy of mini-batch b of 50 images, n the number of training
    samples. That is ``n (w - w_0)^T F (w - w_0)`` with the Fisher matrix F estimated from the
    mini-batches, the authors' estimator of I(w; S). On clean and on adversarial training images.
    """

    name = "information"
    columns = {"clean": "clean images", "attacked": "adversarial images"}

    def measure(self, probe: Probe) -> tuple[dict[str, float | None], dict[str, Array]]:
        """In nats; arrays: the slope ``(w - w_0) . g_b`` of each mini-batch."""
        import numpy as np

        scalars: dict[str, float | None] = dict.fromkeys(self.columns)
        if probe.start is None:
            return scalars, {}
        seen, arrays = probe.train, {}
        for name, images in (("clean", seen.x), ("attacked", seen.attacked)):
            arrays[name] = slopes(probe.net, probe.start, images, seen.label)
            scalars[name] = probe.size * float(np.mean(arrays[name] ** 2))
        return scalars, arrays


def slopes(net: Any, start: list[Array], x: Array, y: Array, size: int = BATCH) -> Array:
    """``(w - w_0) . g_b`` for each mini-batch, (batches,) float64.

    It is the derivative of the loss of ``w + s (w - w_0)`` in s, so no gradient of the weights is
    needed.
    """
    import numpy as np

    from slr_keras.backend import ops

    now = [ops.convert_to_numpy(weight) for weight in net.trainable_variables]
    away = np.concatenate([np.ravel(w - w0) for w, w0 in zip(now, start, strict=True)])
    slope, direction = _slope(net, x.shape[1:]), ops.convert_to_tensor(away.astype("float32"))
    found = []
    for first in range(0, len(x), size):
        images = ops.convert_to_tensor(x[first : first + size])
        label = ops.convert_to_tensor(np.asarray(y[first : first + size], "int32"))
        found.append(float(ops.convert_to_numpy(slope(images, label, direction))))
    return np.array(found)


@functools.lru_cache(maxsize=1)
def _slope(net: Any, shape: tuple[int, ...]) -> Any:
    """The slope for images, labels and a direction (all weights in one), compiled for a network."""
    from slr_keras import backend, losses
    from slr_keras.backend import ops

    shapes = [tuple(weight.shape) for weight in net.trainable_variables]
    sizes = [math.prod(shape) for shape in shapes]
    cuts = list(itertools.accumulate(sizes))[:-1]

    def slope(images: Array, label: Array, direction: Array) -> Array:
        parts = ops.split(direction, cuts)
        away = [ops.reshape(part, shape) for part, shape in zip(parts, shapes, strict=True)]
        now = [weight.value for weight in net.trainable_variables]
        rest = [weight.value for weight in net.non_trainable_variables]

        def loss(s: Array) -> Array:
            moved = [w + ops.cast(s * d, w.dtype) for w, d in zip(now, away, strict=True)]
            logits, _ = net.stateless_call(moved, rest, images, training=False)
            return ops.mean(losses.cross_entropy(logits, label))

        return backend.input_gradient(loss, ops.zeros((), "float32"))

    kinds = ((None, *shape), "float32"), ((None,), "int32"), ((sum(sizes),), "float32")
    return backend.compiled(slope, *kinds)
