"""Weight averaging: an exponential moving average (EMA) of the network's weights.

    a <- d a + (1 - d) w      after every step, for every weight w and moving statistic

With warm-up ``d`` is at most ``(1 + t) / (10 + t)`` at step t, as in TensorFlow's
``ExponentialMovingAverage(num_updates=...)``: else the average of a short run is its start.

The average is what is evaluated, saved and exported from its first step on; training goes on with
the weights themselves. Averaging after the first learning-rate decay is the usual remedy against
robust overfitting to set a method against (Rebuffi et al. 2021, "Data Augmentation Can Improve
Robustness", section 3; Chen et al. 2021, "Robust Overfitting may be mitigated by properly learned
smoothening").
"""

from __future__ import annotations

from typing import Any

from slr_keras import networks
from slr_keras.backend import keras, ops

Tensor = Any


@keras.saving.register_keras_serializable("slr_keras")
class WeightAverage(keras.layers.Layer):
    """The moving average of a network, kept as weights.

    The first step of averaging copies the network, so nothing remains of what was before.

    Args:
        net: built Keras model; its methods want the same one.
        decay: d in (0, 1); the average looks back over about 1 / (1 - d) steps.
        name: of the layer.
        warmup: begin with smaller decays.

    Attributes:
        steps: a weight, the number of steps averaged; 0 before the first.
        active: a weight, 1 where steps are to be averaged.

    Example:
        >>> average = WeightAverage(net, decay=0.999)      # doctest: +SKIP
        >>> average.active.assign(1); average.update(net)  # doctest: +SKIP
        >>> average.logits(net, images).shape              # doctest: +SKIP
        (128, 10)
    """

    def __init__(self, net: Any, decay: float, name: str = "weight_average", warmup: bool = False):
        super().__init__(name=name, trainable=False)
        self.decay, self.warmup = decay, warmup
        self.averages = [self._weight(w.path.replace("/", "_"), w) for w in net.weights]
        self.steps = self._weight("steps")
        self.active = self._weight("active")
        self.built = True

    def _weight(self, name: str, like: Any = None) -> Any:
        return self.add_weight(
            name=name,
            shape=() if like is None else like.shape,
            initializer="zeros",
            trainable=False,
            dtype="float32" if like is None else like.dtype,
            autocast=False,
            aggregation="only_first_replica",
        )

    def update(self, net: Any) -> None:
        """After a step: move the averages, if that is what is wanted."""
        decay = self.decay
        if self.warmup:
            decay = ops.minimum(decay, (1 + self.steps) / (10 + self.steps))
        keep = ops.where(self.steps > 0, decay, 0.0)
        for average, weight in zip(self.averages, net.weights, strict=True):
            moved = keep * average + (1 - keep) * weight
            moved = ops.cast(moved, average.dtype)
            average.assign(ops.where(self.active > 0, moved, average.value))
        self.steps.assign(self.steps + self.active)

    def values(self, net: Any) -> list[Tensor]:
        """The averages in the order of ``net.weights``; before the first step, the weights."""
        pairs = zip(self.averages, net.weights, strict=True)
        return [ops.where(self.steps > 0, average.value, weight.value) for average, weight in pairs]

    def logits(self, net: Any, images: Tensor) -> Tensor:
        """Logits (B, K) of the averaged network in inference mode."""
        averaged = dict(zip(map(id, net.weights), self.values(net), strict=True))
        now = [
            [averaged.get(id(variable), variable.value) for variable in group]
            for group in (net.trainable_variables, net.non_trainable_variables)
        ]
        logits, _ = net.stateless_call(*now, images, training=False)
        return logits

    def network(self, net: Any) -> Any:
        """A new network with the averages as its weights."""
        copy = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(net))
        begun = float(ops.convert_to_numpy(self.steps)) > 0
        weights = self.averages if begun else net.weights
        networks.set_weights(copy, [ops.convert_to_numpy(weight) for weight in weights])
        return copy
