"""Whose attack fools whom: adversarial images of every model, judged on every model."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from slr_keras import networks
from slr_keras.attacks._base import Attack
from slr_keras.data import as_float
from slr_keras.errors import ModelError, UserError
from slr_keras.evaluation.inputs import usable
from slr_keras.evaluation.intervals import wilson
from slr_keras.evaluation.judge import Judge
from slr_keras.evaluation.measurement import Progress
from slr_keras.evaluation.runner import Evaluator
from slr_keras.evaluation.tally import Store, Tally
from slr_keras.evaluation.transfer import check_untargeted


@dataclasses.dataclass(frozen=True)
class TransferMatrix:
    """What each of M sources' adversarial images do to each of the same M models.

    Row s, column m is model m on images made on model s; the diagonal is the white-box attack.

    Attributes:
        names: of the models, in the order of rows and columns.
        clean: (M, N) bool, the model classifies the image correctly.
        fooled: (M, M, N) bool, the source's adversarial image counts (in the ball and in [0, 1])
            and the model misclassifies it.
        seconds: (M,) spent on each source.

    Example:
        >>> right = np.array([[True, True, False], [True, True, True]])
        >>> fooled = np.array([[[1, 1, 1], [1, 0, 0]], [[0, 0, 1], [1, 1, 0]]], bool)
        >>> found = TransferMatrix(("a", "b"), right, fooled, np.zeros(2))
        >>> found.accuracy.round(2).tolist()
        [[0.0, 0.67], [0.67, 0.33]]
        >>> found.both.tolist()
        [[2, 2], [2, 3]]
        >>> found.success.round(2).tolist()
        [[1.0, 0.5], [0.0, 0.67]]
    """

    names: tuple[str, ...]
    clean: np.ndarray
    fooled: np.ndarray
    seconds: np.ndarray

    @property
    def accuracy(self) -> np.ndarray:
        """(M, M) robust accuracy of the column's model: correct as it is and on the row's image."""
        return (self.clean & ~self.fooled).mean(-1)

    @property
    def both(self) -> np.ndarray:
        """(M, M) number of images that source and model both classify correctly."""
        return self._both_right.sum(-1)

    @property
    def success(self) -> np.ndarray:
        """(M, M) share of these that fool the column's model; NaN where there are none."""
        hits = (self.fooled & self._both_right).sum(-1)
        return np.divide(hits, self.both, out=np.full(hits.shape, np.nan), where=self.both > 0)

    @property
    def _both_right(self) -> np.ndarray:
        return self.clean[:, None] & self.clean[None]

    def clean_rows(self) -> list[dict[str, Any]]:
        """A table for each model with its ``accuracy`` on the images as they are."""
        count, shares = self.clean.shape[1], self.clean.mean(-1)
        return [
            {"model": name, "accuracy": float(share), "interval": wilson(share * count, count)}
            for name, share in zip(self.names, shares, strict=True)
        ]

    def rows(self) -> list[dict[str, Any]]:
        """A table for each source, with its figures and their 95 % Wilson intervals ``on`` each
        model: ``accuracy``, ``interval``, ``both_right``, ``success``, ``success_interval``."""
        return [
            {
                "source": name,
                "seconds": round(float(self.seconds[s]), 2),
                "on": [self._cell(s, m) for m in range(len(self.names))],
            }
            for s, name in enumerate(self.names)
        ]

    def _cell(self, s: int, m: int) -> dict[str, Any]:
        accuracy, count = float(self.accuracy[s, m]), self.clean.shape[1]
        both, share = int(self.both[s, m]), float(self.success[s, m])
        return {
            "model": self.names[m],
            "accuracy": accuracy,
            "interval": wilson(accuracy * count, count),
            "both_right": both,
            "success": share if both else None,
            "success_interval": wilson(share * both, both) if both else None,
        }


