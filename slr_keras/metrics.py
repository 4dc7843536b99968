"""Metrics for ``compile(metrics=...)``, of a plain Keras model or a ``RobustClassifier``.

In a ``RobustClassifier`` each counts twice, on clean and on adversarial images (``robust_...``).

    >>> import slr_keras as slr
    >>> model.compile("sgd", metrics=[slr.metrics.ExpectedCalibrationError()])   # doctest: +SKIP
"""

from __future__ import annotations

from typing import Any

from slr_keras.backend import keras, ops
from slr_keras.errors import UserError

Tensor = Any


class _OfProbabilities(keras.metrics.Metric):
    """A metric of class probabilities.

    Args:
        from_logits: whether the model gives logits; False for one that ends with a softmax.
    """

    def __init__(self, name: str, from_logits: bool = True, dtype: Any = None):
        super().__init__(name=name, dtype=dtype)
        self.from_logits = from_logits

    def get_config(self) -> dict[str, Any]:
        """For ``save``."""
        return {"name": self.name, "from_logits": self.from_logits}

    def _taken(self, y_true: Tensor, y_pred: Tensor, weight: Any) -> tuple[Tensor, Tensor, Tensor]:
        """Probabilities and labels as rows (B, K), weights (B,)."""
        p = ops.cast(y_pred, "float32")
        p = ops.softmax(p) if self.from_logits else p
        y = ops.convert_to_tensor(y_true)
        if len(y.shape) == 2 and y.shape[1] == 1:
            y = ops.squeeze(y, 1)
        classes = p.shape[-1]
        rows = ops.one_hot(ops.cast(y, "int32"), classes) if len(y.shape) == 1 else y
        ones = ops.ones((ops.shape(p)[0],), "float32")
        w = ones if weight is None else ops.reshape(ops.cast(weight, "float32"), (-1,))
        return p, ops.cast(rows, "float32"), w


@keras.saving.register_keras_serializable("slr_keras")
class ExpectedCalibrationError(_OfProbabilities):
    """``ECE = sum_m |B_m| / N | acc(B_m) - conf(B_m) |`` over bins of equal width.

    The confidence of an image is its largest probability, bin m of M holds those in
    ``((m - 1) / M, m / M]``. Guo et al. 2017 (arXiv 1706.04599), equation 3.

    Args:
        bins: M.
        from_logits: whether the model gives logits.

    Example:
        >>> metric = ExpectedCalibrationError(from_logits=False)              # doctest: +SKIP
        >>> metric.update_state([0, 1], [[0.8, 0.2], [0.8, 0.2]])             # doctest: +SKIP
        >>> float(metric.result())                # confidence 0.8, accuracy 0.5  # doctest: +SKIP
        0.3
    """

    def __init__(
        self, bins: int = 15, from_logits: bool = True, name: str = "ece", dtype: Any = None
    ):
        super().__init__(name, from_logits, dtype)
        if bins < 1:
            raise UserError(f"bins: expected 1 or more, received {bins}")
        self.bins = bins
        self.gaps = self.add_weight(name="gaps", shape=(bins,), initializer="zeros")
        self.count = self.add_weight(name="count", shape=(), initializer="zeros")

    def update_state(self, y_true: Tensor, y_pred: Tensor, sample_weight: Any = None) -> None:
        """Take a batch in: labels (B,) or rows (B, K), outputs (B, K)."""
        p, rows, weight = self._taken(y_true, y_pred, sample_weight)
        confidence = ops.max(p, axis=-1)
        right = ops.cast(ops.equal(ops.argmax(p, -1), ops.argmax(rows, -1)), "float32")
        place = ops.clip(ops.cast(ops.ceil(confidence * self.bins), "int32") - 1, 0, self.bins - 1)
        gap = (weight * (right - confidence))[:, None] * ops.one_hot(place, self.bins)
        self.gaps.assign(self.gaps + ops.cast(ops.sum(gap, axis=0), self.gaps.dtype))
        self.count.assign(self.count + ops.cast(ops.sum(weight), self.count.dtype))

    def result(self) -> Tensor:
        """The error so far, in [0, 1]."""
        return ops.divide_no_nan(ops.sum(ops.abs(self.gaps)), self.count)

    def get_config(self) -> dict[str, Any]:
        """For ``save``."""
        return {**super().get_config(), "bins": self.bins}


