"""What is said about overfitting above the charts: sentences, and the label that shows them."""

from __future__ import annotations

from html import escape

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QLabel

from slr_keras.analysis import onset

from ..models.shown import ShownRun
from ..theme import Colours


class Headline(QLabel):
    """The sentences on the shown runs, red or amber where one overfits."""

    def __init__(self) -> None:
        super().__init__(wordWrap=True)
        self.setAccessibleName("Robust overfitting")
        self.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.setContentsMargins(4, 2, 4, 0)

    def show_runs(self, runs: list[ShownRun], colours: Colours) -> None:
        """Say how these runs do."""
        hues = {onset.SINCE: colours.bad, onset.WATCH: colours.warn}
        told = sentences(runs)
        self.setText(
            "<br>".join(
                f"<span style='color:{hues.get(state, colours.text)}'>{_bold_head(text)}</span>"
                for text, state in told
            )
        )
        self.setAccessibleDescription(" ".join(text for text, _ in told))


def sentences(runs: list[ShownRun]) -> list[tuple[str, str]]:
    """Sentences about overfitting, each with its state."""
    found = [(run.label, *_told(run)) for run in runs]
    if len(found) == 1:
        return [found[0][1:]]
    if len(found) <= 3:
        return [(f"{label}: {_inside(text)}", state) for label, text, state in found]
    names = [label for label, _, state in found if state == onset.SINCE]
    if not names:
        return [(f"None of the {len(found)} runs overfits robustly so far.", onset.NONE)]
    some = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
    return [(f"{len(names)} of {len(found)} runs overfit robustly: {some}.", onset.SINCE)]


def _told(run: ShownRun) -> tuple[str, str]:
    """The headline of a run and its state."""
    if run.record.catastrophe is not None:
        return onset.catastrophe(run.record.catastrophe), onset.SINCE
    return onset.headline(run.curves.onset), run.curves.onset.state


def _inside(sentence: str) -> str:
    """The headline of one run among several."""
    if sentence.startswith("No robust overfitting so far"):
        return "no robust overfitting so far."
    return sentence[0].lower() + sentence[1:]


def _bold_head(sentence: str) -> str:
    """As HTML, what stands before a colon bold."""
    head, colon, rest = sentence.partition(": ")
    return f"<b>{escape(head)}{colon}</b>{escape(rest)}" if colon else escape(sentence)
