"""One repaint of the charts: curves, bands, best points and marks of the runs shown."""

from __future__ import annotations

import dataclasses

from PySide6.QtCore import Qt

from slr_keras.analysis import onset

from ..models.curves import GAP
from ..models.shown import ShownRun
from .chart_looks import Looks
from .plot_parts import Mark, Pen
from .plots import Chart

FINE = 3000  # so many points on screen are drawn antialiased and two pixels wide
POINTS = 20_000  # points on screen, all curves together
OWN_MARKS = ("robust_overfitting",)  # the charts say it themselves
BANDS = 4  # with more runs, bands and onset lines cover each other
_SOLID = Qt.PenStyle.SolidLine


class Drawing:
    """How curves are drawn in one repaint of these runs.

    Args:
        runs: those that are drawn.
        looks: their colours and dashes.
        many: whether each run has a hue of its own.
        between: the epochs in sight.
        window: the mean over so many evaluations is drawn.
    """

    def __init__(
        self,
        runs: list[ShownRun],
        looks: Looks,
        many: bool,
        between: tuple[float, float],
        window: int,
    ):
        self.runs, self._looks, self._many = runs, looks, many
        self._between, self._window = between, window
        per_run = len(looks.series) + (3 if many else 4)
        self._most = max(100, min(800, POINTS // max(1, len(runs) * per_run)))
        points = per_run * sum(min(self._most, len(run.curves)) for run in runs)
        self._fine = points <= FINE

    def accuracies(self, chart: Chart) -> None:
        """The accuracies of all runs, the best evaluations, and what happened when."""
        for run in self.runs:
            for series in self._looks.series:
                self._curve(chart, run, series.key, self._looks.pen(run, series), 100)
            self._best(chart, run)
        chart.mark(self._marks())

    def gaps(self, chart: Chart) -> None:
        """Training minus validation."""
        for run in self.runs:
            self._curve(chart, run, GAP, Pen(self._hue(run, "robust")), 100)

    def softness(self, chart: Chart) -> None:
        """Label entropy, and of a single run how many labels agree with the given ones."""
        colour = self._looks.colours.series[2]
        for run in self.runs:
            self._curve(chart, run, "label_entropy", Pen(self._looks.hue(run, colour)), 1)
            if not self._many:
                agreement = Pen(colour, 1.5, Qt.PenStyle.DashLine)
                self._curve(chart, run, "label_agreement", agreement, 100)

    def losses(self, chart: Chart) -> None:
        """The loss of the epochs, over that of the batches."""
        for run in self.runs:
            hue = self._looks.hue(run, self._looks.colours.series[6])
            if len(run.batches):
                x, y = run.batches.points(self._most)
                pen = Pen(hue, 1, alpha=0.5)
                chart.draw(("batches", run.path, "loss"), x, y, pen, smooth=False)
            self._curve(chart, run, "loss", Pen(hue), 1)

    def _hue(self, run: ShownRun, alone: str) -> str:
        return self._looks.hue(run, getattr(self._looks.colours, alone))

    def _curve(self, chart: Chart, run: ShownRun, key: str, pen: Pen, scale: float) -> None:
        """Draw a series of a run; with smoothing the measured values stay, faint."""
        if not self._fine:
            pen = dataclasses.replace(pen, width=1)
        x, y = run.curves.points(key, self._most, self._between, 1, scale)
        if self._window > 1:
            raw = dataclasses.replace(pen, width=1, alpha=0.35, dash=_SOLID)
            chart.draw(("raw", run.path, key), x, y, raw, self._fine)
            x, y = run.curves.points(key, self._most, self._between, self._window, scale)
        chart.draw(("curve", run.path, key), x, y, pen, self._fine)

    def _best(self, chart: Chart, run: ShownRun) -> None:
        """Band and best point of the robust validation curve."""
        best = _recorded_best(run) or run.curves.best
        if "val_robust_accuracy" in self._looks.hidden or best is None:
            return
        few = len(self.runs) <= BANDS
        hue = self._hue(run, "robust")
        x, y = run.curves.points("val_robust_accuracy", self._most, self._between)
        band = run.curves.band(x, y)
        if band is not None and few:
            chart.band(run.path, x, 100 * band[0], 100 * band[1], hue)
        text = f"best {onset.percent(best[1])}, epoch {best[0]}" if few else ""
        chart.point(run.path, best[0], 100 * best[1], hue, text)

    def _marks(self) -> list[Mark]:
        """Of the main run the learning rate and the refinement; of few runs what went wrong."""
        c, runs = self._looks.colours, self.runs
        marks: list[Mark] = []
        if runs:
            main = runs[0].curves
            marks += [Mark(e, f"lr {rate:.3g}", c.muted) for e, rate in main.drops[:12]]
            start = main.start_epoch
            if start is not None and start <= main.last_epoch:
                marks.append(Mark(start, "refinement starts", c.muted, at=0.03))
        height = 0.9
        for run in runs if len(runs) <= BANDS else ():
            told = self._marks_of(run, height)
            height -= 0.075 if told else 0
            marks += told
        return marks

    def _marks_of(self, run: ShownRun, at: float) -> list[Mark]:
        """What went wrong in a run, its texts below those of the runs before it."""
        since, told = run.curves.onset.since, run.record.catastrophe
        bad, warn = self._hue(run, "bad"), self._hue(run, "warn")
        marks = []
        if told is not None:
            marks.append(Mark(told.epoch, "catastrophic", bad, at=at, dash=_SOLID))
        elif since is not None:
            marks.append(Mark(since, f"overfitting since {since}", bad, at=at, dash=_SOLID))
        return marks + [
            Mark(one.epoch, one.title, warn, at=at - 0.075, dash=_SOLID)
            for one in run.record.diagnoses
            if one.epoch and one.diagnosis not in OWN_MARKS
        ]


def _recorded_best(run: ShownRun) -> tuple[int, float] | None:
    """The epoch that a run has kept as its best: the trainer prefers one that is not at chance."""
    epoch = (run.record.summary or {}).get("best_epoch")
    value = run.curves.at(epoch)["val_robust_accuracy"] if type(epoch) is int else None
    return None if value is None else (epoch, value)
