"""What lies below the lab's images: the path of the attack with its scrubber, and the sweep."""

from __future__ import annotations

from PySide6.QtCore import QSignalBlocker, Qt, Signal
from PySide6.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QLabel,
    QSizePolicy,
    QSlider,
    QVBoxLayout,
    QWidget,
)

from .. import theme
from ..models.lab import Bench
from ..models.lab_parts import SLOTS, Result, SweepResult
from ..models.lab_words import first_fooling_of, first_fooling_text
from . import no_wheel
from .lab_charts import SweepChart, TrajectoryChart
from .lab_slot import Panel


class PathAndSweep(QWidget):
    """Two charts side by side.

    Signals:
        scrubbed: another step is to be looked at.
        chosen: an epsilon of the sweep.

    Attributes:
        step: the step that is looked at; None for the result.
    """

    scrubbed = Signal()
    chosen = Signal(float)

    def __init__(self) -> None:
        super().__init__()
        self.step: int | None = None
        self.trajectory = TrajectoryChart("Loss and margin over the steps")
        self.scrubber = QSlider(Qt.Orientation.Horizontal)
        self.scrubber.setAccessibleName("Step of the attack")
        self.scrubber.setToolTip("Show the image as it was after this step.")
        no_wheel.guard(self.scrubber)
        self.step_text = QLabel()
        theme.role(self.step_text, "muted")
        self.sweep_chart = SweepChart("Probability of the true class over epsilon")
        self.sweep_chart.setToolTip("Click a place to take its epsilon.")
        self.path_panel = Panel("Path of the attack", self.trajectory)
        self.sweep_panel = Panel("True class over ε (/255)", self.sweep_chart)
        self._lay_out()
        self.scrubber.valueChanged.connect(self._scrub)
        self.trajectory.scrubbed.connect(self.scrubber.setValue)
        self.sweep_chart.chosen.connect(self.chosen)

    def _lay_out(self) -> None:
        scrub = QHBoxLayout()
        scrub.addWidget(self.scrubber, 1)
        scrub.addWidget(self.step_text)
        charts = QHBoxLayout(self)
        charts.setContentsMargins(0, 0, 0, 0)
        charts.setSpacing(8)
        for panel, foot in ((self.path_panel, scrub), (self.sweep_panel, None)):
            card = QFrame()
            card.setObjectName("card")
            card.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
            inside = QVBoxLayout(card)
            inside.setContentsMargins(10, 6, 10, 6)
            inside.setSpacing(4)
            inside.addWidget(panel, 1)
            if foot is not None:
                inside.addLayout(foot)
            charts.addWidget(card, 1)

    def _scrub(self, step: int) -> None:
        self.step = None if step >= self.scrubber.maximum() else step
        self.scrubbed.emit()

    def show_bench(self, bench: Bench) -> None:
        """Draw what the bench holds."""
        self._show_path(bench)
        self._show_sweeps(bench)
        self._show_scrubber(bench.results())

    def _show_path(self, bench: Bench) -> None:
        results = bench.results()
        stale = not all(bench.is_current(slot) for slot in results)
        self.trajectory.show_results(results, stale)
        colours = theme.colours()
        margin = "margin of the target" if bench.target is not None else "margin"
        marks = ((margin, colours.robust), ("loss", colours.muted))
        legend = [f'<span style="color:{colour}">■</span> {name}' for name, colour in marks]
        legend += ["– – B"] if len(results) > 1 else []
        self.path_panel.caption.setText(" &nbsp;".join(legend))

    def _show_sweeps(self, bench: Bench) -> None:
        sweeps = {s: sweep for s in SLOTS if (sweep := bench.slots[s].sweep) is not None}
        old = not all(bench.sweep_is_current(slot) for slot in sweeps)
        self.sweep_chart.show_sweeps(sweeps, float(bench.values["eps"]), old)
        word = "Target" if bench.target is not None else "True class"
        self.sweep_panel.title.setText(f"{word} over ε (/255)")
        self.sweep_panel.say(_sweep_text(sweeps, old))

    def _show_scrubber(self, results: dict[str, Result]) -> None:
        last = max((result.steps for result in results.values()), default=0)
        blocker = QSignalBlocker(self.scrubber)
        self.scrubber.setRange(0, last)
        if self.step is not None and self.step >= last:
            self.step = None
        at = last if self.step is None else self.step
        self.scrubber.setValue(at)
        del blocker
        framed = any(result.frames is not None for result in results.values())
        self.scrubber.setEnabled(framed and last > 0)
        self.trajectory.set_step(at)
        self.step_text.setText(_step_text(results, at, last))


def _step_text(results: dict[str, Result], at: int, last: int) -> str:
    if not last:
        return ""
    words = [f"step {at} of {last}"]
    for slot, result in results.items():
        margins = result.done.margins
        if at < len(margins) and margins[at] is not None:
            name = f"{slot.upper()} " if len(results) > 1 else "margin "
            words.append(f"{name}{margins[at]:+.2f}")
    return "   ".join(words)


def _sweep_text(sweeps: dict[str, SweepResult], old: bool) -> str:
    if not sweeps:
        return "Sweep to see what fools."
    if old:
        return "Of other settings: sweep again."
    if len(sweeps) == 1:
        return first_fooling_text(next(iter(sweeps.values())))
    return first_fooling_of(sweeps)
