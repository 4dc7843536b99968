"""The value box at the crosshair: all values of all runs at one epoch."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from html import escape

from PySide6.QtCore import QPoint, Qt
from PySide6.QtWidgets import QLabel

from slr_keras.analysis.onset import percent

from ..models.curves import GAP
from ..models.shown import ShownRun
from ..theme import Colours
from .plots import Chart

MOST_RUNS = 14
MOST_LETTERS = 40


class Readout(QLabel):
    """A box in a corner of a chart, on the side away from the crosshair."""

    def __init__(self, chart: Chart):
        super().__init__(chart)
        self._chart = chart
        self.setAccessibleName("Values at the crosshair")
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.hide()

    def dress(self, colours: Colours) -> None:
        """Take these colours."""
        self.setStyleSheet(
            f"background: {colours.surface}; color: {colours.text};"
            f"border: 1px solid {colours.border}; border-radius: 4px; padding: 6px;"
        )

    def show_at(self, epoch: float, table: str) -> None:
        """Show the table of an epoch, or of another place on the axis."""
        self.setText(table)
        self.adjustSize()
        area = self._chart.area
        (left, right), _ = self._chart.view.viewRange()
        far = (epoch - left) > (right - left) / 2
        x = area.left() + 8 if far else area.right() - self.width() - 8
        self.move(QPoint(round(x), round(area.top()) + 8))
        self.show()


def table_of_one(
    run: ShownRun, epoch: int, accuracies: Sequence[tuple[str, str, str]], text: str
) -> str:
    """All values of a run, as HTML.

    Args:
        run: the run.
        epoch: the epoch.
        accuracies: (series, words, hue) of the visible ones.
        text: hue of the others.
    """
    at = run.curves.at(epoch)
    rows = [(words, _shown(at[key], percent), hue) for key, words, hue in accuracies]
    rows += [
        ("Robust gap", _shown(at[GAP], points), text),
        ("Label entropy", _shown(at["label_entropy"], "{:.2f} nats".format), text),
        ("Label softness", _shown(at["label_entropy"], softness), text),
        ("Label agreement", _shown(at["label_agreement"], percent), text),
        ("Training loss", _shown(at["loss"], "{:.3f}".format), text),
        ("Learning rate", _shown(at["learning_rate"], "{:.3g}".format), text),
    ]
    return _table(
        f"Epoch {epoch}",
        [
            f"<td style='color:{hue}'>{words}&nbsp;&nbsp;</td><td align=right>{value}</td>"
            for words, value, hue in rows
        ],
        columns=2,
    )


def table_of_many(runs: Sequence[ShownRun], epoch: int, hues: Sequence[str]) -> str:
    """Robust and clean validation accuracy and the gap of each run, as HTML."""
    heads = ("robust", "clean", "gap")
    rows = ["<td></td>" + "".join(f"<td align=right>{head}</td>" for head in heads)]
    for run, hue in list(zip(runs, hues, strict=True))[:MOST_RUNS]:
        at = run.curves.at(epoch)
        values = (
            _shown(at["val_robust_accuracy"], percent),
            _shown(at["val_accuracy"], percent),
            _shown(at[GAP], points),
        )
        cells = "".join(f"<td align=right>&nbsp;&nbsp;{value}</td>" for value in values)
        rows.append(f"<td style='color:{hue}'>{escape(shorten(run.label))}</td>{cells}")
    if len(runs) > MOST_RUNS:
        rows.append(f"<td colspan=4>and {len(runs) - MOST_RUNS} more runs</td>")
    return _table(f"Epoch {epoch}", rows, columns=4)


def table_of_lines(
    title: str, lines: Sequence[tuple[str, str, tuple[float, float, float] | None]], unit: str
) -> str:
    """The value of each curve at one place, as HTML.

    Args:
        title: the place.
        lines: name, hue and (mean, lowest, highest); None where the curve does not reach.
        unit: of the values.
    """
    rows, form = [], ".1f" if unit else ".4g"
    for name, hue, found in lines[:MOST_RUNS]:
        value = "–" if found is None else f"{found[0]:{form}}{unit}"
        if found is not None and found[1] < found[2]:
            value += f" ({found[1]:{form}} to {found[2]:{form}})"
        cells = f"<td style='color:{hue}'>{escape(shorten(name))}&nbsp;&nbsp;</td>"
        rows.append(f"{cells}<td align=right>{value}</td>")
    if len(lines) > MOST_RUNS:
        rows.append(f"<td colspan=2>and {len(lines) - MOST_RUNS} more</td>")
    return _table(title, rows, columns=2)


def _table(title: str, rows: Sequence[str], columns: int) -> str:
    head = f"<td colspan={columns}><b>{title}</b></td>"
    body = "".join(f"<tr>{row}</tr>" for row in (head, *rows))
    return f"<table cellspacing=0 cellpadding=1>{body}</table>"


def _shown(value: float | None, words: Callable[[float], str]) -> str:
    return "–" if value is None else words(value)


def points(share: float) -> str:
    """``0.272`` as ``27.2 points``."""
    return f"{100 * share:.1f} points"


def softness(entropy: float) -> str:
    """Entropy as the number of equally likely classes that has as much."""
    return f"as {math.exp(entropy):.1f} equal classes" if entropy > 1e-6 else "hard"


def shorten(text: str) -> str:
    """A long run name with its middle left out."""
    if len(text) <= MOST_LETTERS:
        return text
    half = MOST_LETTERS // 2
    return f"{text[: half - 1]}…{text[-half:]}"
