"""A tab of the Evaluate screen: what randomised smoothing proves, radius by radius."""

from __future__ import annotations

import functools
from collections.abc import Sequence

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QLabel, QVBoxLayout, QWidget

from ..models.measured import Certificate, Point
from ..models.run_words import interval, percent
from .text_table import TextTable

HEADER = ("noise (sigma)", "radius, l2", "certified accuracy", "95 % interval")


class CertificatesPage(QWidget):
    """Each size of noise in a sentence, and the accuracy that it certifies."""

    def __init__(self) -> None:
        super().__init__()
        self.words = QLabel(wordWrap=True)
        self.words.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.table = TextTable("Certified accuracy at each radius")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 8, 0, 0)
        layout.addWidget(self.words)
        layout.addWidget(self.table, 1)

    def show_certificates(self, found: Sequence[Certificate]) -> None:
        """Show these."""
        self.words.setText("\n".join(map(_sentence, found)))
        self.table.show_rows(
            HEADER,
            [functools.partial(_cells, one, point) for one in found for point in one.radii],
        )


def _sentence(one: Certificate) -> str:
    return (
        f"Sigma {one.sigma:g}: an average radius of {one.average_radius:.3g}, nothing said of "
        f"{percent(one.abstained)} of the images; {one.samples:,} draws, each certificate wrong "
        f"with a probability of at most {100 * one.failure:g} %."
    )


def _cells(one: Certificate, point: Point) -> list[str]:
    found = point.interval
    return [f"{one.sigma:g}", f"{point.eps:.4g}", percent(point.accuracy), interval(*found)]
