"""Metrics of the user's own, on clean and on robust logits."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from slr_keras.backend import keras
from slr_keras.errors import UserError

Tensor = Any
PREFIX = "robust_"
OURS = ("loss", "accuracy", "robust_accuracy")
KNOWN = ("accuracy", "acc")  # what training reports anyway


class UserMetrics:
    """``compile(metrics=..., weighted_metrics=...)``: each twice, the second as ``robust_...``.

    Metrics are called with the labels as they were given (class numbers or rows) and logits, so
    those that want probabilities need ``from_logits=True``.

    Args:
        metrics: names, functions or ``keras.metrics.Metric`` objects; None for none.
        weighted: the same, called with ``sample_weight`` too.

    Raises:
        UserError: what is no metric, or has a name that is taken.

    Example:
        >>> found = UserMetrics([keras.metrics.SparseTopKCategoricalAccuracy(5)])
        >>> [metric.name for metric in found]
        ['sparse_top_k_categorical_accuracy', 'robust_sparse_top_k_categorical_accuracy']
    """

    def __init__(self, metrics: Any = None, weighted: Any = None):
        self.given = {"metrics": _listed(metrics), "weighted_metrics": _listed(weighted)}
        self.pairs: list[tuple[Any, Any, bool]] = []
        for key, weighs in (("metrics", False), ("weighted_metrics", True)):
            for metric in self.given[key]:
                if metric not in KNOWN or weighs:
                    self.pairs.append((*_pair(metric, key), weighs))
        names = [*OURS, *(metric.name for metric in self)]
        for name in names:
            if names.count(name) > 1:
                raise UserError(
                    f"compile(metrics=...): the name {name!r} is taken; give the metric another"
                )

    def __iter__(self) -> Iterator[Any]:
        """All of them, for Keras."""
        for clean, robust, _ in self.pairs:
            yield from (clean, robust)

    def update(self, label: Tensor, clean: Tensor, robust: Any, weight: Any) -> dict[str, Tensor]:
        """Take a batch in; the results so far.

        Args:
            label: class numbers (B,) or rows (B, K).
            clean: logits of the clean images, all of them or the batch's first.
            robust: logits of the attacked images, or None.
            weight: (B,) or None.
        """
        found = {}
        for plain, attacked, weighs in self.pairs:
            for metric, logits in ((plain, clean), (attacked, robust)):
                if logits is None:
                    continue
                count = keras.ops.shape(logits)[0]
                each = weight[:count] if weighs and weight is not None else None
                metric.update_state(label[:count], logits, sample_weight=each)
                found[metric.name] = metric.result()
        return found

    def config(self) -> dict[str, Any]:
        """For ``save``; see :meth:`from_config`."""
        serialize = keras.saving.serialize_keras_object
        return {key: [serialize(metric) for metric in listed] for key, listed in self.given.items()}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> UserMetrics:
        """The inverse of :meth:`config`."""
        restore = keras.saving.deserialize_keras_object
        listed = [
            [m if m in KNOWN else restore(m) for m in config.get(key, ())]
            for key in ("metrics", "weighted_metrics")
        ]
        return cls(*listed)


def _listed(metrics: Any) -> list[Any]:
    if metrics is None:
        return []
    if isinstance(metrics, dict):
        raise UserError("compile(metrics=...): expected a list, there is one output")
    if not isinstance(metrics, (list, tuple)):
        return [metrics]
    return list(_flat(metrics))


def _flat(metrics: Iterable[Any]) -> Iterator[Any]:
    for metric in metrics:
        if isinstance(metric, (list, tuple)):
            yield from _flat(metric)
        else:
            yield metric


def _pair(given: Any, key: str) -> tuple[Any, Any]:
    """A metric on clean logits and its like on robust ones."""
    if given in KNOWN:
        raise UserError(
            "compile(weighted_metrics=['accuracy']): accuracies count every image once; use "
            "keras.metrics.SparseCategoricalAccuracy(name='weighted_accuracy')"
        )
    try:
        metric = keras.metrics.get(given)
    except (ValueError, TypeError) as error:
        raise UserError(f"compile({key}=...): {str(error).splitlines()[0]}") from None
    if not isinstance(metric, keras.metrics.Metric):
        if not callable(metric):
            raise UserError(f"compile({key}=...): expected a metric, received {given!r}")
        name = getattr(metric, "__name__", type(metric).__name__)
        wrap = keras.metrics.MeanMetricWrapper
        return wrap(metric, name=name), wrap(metric, name=PREFIX + name)
    config = metric.get_config()
    return metric, type(metric).from_config(config | {"name": PREFIX + metric.name})
