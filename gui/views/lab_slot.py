"""One model of the attack lab: its three images, its probabilities and the verdict."""

from __future__ import annotations

import numpy as np
from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import (
    QBoxLayout,
    QFrame,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QProgressBar,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from .. import theme
from ..models import pictures
from ..models.lab import Bench
from ..models.lab_parts import Result
from ..models.lab_words import tone
from .image_view import ImageView
from .images import CompareView
from .lab_charts import ProbabilityBars
from .lab_figure import auto_factor

TITLES = {
    "adversarial": "Adversarial",
    "swipe": "Clean | adversarial",
    "clean": "Clean, in its place",
}
GAP = 6  # between a title and its caption
LOWEST = 150  # height that images and words need
GREY_MAP = "Blue is darker, red is brighter, white is unchanged."
COLOUR_MAP = "Grey is unchanged; a channel that rose is brighter, one that fell is darker."


class Panel(QWidget):
    """A view with its title and a caption above.

    Signals:
        resized: there is another room for the words.
    """

    resized = Signal()

    def __init__(self, title: str, view: QWidget):
        super().__init__()
        self.view = view
        self.title, self.caption = QLabel(title), QLabel()
        theme.role(self.title, "heading")
        theme.role(self.caption, "muted")
        self.caption.setMinimumWidth(1)
        self.caption.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.line = QHBoxLayout()
        self.line.setSpacing(GAP)
        self.line.addWidget(self.title)
        self.line.addWidget(self.caption, 1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(3)
        layout.addLayout(self.line)
        layout.addWidget(view, 1)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Tell who fits the words."""
        super().resizeEvent(event)
        self.resized.emit()

    def is_tight(self) -> bool:
        """Whether title and caption have no room side by side."""
        words = [label.sizeHint().width() for label in (self.title, self.caption)]
        return sum(words) + GAP > self.width()

    def stack(self, stacked: bool) -> None:
        """Put the caption below the title, or beside it."""
        way = QBoxLayout.Direction
        self.line.setDirection(way.TopToBottom if stacked else way.LeftToRight)
        self.line.setSpacing(0 if stacked else GAP)

    def say(self, caption: str) -> None:
        """Set the caption; whole in the tool tip."""
        self.caption.setText(caption)
        self.caption.setToolTip(caption)


class SlotRow(QFrame):
    """Everything of one slot.

    Signals:
        pointed: row and column of the pixel under the pointer.
    """

    pointed = Signal(int, int)

    def __init__(self, slot: str, parent: QWidget | None = None):
        super().__init__(parent)
        self.slot = slot
        self.setObjectName("card")
        name = f"model {slot.upper()}"
        self.clean = ImageView(f"Clean image, {name}")
        self.adversarial = CompareView(f"Adversarial image, {name}")
        self.perturbation = ImageView(f"Amplified perturbation, {name}")
        self.bars = ProbabilityBars(f"Class probabilities, {name}")
        self.panels = {
            "clean": Panel("Clean", self.clean),
            "adversarial": Panel("Adversarial", self.adversarial),
            "perturbation": Panel("Perturbation", self.perturbation),
            "bars": Panel("", self.bars),
        }
        self.panels["bars"].title.hide()
        alike = [self.clean, self.adversarial, self.perturbation]
        for view in alike:
            view.alike = alike
            view.pointed.connect(self.pointed)
        self._pictures = [panel for panel in self.panels.values() if panel.view in alike]
        self.badge = QLabel(slot.upper())
        self.badge.setObjectName("badge")
        self.badge.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.verdict, self.transfer = QLabel(), QLabel()
        self.verdict.setObjectName("verdict")
        theme.role(self.transfer, "muted")
        self.budget = QProgressBar()
        self.budget.setRange(0, 1000)
        self.budget.setAccessibleName(f"Distance against the budget, {name}")
        self.budget.setFixedSize(214, 17)
        self._lay_out()

    def _lay_out(self) -> None:
        for label in (self.verdict, self.transfer):
            label.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
            label.setMinimumWidth(1)
        head = QHBoxLayout()
        head.setSpacing(8)
        head.addWidget(self.badge)
        head.addWidget(self.verdict, 1)
        grid = QGridLayout(self)
        grid.setContentsMargins(10, 8, 10, 8)
        grid.setHorizontalSpacing(12)
        grid.setVerticalSpacing(4)
        second = QHBoxLayout()
        second.setSpacing(12)
        second.addWidget(self.transfer, 1)
        second.addStretch()
        second.addWidget(self.budget)
        grid.addLayout(head, 0, 0, 1, 4)
        grid.addLayout(second, 1, 0, 1, 4)
        for column, panel in enumerate(self.panels.values()):
            grid.addWidget(panel, 2, column)
            grid.setColumnStretch(column, 4 if panel.view is not self.bars else 5)
            grid.setColumnMinimumWidth(column, 100)
            panel.resized.connect(self._fit_captions)
        grid.setRowStretch(2, 1)
        self._show_panels(only_words=False)

    # -- what it shows ------------------------------------------------------------------------

    def show_bench(self, bench: Bench, step: int | None, factor: float | None, busy: bool) -> None:
        """Draw what the bench knows; ``step`` is the iterate looked at, None for the result."""
        result = bench.result_of_image(self.slot)
        current = bench.is_current(self.slot)
        self._show_clean(bench)
        self._show_head(bench, result, current, busy)
        if result is None:
            self._show_nothing(busy)
        else:
            self._show_result(bench, result, step, factor, dimmed=not current)
        if not current:
            self._show_live(bench, factor)
        self._show_panels(bool(self._problem(bench)) and result is None)
        self._fit_captions()

    def _fit_captions(self) -> None:
        """All below their titles or none, so that the images stay level."""
        tight = any(panel.is_tight() for panel in self._pictures)
        for panel in self._pictures:
            panel.stack(tight)

    def _problem(self, bench: Bench) -> str:
        return bench.slots[self.slot].problem or bench.mismatch(self.slot)

    def _show_panels(self, only_words: bool) -> None:
        """A slot that has nothing but a problem needs no room for images."""
        for widget in (*self.panels.values(), self.budget):
            widget.setVisible(not only_words)
        vertical = QSizePolicy.Policy.Maximum if only_words else QSizePolicy.Policy.Preferred
        self.setSizePolicy(QSizePolicy.Policy.Preferred, vertical)
        self.setMinimumHeight(0 if only_words else LOWEST)

    def _show_clean(self, bench: Bench) -> None:
        image = bench.image
        if image is None:
            self.clean.set_picture(None, "No image yet.")
            self.panels["clean"].say("")
            return
        self.clean.set_picture(pictures.to_bytes(image.pixels))
        result, model = bench.result_of_image(self.slot), bench.slots[self.slot].model
        if result is None or model is None:
            self.panels["clean"].say("")
        else:
            self.panels["clean"].say(_sure(bench, self.slot, result.done.clean_probabilities))

    def _show_head(self, bench: Bench, result: Result | None, current: bool, busy: bool) -> None:
        slot = bench.slots[self.slot]
        problem = self._problem(bench)
        verdict = bench.verdict(self.slot)
        if problem:
            text, role = problem, "bad"
        elif result is None:
            text, role = ("Loading…" if slot.loading else "Attacking…" if busy else ""), "muted"
        elif current:
            text, role = verdict, tone(result)
        else:
            eps = pictures.levels(result.done.budget)
            text, role = f"Computing…  (below: epsilon {eps})", "muted"
        self.verdict.setWordWrap(bool(problem))
        self.verdict.setText(text)
        self.verdict.setToolTip(text)
        theme.role(self.verdict, role)
        self.transfer.setText(bench.transfer(self.slot) if current else "")
        self.transfer.setVisible(bool(self.transfer.text()) and not problem)
        self.transfer.setToolTip(self.transfer.text())
        self._show_budget(result, current)

    def _show_budget(self, result: Result | None, current: bool) -> None:
        self.budget.setEnabled(current)
        if result is None:
            self.budget.setValue(0)
            self.budget.setFormat("")
            return
        size, budget = pictures.distance(result.delta, result.norm), result.done.budget
        self.budget.setValue(round(1000 * min(size / budget, 1.0)) if budget > 0 else 0)
        self.budget.setFormat(pictures.distance_label(size, budget, result.norm))
        text = pictures.distance_text(size, budget, result.norm)
        self.budget.setToolTip(f"{text}: an attack may not go beyond its epsilon.")

    def _show_nothing(self, busy: bool) -> None:
        placeholder = "Computing…" if busy else ""
        self.adversarial.set_pictures(None, placeholder)
        self.perturbation.set_picture(None, placeholder)
        for name in ("adversarial", "perturbation", "bars"):
            self.panels[name].say("")
        self.bars.clear_result()

    def _show_live(self, bench: Bench, factor: float | None) -> None:
        """The iterate of a long attack that is under way, marked as not the result."""
        live, image = bench.slots[self.slot].live, bench.image
        if live is None or image is None:
            return
        step, steps, candidate = live
        if candidate is None:
            return
        delta = candidate - image.pixels
        norm, eps = str(bench.values["norm"]), float(bench.values["eps"])
        shown = pictures.amplify(delta, factor or pictures.fitting_factor(delta, norm, eps))
        self._show_candidate(image.pixels, candidate, shown)
        for view in (self.adversarial, self.perturbation):
            view.set_dimmed(True)
        self.panels["adversarial"].say(f"step {step} of {steps}…")

    def _show_candidate(
        self, clean: np.ndarray, candidate: np.ndarray, shown: pictures.Amplified
    ) -> None:
        self.adversarial.set_pictures(
            {
                "clean": pictures.to_bytes(clean),
                "adversarial": pictures.to_bytes(candidate),
                "difference": pictures.difference(candidate, clean, shown.factor),
            }
        )
        self.perturbation.set_picture(shown.picture())
        times = pictures.number(shown.factor)
        self.panels["perturbation"].say(f"× {times}" + (", clipped" if shown.clipped else ""))
        self.panels["perturbation"].caption.setToolTip(_sentence(shown.caption) + ".")
        grey = shown.values.shape[-1] < 3
        self.perturbation.setToolTip(GREY_MAP if grey else COLOUR_MAP)
        mode = self.adversarial.mode
        title = f"Difference × {times}" if mode == "difference" else TITLES[mode]
        self.panels["adversarial"].title.setText(title)
        self.panels["adversarial"].caption.setVisible(mode == "adversarial")

    def _show_result(
        self, bench: Bench, result: Result, step: int | None, factor: float | None, dimmed: bool
    ) -> None:
        candidate = result.frame(step)
        delta = candidate - result.clean
        shown = pictures.amplify(delta, factor or auto_factor(result))
        self._show_candidate(result.clean, candidate, shown)
        for view in (self.adversarial, self.perturbation):
            view.set_dimmed(dimmed)
        partial = step is not None and candidate is not result.adversarial
        where = f"step {step} of {result.steps}" if partial else ""
        sure = _sure(bench, self.slot, result.done.adversarial_probabilities)
        self.panels["adversarial"].say(where or sure)
        model = bench.slots[self.slot].model
        if model is not None:
            self.bars.show_result(model, result, bench.truth(self.slot), dimmed)
        self.panels["bars"].caption.setText(_legend())

    def set_mode(self, mode: str) -> None:
        """How clean and adversarial image are compared."""
        self.adversarial.set_mode(mode)

    def set_pointer(self, row: int, column: int, words: str) -> None:
        """Mark a pixel in all images; ``words`` are its values, for screen readers."""
        for view in (self.clean, self.adversarial, self.perturbation):
            view.set_pointer(row, column)
            view.setAccessibleDescription(words)


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


def _sure(bench: Bench, slot: str, probabilities: tuple[float, ...]) -> str:
    model = bench.slots[slot].model
    if model is None:
        return ""
    k = int(np.argmax(probabilities))
    return f"{model.class_name(k)}, {pictures.percent(probabilities[k])}"


def _legend() -> str:
    colours = theme.colours()
    return (
        f'<span style="color:{colours.clean}">■</span> clean  '
        f'<span style="color:{colours.robust}">■</span> attacked  ▭ true'
    )