def transfer_matrix(
    models: Mapping[str, Any],
    x: Any,
    y: Any,
    attack: Attack,
    *,
    seed: int = 0,
    batch_size: int = 128,
    store: Store | None = None,
    on_progress: Callable[[Progress], None] = lambda _: None,
) -> TransferMatrix:
    """Attack each model, judge its adversarial images on all of them.

    Two measures of the field: robust accuracy of the attacked model over all N images, and the
    share of successful transfers among the images that source and model both classify correctly
    (Su et al. 2018, "Is Robustness the Cost of Accuracy?", section 3), which does not count
    what the model gets wrong anyway.

    Args:
        models: Keras classifiers with logits by their names, of the same classes; an
            :func:`~slr_keras.ensembles.ensemble` is one too.
        x: images (N, H, W, C), uint8 or float in [0, 1].
        y: (N,) labels, or one-hot rows.
        attack: an untargeted attack; MI-FGSM was made for this.
        seed: fixes the random starts.
        batch_size: images at once.
        store: where finished rows are kept, None: nowhere.
        on_progress: told when a row begins and after every batch.

    Raises:
        UserError: fewer than two models, a targeted attack, unusable images or labels, or a
            model that does not fit them or the others; it is named.

    Example:
        >>> found = transfer_matrix({"at": net, "slr": other}, x, y, PGD())  # doctest: +SKIP
        >>> found.accuracy                                                  # doctest: +SKIP
    """
    nets = {name: networks.unwrapped(net) for name, net in models.items()}
    x, y = _usable(nets, x, y, attack)
    rows = _Rows(nets, x, y, attack, seed, batch_size, on_progress)
    tally = (store and store.load()) or _empty(rows.clean())
    for row in np.flatnonzero((tally.fooled < 0).any(axis=(1, 2))):
        begun = time.monotonic()
        fooled, seconds = tally.fooled.copy(), tally.seconds.copy()
        fooled[row] = rows.fooled(int(row), tally.clean[row] > 0)
        seconds[row] = time.monotonic() - begun
        tally = tally.replace(fooled=fooled, seconds=seconds)
        if store:
            store.save(tally, now=True)
    return TransferMatrix(tuple(nets), tally.clean > 0, tally.fooled > 0, tally.seconds)


def _usable(
    nets: Mapping[str, Any], x: Any, y: Any, attack: Attack
) -> tuple[np.ndarray, np.ndarray]:
    if len(nets) < 2:
        raise UserError(f"expected two models or more, received {len(nets)}")
    check_untargeted(attack)
    counts = {name: networks.num_classes(net) for name, net in nets.items()}
    first = next(iter(nets))
    for name, net in nets.items():
        if counts[name] != counts[first]:
            raise ModelError(
                f"expected models of the same classes, received {counts[first]} ({first}) "
                f"and {counts[name]} ({name})"
            )
        try:
            images, labels = usable(net, x, y)
        except UserError as error:
            raise UserError(f"{name}: {error}") from None
    attack.check_classes(counts[first])
    return images, labels


def _empty(clean: np.ndarray) -> Tally:
    """A :class:`Tally` with an axis of models more, (M, N) and (M, M, N), and no row done."""
    fooled = np.full((len(clean), *clean.shape), -1, "int8")
    zero = np.zeros(len(clean), "int64")
    value = np.full(fooled.shape, np.nan, "float32")
    return Tally(clean, fooled, value, np.zeros(len(clean)), outside=zero, unsound=zero)


class _Rows:
    """What each model makes of the images, and of those made on one of them."""

    def __init__(
        self,
        nets: Mapping[str, Any],
        x: np.ndarray,
        y: np.ndarray,
        attack: Attack,
        seed: int,
        batch_size: int,
        on_progress: Callable[[Progress], None],
    ):
        self.nets, self.x, self.y, self.attack = nets, x, y, attack
        self.seed, self.batch_size, self.on_progress = seed, batch_size, on_progress
        self.judges = {name: Judge(net, batch_size) for name, net in nets.items()}

    def clean(self) -> np.ndarray:
        """(M, N) int8: 1 where the model is right.

        Raises:
            ModelError: a model gives NaN or infinite logits.
        """
        found = []
        for name, judge in self.judges.items():
            z = judge.logits(self.x)
            broken = int((~np.isfinite(z).all(-1)).sum())
            if broken:
                raise ModelError(
                    f"{name}: expected finite logits, received NaN or infinite ones on {broken} "
                    f"of {len(z)} clean images: use another checkpoint"
                )
            found.append(z.argmax(-1) == self.y)
        return np.array(found, "int8")

    def fooled(self, row: int, right: np.ndarray) -> np.ndarray:
        """(M, N): whether each adversarial image of the row's model fools each model.

        ``right`` (N,): which images that model classifies correctly.
        """
        name, net = list(self.nets.items())[row]
        evaluator = Evaluator(net, self.attack, seed=self.seed, batch_size=self.batch_size)
        parts: list[np.ndarray] = []
        done, left, count = 0, int(right.sum()), len(self.y)
        where = f"on {name}", row + 1, len(self.nets)
        self.on_progress(Progress(*where, 0.0, left, count))
        for _, _, adversarial in evaluator.batches(self.x, self.y):
            part = slice(done, done + len(adversarial))
            parts.append(self._judged(part, adversarial))
            done, left = part.stop, left - int((parts[-1][row] & right[part]).sum())
            self.on_progress(Progress(*where, done / count, left, count, done == count))
        return np.concatenate(parts, axis=1)

    def _judged(self, part: slice, adversarial: np.ndarray) -> np.ndarray:
        """(M, B): which models are fooled."""
        ball = self.attack.norm, self.attack.eps
        x, y = as_float(self.x[part]), self.y[part]
        looks = (judge.look(x, y, adversarial, *ball) for judge in self.judges.values())
        return np.array([look.fooled for look in looks])
