"""What is known of a run whose loss has become NaN or infinite."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np

from slr_keras import backend, config, losses
from slr_keras.backend import keras, ops
from slr_keras.data import as_float
from slr_keras.errors import UserError
from slr_keras.training.checkpoints import Checkpoints, Position

IMAGES = 32
Tensor = Any


class _Run(Protocol):
    """What is asked of a run that fails."""

    config: config.RunConfig
    checkpoints: Checkpoints
    model: Any
    data: Any

    def identity(self) -> dict[str, str]: ...


def last_good(run: _Run) -> str:
    """Where the last good weights are from, and which gradient is the largest there.

    The run's model has these weights afterwards. Whatever fails here must not hide what is told.
    """
    try:
        return _looked_up(run)
    except Exception:  # the loss is not finite: that is what the user has to read
        return ""


def _looked_up(run: _Run) -> str:
    try:
        position, _ = run.checkpoints.load(
            run.model, run.identity(), {"configuration": config.renewed}
        )
    except UserError:
        return ""
    if position is None:
        keras.utils.set_random_seed(run.config.seed)
        first = run.config.model.build(run.data.input_shape, run.data.num_classes)
        run.model.net.set_weights(first.get_weights())
    name, norm = largest_gradient(run.model.net, run.data.x_train, run.data.y_train)
    return f" {_place(position)} the largest gradient is {norm:.3g}, in {name}."


def _place(position: Position | None) -> str:
    if position is None:
        return "No checkpoint was written yet; at the initial weights"
    return f"The last good checkpoint (epoch {position.epoch}, batch {position.batch}) stays; there"


def largest_gradient(net: Any, x: Any, y: Any) -> tuple[str, float]:
    """The weight whose gradient is the longest, and the Euclidean norm of that.

    Of the mean cross-entropy of the first images, in inference mode.

    Args:
        net: Keras classifier with logits.
        x: images (N, H, W, C), uint8 or float in [0, 1].
        y: labels (N,).
    """
    image = ops.convert_to_tensor(as_float(np.asarray(x[:IMAGES])))
    label = ops.convert_to_tensor(np.asarray(y[:IMAGES], "int32"))
    norms = {
        variable.path: _norm(net, number, image, label)
        for number, variable in enumerate(net.trainable_variables)
    }
    name = max(norms, key=lambda path: norms[path])
    return name, norms[name]


def _norm(net: Any, number: int, image: Tensor, label: Tensor) -> float:
    values = [variable.value for variable in net.trainable_variables]
    rest = [variable.value for variable in net.non_trainable_variables]

    def loss(weight: Tensor) -> Tensor:
        weights = [*values[:number], weight, *values[number + 1 :]]
        logits, _ = net.stateless_call(weights, rest, image, training=False)
        return ops.mean(losses.cross_entropy(logits, label))

    gradient = ops.convert_to_numpy(backend.input_gradient(loss, values[number]))
    return float(np.linalg.norm(gradient.astype("float64")))
