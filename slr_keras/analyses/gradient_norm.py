"""Gradient norms of single samples, which the paper ties to memorised labels (arXiv 2403.09101)."""

from __future__ import annotations

import dataclasses
import functools
from typing import Any

from slr_keras.analyses._base import Analysis, Probe, median, quartiles

Array = Any


@dataclasses.dataclass(frozen=True)
class GradientNorm(Analysis):
    """Of the cross-entropy on adversarial training images, apart for right and wrong labels.

    Of the last layer's weights in closed form, ``||p' - t|| sqrt(||h||^2 + 1)`` with its input h
    and the target t, the soft label where there is one; of the image by differentiation,
    ``||d CE(f(x'), y) / dx'||``. Medians and quartiles over samples. Costs a pass with gradient.
    """

    name = "gradient_norm"
    columns = {
        "weights_right": "last layer, right labels",
        "weights_wrong": "last layer, wrong labels",
        "image_right": "image, right labels",
        "image_wrong": "image, wrong labels",
    }

    def measure(self, probe: Probe) -> tuple[dict[str, float | None], dict[str, Array]]:
        """Medians; arrays: the norm of each sample, ``wrong``, and the quartiles."""
        import numpy as np

        seen = probe.train
        target = np.eye(seen.p.shape[1])[seen.label] if seen.soft is None else seen.soft
        found = {"image": image_norms(probe.net, seen.attacked, seen.label)}
        hidden = last_input(probe.net, seen.attacked)
        if hidden is not None:
            found["weights"] = last_layer_norms(seen.p_attacked, target, hidden)
        arrays: dict[str, Array] = {"wrong": seen.wrong}
        scalars: dict[str, float | None] = dict.fromkeys(self.columns)
        for kind, norms in found.items():
            arrays[kind] = norms
            for which, chosen in (("right", ~seen.wrong), ("wrong", seen.wrong)):
                scalars[f"{kind}_{which}"] = median(norms[chosen])
                arrays[f"{kind}_{which}_quartiles"] = quartiles(norms[chosen])
        return scalars, arrays


def last_layer_norms(p: Array, target: Array, hidden: Array) -> Array:
    """``||p - t|| sqrt(||h||^2 + 1)``, (n,): kernel and bias of a dense layer, softmax over it.

    Args:
        p, target: (n, K).
        hidden: (n, D), the layer's input.
    """
    import numpy as np

    gap = np.linalg.norm(np.asarray(p) - target, axis=1)
    return gap * np.sqrt((np.asarray(hidden, "float64") ** 2).sum(axis=1) + 1)


def last_input(net: Any, x: Array, size: int = 250) -> Array | None:
    """What comes into the last layer, (n, D); None where that is no dense layer with a bias."""
    import numpy as np

    from slr_keras.backend import ops

    before = _before_last(net, x.shape[1:])
    if before is None:
        return None
    parts = [before(ops.convert_to_tensor(x[i : i + size])) for i in range(0, len(x), size)]
    return np.concatenate([ops.convert_to_numpy(part) for part in parts])


@functools.lru_cache(maxsize=1)
def _before_last(net: Any, shape: tuple[int, ...]) -> Any:
    """The network up to its last layer, compiled; None where that is no dense layer with a bias."""
    from slr_keras import backend, networks
    from slr_keras.backend import keras

    layer: Any = net.layers[-1] if networks.is_graph(net) and net.layers else None
    if type(layer) is not keras.layers.Dense or not layer.use_bias:
        return None
    before = keras.Model(net.inputs[0], layer.input)
    return backend.compiled(lambda x: before(x, training=False), ((None, *shape), "float32"))


def image_norms(net: Any, x: Array, y: Array, size: int = 250) -> Array:
    """``||d CE(f(x), y) / dx||_2`` of each image, (n,)."""
    import numpy as np

    from slr_keras.backend import ops

    found, gradients = [], _image_gradients(net, x.shape[1:])
    for i in range(0, len(x), size):
        images, label = x[i : i + size], np.asarray(y[i : i + size], "int32")
        gradient = gradients(ops.convert_to_tensor(images), ops.convert_to_tensor(label))
        flat = ops.convert_to_numpy(gradient).reshape(len(label), -1).astype("float64")
        found.append(np.linalg.norm(flat, axis=1))
    return np.concatenate(found)


@functools.lru_cache(maxsize=1)
def _image_gradients(net: Any, shape: tuple[int, ...]) -> Any:
    """``d CE(f(x), y) / dx`` for images and labels, compiled for the network of a run."""
    from slr_keras import backend, losses
    from slr_keras.inference import InferenceNetwork

    folded = InferenceNetwork(net)

    def gradients(images: Array, label: Array) -> Array:
        logits = folded.snapshot()
        return backend.input_gradient(lambda x: losses.cross_entropy(logits(x), label), images)

    return backend.compiled(gradients, ((None, *shape), "float32"), ((None,), "int32"))
