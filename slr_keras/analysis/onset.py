"""Where robust overfitting sets in, judged from the epochs so far alone.

Let ``v`` be the robust accuracy on the validation subset, one value per *evaluation* (epochs
that were not evaluated do not count), and ``m`` its mean over the last w evaluations, for w = 5
(quick) and w = 15 (fine). At the t-th evaluation

* the drop is ``d = max(m over earlier, not overlapping windows) - m``;
* the noise of one value is ``s``, the larger of its sampling noise (half the 95 % Wilson
  interval over 1.96, for n images) and its jitter (``sqrt(pi) / 2`` times the mean distance of
  neighbouring values among the last forty), and that of a drop ``s sqrt(2 / w)``;
* there are fewer than ``t^2`` pairs of windows; chance keeps all their differences below
  ``limit = s sqrt(2 / w) sqrt(2 ln(t^2 / 0.1))`` with a probability of 90 % for each w (union
  bound over normal noise, which is cautious: in simulation under 1 % of flat runs of 300
  evaluations are ever told to overfit).

It is overfitting when ``d > limit`` for one w while robust accuracy on the *training* images,
over the same two windows, rose; it goes on while ``d > limit / 2``. **Since** is the epoch at
which it was first told, so it never moves as a run goes on. **Watch** says ``d > 0.75 limit`` at
the latest evaluation. A fall on training images as well is a run that diverges, not one that
overfits.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from slr_keras.evaluation.intervals import deviation, percent
from slr_keras.protocol.events import CatastrophicOverfitting

WINDOWS = (5, 15)
LEVEL = 0.1
RECENT = 40
FEWEST = 2 * min(WINDOWS)

__all__ = ["Onset", "catastrophe", "detect", "headline", "percent"]
NONE, WATCH, SINCE = "none", "watch", "since"


@dataclasses.dataclass(frozen=True)
class Onset:
    """What the detector says after the latest evaluation.

    Attributes:
        state: ``none``, ``watch`` or ``since``.
        evaluations: how many there are.
        since: the epoch at which overfitting was told; None unless ``state`` is ``since``.
        best_epoch: of the best robust validation accuracy, the earliest of equals.
        best: that accuracy.
        latest: the latest one.
        train_then: robust training accuracy at the best epoch; None when it was not measured.
        train_now: the latest one.
    """

    state: str = NONE
    evaluations: int = 0
    since: int | None = None
    best_epoch: int | None = None
    best: float | None = None
    latest: float | None = None
    train_then: float | None = None
    train_now: float | None = None


def detect(epochs: ArrayLike, validation: ArrayLike, training: ArrayLike, samples: int) -> Onset:
    """Judge a run.

    Args:
        epochs: epoch numbers, ascending.
        validation: robust accuracy on validation images in [0, 1], NaN where not evaluated.
        training: the same on training images; all NaN when it is not measured.
        samples: validation images per evaluation.
    """
    at, v, train = (np.asarray(values, float) for values in (epochs, validation, training))
    rated = np.isfinite(v)
    at, v, train = at[rated], v[rated], train[rated]
    if not len(v):
        return Onset()
    best = int(np.argmax(v))
    facts: dict[str, Any] = {
        "evaluations": len(v),
        "best_epoch": int(at[best]),
        "best": float(v[best]),
        "latest": float(v[-1]),
        "train_then": _value(train[best]),
        "train_now": _value(train[-1]),
    }
    share = np.max([_share_of_limit(v, train, samples, window) for window in WINDOWS], axis=0)
    begun = _episode(share)
    if begun is not None:
        return Onset(SINCE, since=int(at[begun]), **facts)
    return Onset(WATCH if share[-1] > 0.75 else NONE, **facts)


def _value(number: float) -> float | None:
    return float(number) if np.isfinite(number) else None


def _share_of_limit(v: np.ndarray, train: np.ndarray, samples: int, window: int) -> np.ndarray:
    """``d / limit`` after each evaluation; 0 where training accuracy did not rise meanwhile."""
    count = len(v)
    share = np.zeros(count)
    if count < 2 * window:
        return share
    mean, train_mean = _trailing(v, window), _trailing(train, window)
    now, before = slice(2 * window - 1, None), slice(window - 1, count - window)
    top = np.maximum.accumulate(mean[before])
    is_top = mean[before] >= top
    where = np.maximum.accumulate(np.where(is_top, np.arange(window - 1, count - window), 0))
    spread = np.maximum(
        np.maximum(deviation(mean[now], samples), deviation(top, samples)), _jitter(v)[now]
    )
    pairs = np.arange(1, count + 1)[now] ** 2.0
    limit = spread * np.sqrt(2 / window) * np.sqrt(2 * np.log(pairs / LEVEL))
    gain = train_mean[now] - train_mean[where]
    rose = np.isnan(gain) | (gain > 0)
    share[now] = np.where(rose, (top - mean[now]) / limit, 0)
    return share


def _trailing(values: np.ndarray, window: int) -> np.ndarray:
    """Mean of each value and those before it, ``window`` in all; NaN until there are so many."""
    means = np.full(len(values), np.nan)
    if len(values) >= window:
        means[window - 1 :] = np.lib.stride_tricks.sliding_window_view(values, window).mean(-1)
    return means


def _jitter(v: np.ndarray) -> np.ndarray:
    """Standard deviation of one value, from the distances of neighbours in the recent past."""
    total = np.cumsum(np.abs(np.diff(v, prepend=v[0])))
    start = np.maximum(np.arange(len(v)) - RECENT, 0)
    steps = np.maximum(np.arange(len(v)) - start, 1)
    return (total - total[start]) / steps * np.sqrt(np.pi) / 2


def _episode(share: np.ndarray) -> int | None:
    """Where the alarm began that still holds at the end; None without one."""
    quiet = np.flatnonzero(share <= 0.5)
    alarms = np.flatnonzero(share > 1)
    alarms = alarms[alarms > quiet[-1]] if len(quiet) else alarms
    return int(alarms[0]) if len(alarms) else None


def headline(onset: Onset) -> str:
    """One sentence for people."""
    if onset.best is None or onset.latest is None:
        return "Robust accuracy on validation images has not been measured yet."
    if onset.state == NONE:
        if onset.evaluations < FEWEST:
            return (
                f"No robust overfitting so far; at least {FEWEST} evaluations are needed "
                f"to tell, {onset.evaluations} done."
            )
        return "No robust overfitting so far."
    fell = f"robust accuracy fell from {percent(onset.best)} to {percent(onset.latest)}"
    if onset.state == WATCH:
        return f"Watch: {fell} since epoch {onset.best_epoch}, which may still be chance."
    rose = ""
    if onset.train_then is not None and onset.train_now is not None:
        rose = (
            " while on training images it rose from "
            f"{percent(onset.train_then)} to {percent(onset.train_now)}"
        )
    return f"Overfitting since epoch {onset.since}: {fell}{rose}."


def catastrophe(told: CatastrophicOverfitting) -> str:
    """The same of single-step training that has failed, see the run's own detector."""
    return (
        f"Catastrophic overfitting since epoch {told.epoch}: {percent(told.resisted)} of the "
        f"training images resist the attack trained with, {percent(told.robust)} resist PGD, "
        f"after {percent(told.best)} in epoch {told.best_epoch}."
    )