@keras.saving.register_keras_serializable("slr_keras")
class BrierScore(_OfProbabilities):
    """``1 / N sum_i sum_k (p_ik - y_ik)^2``, in [0, 2]; Brier 1950.

    Args:
        from_logits: whether the model gives logits.

    Example:
        >>> metric = BrierScore(from_logits=False)                            # doctest: +SKIP
        >>> metric.update_state([0], [[0.8, 0.2]])                            # doctest: +SKIP
        >>> float(metric.result())                                            # doctest: +SKIP
        0.08
    """

    def __init__(self, from_logits: bool = True, name: str = "brier", dtype: Any = None):
        super().__init__(name, from_logits, dtype)
        self.total = self.add_weight(name="total", shape=(), initializer="zeros")
        self.count = self.add_weight(name="count", shape=(), initializer="zeros")

    def update_state(self, y_true: Tensor, y_pred: Tensor, sample_weight: Any = None) -> None:
        """Take a batch in: labels (B,) or rows (B, K), outputs (B, K)."""
        p, rows, weight = self._taken(y_true, y_pred, sample_weight)
        score = weight * ops.sum(ops.square(p - rows), axis=-1)
        self.total.assign(self.total + ops.cast(ops.sum(score), self.total.dtype))
        self.count.assign(self.count + ops.cast(ops.sum(weight), self.count.dtype))

    def result(self) -> Tensor:
        """The score so far."""
        return ops.divide_no_nan(self.total, self.count)


@keras.saving.register_keras_serializable("slr_keras")
class WorstClassAccuracy(keras.metrics.Metric):
    """The lowest accuracy of any class that has been seen.

    Adversarial training is uneven: a mean of 50 % may be 20 % for one class. Xu et al. 2021
    (arXiv 2010.06121).

    Args:
        num_classes: K.

    Example:
        >>> metric = WorstClassAccuracy(2)                                    # doctest: +SKIP
        >>> metric.update_state([0, 0, 1], [[2., 1.], [1., 2.], [1., 2.]])    # doctest: +SKIP
        >>> float(metric.result())                                            # doctest: +SKIP
        0.5
    """

    def __init__(self, num_classes: int, name: str = "worst_class_accuracy", dtype: Any = None):
        super().__init__(name=name, dtype=dtype)
        if num_classes < 2:
            raise UserError(f"num_classes: expected 2 or more, received {num_classes}")
        self.num_classes = num_classes
        self.right = self.add_weight(name="right", shape=(num_classes,), initializer="zeros")
        self.count = self.add_weight(name="count", shape=(num_classes,), initializer="zeros")

    def update_state(self, y_true: Tensor, y_pred: Tensor, sample_weight: Any = None) -> None:
        """Take a batch in: labels (B,) or rows (B, K), outputs (B, K)."""
        y = ops.convert_to_tensor(y_true)
        if len(y.shape) == 2:
            y = ops.argmax(y, -1) if y.shape[1] > 1 else ops.squeeze(y, 1)
        of_class = ops.one_hot(ops.cast(y, "int32"), self.num_classes)
        if sample_weight is not None:
            of_class = of_class * ops.reshape(ops.cast(sample_weight, "float32"), (-1, 1))
        right = ops.cast(ops.equal(ops.argmax(y_pred, -1), ops.cast(y, "int32")), "float32")
        hits = ops.sum(of_class * right[:, None], axis=0)
        self.right.assign(self.right + ops.cast(hits, self.right.dtype))
        self.count.assign(self.count + ops.cast(ops.sum(of_class, axis=0), self.count.dtype))

    def result(self) -> Tensor:
        """The lowest so far; 0 before any image."""
        seen = self.count > 0
        share = ops.where(seen, ops.divide_no_nan(self.right, self.count), 1.0)
        return ops.where(ops.any(seen), ops.min(share), 0.0)

    def get_config(self) -> dict[str, Any]:
        """For ``save``."""
        return {"name": self.name, "num_classes": self.num_classes}
